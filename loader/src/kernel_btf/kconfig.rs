//! Configuration externs where no target carries their values: the version is asked of the running kernel; what is in its
//! configuration is refused by name, weak externs too, since their 0 would be a guess: the kernel may well have the option.
//! Source: `get_kernel_version`, libbpf `src/libbpf_probes.c`.

use crate::arena::Arena;
use crate::exit::{Done, Exit};
use crate::identity::read_file;
use crate::number::first;
use crate::object::Sections;
use crate::say::{Arg::S, fail};
use crate::session::Session;
use crate::sys::Kernel;
use corelet_core::btf::Kind;

use super::NEXT;

/// What stands before a version in `uname -v`: `#1 SMP Debian 6.12.117-1 (2026-10-01)`.
const DEBIAN: &[u8] = b"Debian ";

/// The contents of the `.kconfig` map; empty where the object has none.
///
/// # Errors
/// [`Exit::NotPortable`] with the name of an extern whose value only a target carries.
#[inline(never)]
pub fn image<'a, K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    s: &Sections<'_>,
    arena: &mut Arena<'a>,
) -> Done<&'a [u8]> {
    let Some(section) = s.btf.find(".kconfig", Kind::Datasec) else { return Ok(&[]) };
    let image = arena.take(kernel, section.size() as usize)?;
    image.fill(0);
    for var in section.vars() {
        let name = s.btf.ty(var.ty).map_or("", |t| s.btf.name(&t));
        let place = image.get_mut(var.offset as usize..).and_then(|p| p.first_chunk_mut());
        let version = if name == "LINUX_KERNEL_VERSION" { version(kernel, session) } else { None };
        let (Some(place), Some(version)) = (place, version) else {
            let form = "%: the value of % is known from a target only%";
            return Err(fail(kernel, Exit::NotPortable, form, &[S(s.object.name), S(name), S(NEXT)]));
        };
        // low bytes come first on every architecture that has a loader; higher ones are 0
        *place = version.to_le_bytes();
    }
    Ok(image)
}

/// `KERNEL_VERSION(a, b, c)`, c capped at 255. Ubuntu and Debian hide the point release in their releases.
fn version<K: Kernel>(kernel: &mut K, session: &Session<'_>) -> Option<u32> {
    let mut text = [0; 128];
    let uname = &session.identity.uname;
    let release = match read_file(kernel, c"/proc/version_signature", &mut text) {
        // Ubuntu 6.8.0-31.31-generic 6.8.1
        Ok(signature) => signature.split(|&b| b == b' ').nth(2)?,
        Err(_) => {
            let version = uname.version.as_bytes();
            let debian = version.windows(DEBIAN.len()).position(|w| w == DEBIAN);
            debian.and_then(|at| version.get(at..)).unwrap_or(uname.release.as_bytes())
        }
    };
    let mut numbers = release.split(|&b| b == b'.').map(first);
    let mut next = || numbers.next().flatten();
    let (a, b, c) = (next()?, next()?, next()?);
    Some((a << 16).wrapping_add(b << 8).wrapping_add(c.min(255)))
}
