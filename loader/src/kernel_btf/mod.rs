//! Relocation with the running kernel's own types, where no target of the pack is for it: they are read in passes out of
//! `/sys/kernel/btf` ([`corelet_core::kernel_btf`]), and what is taken of them goes the way of a pack's subset.
//!
//! Programs are loaded by the plan of the nearest target of the same object, which is the manifest's and the same for every
//! kernel; its memory formula holds too, with [`KERNEL_BTF_MEMORY`] more at most. What else a target carries is answered here
//! or refused by name (`kconfig`).

mod files;
mod find;
mod kconfig;

pub use find::find;
pub use kconfig::image as kconfig;

use crate::arena::Arena;
use crate::exit::{Done, Exit};
use crate::identity::read_file;
use crate::load::parse_btf;
use crate::object::Sections;
use crate::relocate::{self, core_relo};
use crate::say::{
    Arg::{B, E, N, S},
    fail, failed, say, text,
};
use crate::session::Session;
use crate::sys::{Errno, Kernel};
use core::ffi::CStr;
use corelet_core::kernel_btf::select;
pub use corelet_core::limits::KERNEL_BTF_MEMORY;
use corelet_core::pack::Subset;
use files::Files;

/// The kernel's own BTF (5.4), where `CONFIG_DEBUG_INFO_BTF` is set.
const VMLINUX: &CStr = c"/sys/kernel/btf/vmlinux";
const VMLINUX_TEXT: &str = "/sys/kernel/btf/vmlinux";

/// What to do where they do not serve.
static NEXT: &str = text!(
    "; make a target of this kernel's image and configuration with `corelet target`, and pass it with --target"
);

/// Whether the kernel's own types are there; says why they are not.
pub fn is_there<K: Kernel>(kernel: &mut K) -> Done<bool> {
    match read_file(kernel, VMLINUX, &mut []) {
        Ok(_) => Ok(true),
        Err(e) if e.exit() == Exit::Again => Err(failed(kernel, VMLINUX_TEXT, e)),
        Err(e) => {
            say(kernel, text!("%: %; the kernel's own types cannot serve either"), &[S(VMLINUX_TEXT), E(e)]);
            Ok(false)
        }
    }
}

/// Relocates in `insns`, all of the object's, the functions that `used` marks with 1.
///
/// # Errors
/// [`Exit::NotPortable`] where the kernel's types cannot be read, or a relocation cannot be done at all.
#[inline(never)] // its frame is gone when programs are loaded
pub fn relocate<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    used: &[u8],
    insns: &mut [u8],
    arena: Arena<'_>,
) -> Done<()> {
    let name = s.object.name;
    let mut relos = s
        .relos()
        .filter(|r| r.as_ref().map_or(true, |r| used.get(usize::from(r.function)) == Some(&1)))
        .map(|r| r.and_then(|r| core_relo(&r)));
    let memory = arena.into_rest();
    let mut files = Files::new(kernel);
    let selected = files.open_kernel(VMLINUX).and_then(|()| select(&mut files, &s.btf, &mut relos, memory));
    let failure = files.close();
    let selected = match (selected, failure) {
        (Ok(selected), _) => selected,
        (Err(_), Some(e)) => return Err(unreadable(kernel, e)),
        (Err(e), None) => {
            let args = [S(name), S(VMLINUX_TEXT), B(e), S(NEXT)];
            return Err(fail(kernel, Exit::NotPortable, text!("%: %: %%"), &args));
        }
    };
    let stats = selected.stats;
    let numbers = [stats.bytes, stats.reads, stats.types, stats.modules, stats.peak];
    let [bytes, reads, types, modules, peak] = numbers.map(|n| N(n.into()));
    // a literal: it is said of a load that goes well (`text!`)
    let form = "%: no target for this kernel; relocating with its own types: % bytes in % reads, % types kept, % modules looked \
                into, % bytes of memory";
    say(kernel, form, &[S(name), bytes, reads, types, modules, peak]);
    let (types, rest) = memory.split_at_mut_checked(selected.btf).unwrap_or_default();
    // the engine has found place for both in `memory`
    let padding = selected.btf.wrapping_add(selected.ids).next_multiple_of(8).wrapping_sub(selected.btf);
    let (ids, rest) = rest.split_at_mut_checked(padding).unwrap_or_default();
    let ids = ids.get(..selected.ids).unwrap_or_default();
    let mut arena = Arena::new(rest);
    let types = parse_btf(kernel, VMLINUX_TEXT, types, &mut arena)?;
    let types = types.with_pointer_size(size_of::<usize>() as u8);
    let subset = Subset::new(types, ids);
    relocate::relocate(kernel, s, &subset, used, insns, arena, session)
}

#[cold]
fn unreadable<K: Kernel>(kernel: &mut K, e: Errno) -> Exit {
    failed(kernel, text!("/sys/kernel/btf"), e)
}
