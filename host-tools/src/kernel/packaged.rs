//! A kernel of Debian's packages: its identity out of the image, its debug information out of the `-dbg` package.

use std::path::PathBuf;

use anyhow::{Context, Result};
use corelet_boards::Progress;

use super::{Identity, Kernel};

/// Who the packaged kernel is, by its image.
///
/// # Errors
/// As [`Kernel::open`].
pub fn identity(kernel: &corelet_boards::Kernel) -> Result<Identity> {
    Ok(Kernel::open(&kernel.image, &mut |_, _| {})?.identity().clone())
}

/// The vmlinux with debug information of the same build, as a file in the cache.
///
/// # Errors
/// As [`corelet_boards::Kernel::vmlinux`]; an image without a build id, which nothing could be compared with.
pub fn vmlinux(kernel: &corelet_boards::Kernel, progress: &mut dyn Progress) -> Result<PathBuf> {
    let identity = identity(kernel)?;
    let build_id = identity.build_id.with_context(|| {
        format!(
            "{}: has no build id, so no debug information can be known as its own",
            kernel.image.display()
        )
    })?;
    kernel.vmlinux(build_id.as_bytes(), progress)
}
