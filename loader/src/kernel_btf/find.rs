//! One type by its name, in kernels that no program can ask (before 5.14).

use super::VMLINUX;
use super::files::Files;
use crate::sys::{Errno, Kernel, Sys};
use corelet_core::btf::Kind;
use corelet_core::kernel_btf;
use corelet_core::limits::KERNEL_BTF_WINDOW;

/// Its id in the kernel's own BTF, which is gone through in pieces.
///
/// # Errors
/// `ENOENT` where there is no such type, or the kernel has no types.
#[cold]
#[inline(never)]
pub fn find<K: Kernel>(kernel: &mut K, name: &str, kind: Kind) -> Sys<u32> {
    let window = kernel.region(KERNEL_BTF_WINDOW)?;
    let mut files = Files::new(kernel);
    let found = files.open_kernel(VMLINUX).and_then(|()| kernel_btf::find(&mut files, name, kind, window));
    match (found, files.close()) {
        (Ok(Some(id)), _) => Ok(id.0),
        (Ok(None), _) => Err(Errno::ENOENT),
        (Err(_), failure) => Err(failure.unwrap_or(Errno::EINVAL)),
    }
}
