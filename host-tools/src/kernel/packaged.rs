//! A kernel of Debian's packages: its identity out of the image, its types out of the image or, where it was built without
//! BTF, out of the debug information in the `-dbg` package.
//!
//! Types that were converted are kept in the cache, by the build id of image and vmlinux.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use corelet_boards::Progress;
use corelet_boards::debian::Debian;

use super::{BuildId, Identity, Kernel};
use crate::dwarf::{self, Options};
use crate::output;

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
    kernel.vmlinux(build_id(kernel, &identity)?.as_bytes(), progress)
}

/// Part of the name of converted types in the cache: raised when the conversion gives other bytes for the same vmlinux.
const REVISION: u32 = 2;

/// The file that holds the kernel's types: the image itself, or raw BTF in the cache.
///
/// # Errors
/// As [`converted`].
pub fn types(kernel: &corelet_boards::Kernel, progress: &mut dyn Progress) -> Result<PathBuf> {
    let image = Kernel::open(&kernel.image, &mut |_, _| {})?;
    Ok(converted(kernel, &image, progress)?.unwrap_or_else(|| kernel.image.clone()))
}

/// Raw BTF in the cache, made of the kernel's debug information; `None` where `image`, which is the kernel's opened, has
/// types of its own.
///
/// # Errors
/// As [`vmlinux`], and of the conversion.
pub fn converted(
    kernel: &corelet_boards::Kernel,
    image: &Kernel,
    progress: &mut dyn Progress,
) -> Result<Option<PathBuf>> {
    if image.found().is_some() {
        return Ok(None);
    }
    let build_id = build_id(kernel, image.identity())?;
    let path = Debian::open()?.folder("types")?.join(format!("{build_id}.{REVISION}.btf"));
    if !path.is_file() {
        let vmlinux = kernel.vmlinux(build_id.as_bytes(), progress)?;
        progress.step("converting its debug information to BTF");
        output::write_file(&path, &convert(&vmlinux, progress)?)?;
    }
    Ok(Some(path))
}

fn build_id<'i>(kernel: &corelet_boards::Kernel, identity: &'i Identity) -> Result<&'i BuildId> {
    identity.build_id.as_ref().with_context(|| {
        let image = kernel.image.display();
        format!("{image}: has no build id, so no debug information can be known as its own")
    })
}

fn convert(vmlinux: &Path, progress: &mut dyn Progress) -> Result<Vec<u8>> {
    let converted = dwarf::convert(vmlinux, &Options::default(), &|_, _| {})?;
    if let Some(first) = converted.skipped.first() {
        let units = converted.skipped.len();
        progress.note(&format!("{units} units of {} left out, the first: {}", vmlinux.display(), first.why));
    }
    Ok(converted.btf)
}
