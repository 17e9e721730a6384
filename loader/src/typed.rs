//! Functions of the kernel that programs call, and variables that they name with their types: their ids go straight into the
//! instructions, and the BTF of modules that have them into an array of descriptors.
//!
//! Source: `bpf_object__resolve_ksyms_btf_id` and `RELO_EXTERN_CALL`, `RELO_EXTERN_LD64` of `bpf_object__relocate_data`, libbpf
//! `src/libbpf.c`. What is weak and not there is left to linking. Whether prototypes agree is the verifier's to say.
//! Time: a look-up for each name, and for each reference a walk over those before it.

use crate::btf_id::{AttachTo, by_name};
use crate::exit::{Done, Exit};
use crate::lacking;
use crate::object::Sections;
use crate::say::{
    Arg::{E, S},
    bad, fail, text,
};
use crate::session::Session;
use crate::sys::{Errno, Kernel};
use corelet_core::btf::{Kind, names};
use corelet_core::insn::{self, Insn, PSEUDO_BTF_ID, PSEUDO_KFUNC_CALL};
use corelet_core::pack::{Attach, Fixup, FixupKind};
use corelet_core::{Endian, Error};
use heapless::Vec;

/// Modules' functions that programs of one object call, at most.
pub const MAX_FUNCTIONS: usize = 15;

/// The descriptors of BTF that calls refer to by their place; place 0 is the kernel's own, and no descriptor.
pub type FdArray = Vec<i32, { MAX_FUNCTIONS + 1 }>;

/// Name, whether it may be missing, kind in BTF.
fn wanted(fixup: &Fixup) -> Option<(u32, bool, Kind)> {
    match fixup.kind {
        FixupKind::Kfunc { name_off, weak } => Some((name_off, weak, Kind::Func)),
        FixupKind::Ksym { name_off, weak } => Some((name_off, weak, Kind::Var)),
        _ => None,
    }
}

/// Whether the programs refer to any.
pub fn any(s: &Sections<'_>) -> bool {
    s.fixups().any(|f| wanted(&f).is_some())
}

/// Puts the ids into `insns`, those of all functions of the object, where `used` says that they are loaded.
///
/// # Errors
/// [`Exit::NotPortable`] for what must be there and is not, said with its name.
#[cold]
#[inline(never)]
pub fn resolve<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    used: &[u8],
    insns: &mut [u8],
    array: &mut FdArray,
) -> Done<()> {
    // never full here
    let _ = array.push(0);
    let used = |f: &Fixup| used.get(usize::from(f.function)) == Some(&1);
    for (number, fixup) in s.fixups().enumerate().filter(|(_, f)| used(f)) {
        let Some((name_off, weak, kind)) = wanted(&fixup) else { continue };
        let at = bad(kernel, s.path, place(s, &fixup))?;
        // what was looked up for one before
        let mut before = s.fixups().take(number).filter(|f| used(f) && f.kind == fixup.kind);
        if let Some(known) = before.next() {
            let from = bad(kernel, s.path, place(s, &known))?;
            bad(kernel, s.path, copy(insns, from, at, kind))?;
            continue;
        }
        let name = names::essential(s.btf.string(name_off));
        let found = match by_name(kernel, name, kind) {
            // the address of a function, whether it is there
            Err(Errno::ENOENT) if kind == Kind::Var => by_name(kernel, name, Kind::Func),
            found => found,
        };
        match found {
            Ok(found) => {
                if let Some(fd) = found.of {
                    session.ledger.keep(kernel, fd)?;
                }
                let set = set(insns, at, kind, found, array);
                bad(kernel, s.path, set)?;
            }
            Err(Errno::ENOENT) if weak => {}
            Err(e) => {
                let lacking = lacking::option(kernel, &Attach::Trace { module: "", name }, e);
                if weak && !lacking.is_empty() {
                    continue;
                }
                let (exit, why) = match (lacking, e) {
                    ("", Errno::ENOENT) => {
                        (Exit::NotPortable, S(text!("neither the kernel nor a loaded module has it")))
                    }
                    ("", e) => (e.exit(), E(e)),
                    (lacking, _) => (Exit::Missing, S(lacking)),
                };
                let form = text!("%: the programs need `%` of the kernel: %");
                return Err(fail(kernel, exit, form, &[S(s.object.name), S(name), why]));
            }
        }
    }
    Ok(())
}

/// The instruction among those of all functions.
#[cold]
fn place(s: &Sections<'_>, fixup: &Fixup) -> corelet_core::Result<u32> {
    Ok(s.function(fixup.function)?.start.saturating_add(fixup.insn))
}

#[cold]
fn set(
    insns: &mut [u8],
    at: u32,
    kind: Kind,
    found: AttachTo,
    array: &mut FdArray,
) -> corelet_core::Result<()> {
    let first = insn::read(insns, at, Endian::HOST)?;
    let imm = found.id as i32;
    if kind == Kind::Func {
        let mut off = 0;
        if let Some(fd) = found.of {
            off = array.len() as i16;
            let what = corelet_core::Limit::Modules;
            array.push(fd.0).map_err(|_| Error::TooMany { what, limit: MAX_FUNCTIONS as u32 })?;
        }
        return insn::write(insns, at, Insn { src: PSEUDO_KFUNC_CALL, off, imm, ..first }, Endian::HOST);
    }
    insn::write(insns, at, Insn { src: PSEUDO_BTF_ID, imm, ..first }, Endian::HOST)?;
    let next = at.saturating_add(1);
    let second = insn::read(insns, next, Endian::HOST)?;
    let imm = found.of.map_or(0, |fd| fd.0);
    insn::write(insns, next, Insn { imm, ..second }, Endian::HOST)
}

#[cold]
fn copy(insns: &mut [u8], from: u32, at: u32, kind: Kind) -> corelet_core::Result<()> {
    let halves = if kind == Kind::Func { 1 } else { 2 };
    for half in 0..halves {
        let known = insn::read(insns, from.saturating_add(half), Endian::HOST)?;
        let at = at.saturating_add(half);
        let own = insn::read(insns, at, Endian::HOST)?;
        let whole = Insn { dst: own.dst, code: own.code, ..known };
        insn::write(insns, at, whole, Endian::HOST)?;
    }
    Ok(())
}
