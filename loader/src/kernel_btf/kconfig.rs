//! Configuration externs where no target carries their values: what is the running kernel's version, or follows from it, is
//! answered; what is in its configuration is not looked for. A weak extern of that sort is taken for one that the kernel does
//! not have, and named, since the kernel may well have the option; any other is refused by name.
//! Source: `bpf_object__resolve_externs`, libbpf `src/libbpf.c`; `get_kernel_version`, `src/libbpf_probes.c`.

use crate::arena::Arena;
use crate::exit::{Done, Exit};
use crate::identity::read_file;
use crate::number::first;
use crate::object::Sections;
use crate::say::{Arg::S, fail, say, text};
use crate::session::Session;
use crate::sys::Kernel;
use corelet_core::TypeId;
use corelet_core::btf::Kind;
use corelet_core::pack::{Arch, section};

use super::NEXT;

/// What stands before a version in `uname -v`: `#1 SMP Debian 6.12.117-1 (2026-10-01)`.
const DEBIAN: &[u8] = b"Debian ";

/// The contents of the `.kconfig` map; empty where the object has none.
///
/// # Errors
/// [`Exit::NotPortable`] with the name of an extern whose value only a target carries, unless it is weak.
#[inline(never)]
pub fn image<'a, K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    s: &Sections<'_>,
    arena: &mut Arena<'a>,
) -> Done<&'a [u8]> {
    let Some(datasec) = s.btf.find(".kconfig", Kind::Datasec) else { return Ok(&[]) };
    let image = arena.take(kernel, datasec.size() as usize)?;
    image.fill(0);
    for var in datasec.vars() {
        let name = s.btf.ty(var.ty).map_or("", |t| s.btf.name(&t));
        let place = image.get_mut(var.offset as usize..).and_then(|p| p.get_mut(..var.size as usize));
        let weak = || s.parts.records::<TypeId>(section::WEAK).any(|id| id == var.ty);
        match (place, value(kernel, session, name)) {
            // low bytes come first on every architecture that has a loader; higher ones are 0
            (Some(place), Some(value)) if place.len() >= 4 || value < 256 => {
                place.iter_mut().zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
            }
            (Some(_), None) if weak() => {
                let form = text!("%: the value of % is known from a target only: it is weak and taken for 0");
                say(kernel, form, &[S(s.object.name), S(name)]);
            }
            _ => {
                let form = text!("%: the value of % is known from a target only%");
                return Err(fail(kernel, Exit::NotPortable, form, &[S(s.object.name), S(name), S(NEXT)]));
            }
        }
    }
    Ok(image)
}

/// What libbpf makes up (`LINUX_*`); it finds out by trying what follows from the version here.
fn value<K: Kernel>(kernel: &mut K, session: &Session<'_>, name: &str) -> Option<u32> {
    let since = |major, minor| u32::from(session.identity.is_at_least(major, minor));
    match name {
        "LINUX_KERNEL_VERSION" => version(kernel, session),
        "LINUX_ARCH" => Arch::from_machine(&session.identity.uname.machine).map(|arch| arch.machine().into()),
        // the helper bpf_get_attach_cookie()
        "LINUX_HAS_BPF_COOKIE" => Some(since(5, 15)),
        // CONFIG_ARCH_HAS_SYSCALL_WRAPPER: RISC-V has it since 6.6, x86-64 and AArch64 longer than types of their own
        "LINUX_HAS_SYSCALL_WRAPPER" if cfg!(target_arch = "riscv64") => Some(since(6, 6)),
        "LINUX_HAS_SYSCALL_WRAPPER" => Some(u32::from(!cfg!(target_arch = "arm"))),
        _ => None,
    }
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
