//! Putting a program together: its own function, then a copy of each subprogram it reaches, with every reference to a map,
//! a variable or a function filled in.
//!
//! A linked program is one run of instructions, as `BPF_PROG_LOAD` takes it. Functions are relocated (CO-RE) before, in
//! place; linking copies them. func_info and line_info move by the starts that linking reports.
//!
//! Which functions a program is linked of is the pack's list, so that calls in circles need no walk here. Time: for each entry
//! of the list a walk over the functions, and for each fix-up one over the list, which is as long as the caller's `placed`.
//! Source: `bpf_object__relocate_calls` and `bpf_object__relocate_data`, libbpf `src/libbpf.c`; instruction forms,
//! `Documentation/bpf/standardization/instruction-set.rst`.

pub mod old_callbacks;
pub mod old_helpers;

use crate::bytes::Endian;
use crate::error::{Error, Limit, Part, Result};
use crate::insn::{
    self, CALL, INSN_SIZE, Insn, PSEUDO_BTF_ID, PSEUDO_CALL, PSEUDO_FUNC, PSEUDO_KFUNC_CALL, PSEUDO_MAP_FD,
    PSEUDO_MAP_VALUE, UNCREATED_MAP, UNRESOLVED_KFUNC,
};
use crate::pack::{Checked, Fixup, FixupKind, Function, Program};

/// Where a function stands in a linked program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Number of the function.
    pub function: u16,
    /// Its first instruction.
    pub start: u32,
    /// Number of its instructions.
    pub count: u32,
}

/// The parts that programs of one object are linked of.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// All functions.
    pub functions: Checked<'a, Function<'a>>,
    /// Their instructions, relocated.
    pub insns: &'a [u8],
    /// All fix-ups, ordered by function.
    pub fixups: Checked<'a, Fixup>,
    /// Byte order of the instructions.
    pub endian: Endian,
}

impl<'a> Parts<'a> {
    /// The instructions of a function.
    pub fn insns_of(&self, f: &Function<'_>) -> Result<&'a [u8]> {
        let at = (f.start as usize).saturating_mul(INSN_SIZE);
        let len = (f.count as usize).saturating_mul(INSN_SIZE);
        self.insns
            .get(at..)
            .and_then(|i| i.get(..len))
            .ok_or(Error::NoSuchInsn { insn: f.start.saturating_add(f.count) })
    }

    /// Links `program` into `out` and says which function went where in `placed`.
    ///
    /// `map_fd` gives the descriptor of a map by its number, a negative one where it was not created: what loads it then becomes
    /// calls that the verifier refuses where they are reached ([`UNCREATED_MAP`]). Returns the number of instructions and of functions.
    ///
    /// # Errors
    /// [`Error::TooMany`] where `out` or `placed` is too small, [`Error::NoSuchIndex`] for a reference to what is not there
    /// (kernel symbols and functions that are not weak among them, where the instruction does not name them already).
    pub fn link(
        &self,
        program: &Program<'_>,
        map_fd: &dyn Fn(u16) -> Option<i32>,
        placed: &mut [Placed],
        out: &mut [u8],
    ) -> Result<(usize, usize)> {
        let (mut count, mut start) = (0usize, 0u32);
        let (too_long, too_many) = (
            Error::TooMany { what: Limit::Program, limit: out.len() as u32 },
            Error::TooMany { what: Limit::Subprograms, limit: placed.len() as u32 },
        );
        for function in program.functions() {
            let f = self.functions.clone().at(function)?;
            let from = self.insns_of(&f)?;
            let at = (start as usize).saturating_mul(INSN_SIZE);
            let to = out.get_mut(at..).and_then(|o| o.get_mut(..from.len())).ok_or(too_long)?;
            // equally long; `copy_from_slice` would bring its panic
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
            *placed.get_mut(count).ok_or(too_many)? = Placed { function, start, count: f.count };
            count = count.saturating_add(1);
            start = start.saturating_add(f.count);
        }
        let placed = placed.get(..count).unwrap_or(&[]);
        for fixup in self.fixups.clone() {
            if let Some(p) = placed.iter().find(|p| p.function == fixup.function) {
                self.fix_up(&fixup, p, placed, map_fd, out)?;
            }
        }
        Ok((start as usize, count))
    }

    fn fix_up(
        &self,
        fixup: &Fixup,
        place: &Placed,
        placed: &[Placed],
        map_fd: &dyn Fn(u16) -> Option<i32>,
        out: &mut [u8],
    ) -> Result<()> {
        if fixup.insn >= place.count {
            return Err(Error::NoSuchInsn { insn: fixup.insn });
        }
        let at = place.start.saturating_add(fixup.insn);
        let missing = |index: u32| Error::NoSuchIndex { part: Part::Insns, index };
        let fd = |map: u16| map_fd(map).ok_or(missing(map.into()));
        // a distance in instructions counts from the one behind
        let distance = |function: u16| {
            let callee = placed.iter().find(|p| p.function == function).ok_or(missing(function.into()))?;
            Ok(callee.start.wrapping_sub(at).wrapping_sub(1) as i32)
        };
        let first = insn::read(out, at, self.endian)?;
        let (src, imm, second) = match fixup.kind {
            // whoever links has found it and put it into the instruction
            FixupKind::Ksym { .. } if first.src == PSEUDO_BTF_ID => return Ok(()),
            FixupKind::Kfunc { .. } if first.src == PSEUDO_KFUNC_CALL => return Ok(()),
            FixupKind::Map { map } => (PSEUDO_MAP_FD, fd(map)?, Some(0)),
            FixupKind::MapValue { map, offset } => (PSEUDO_MAP_VALUE, fd(map)?, Some(offset as i32)),
            FixupKind::Call { function } => (PSEUDO_CALL, distance(function)?, None),
            FixupKind::FunctionAddress { function } => (PSEUDO_FUNC, distance(function)?, Some(0)),
            // not found, as a weak one may be: its address is 0, and the call that the program then guards is one that the
            // verifier refuses if it is reached after all
            FixupKind::Ksym { weak: true, .. } => (0, 0, Some(0)),
            FixupKind::Kfunc { weak: true, .. } => (0, UNRESOLVED_KFUNC, None),
            // the address is in the instruction already
            FixupKind::KsymAddress { .. } => return Ok(()),
            FixupKind::Ksym { name_off, .. } | FixupKind::Kfunc { name_off, .. } => {
                return Err(missing(name_off));
            }
        };
        if first.is_ld_imm64() != second.is_some() {
            // a poisoned instruction stays as it is: what it referred to does not matter any more
            return if first == Insn::POISON { Ok(()) } else { Err(Error::BadInsn { code: first.code }) };
        }
        let next = at.saturating_add(1);
        if let FixupKind::Map { map } = fixup.kind
            && imm < 0
        {
            let call = Insn { code: CALL, imm: UNCREATED_MAP.saturating_add(map.into()), ..Insn::ZERO };
            insn::write(out, at, call, self.endian)?;
            return insn::write(out, next, call, self.endian);
        }
        insn::write(out, at, Insn { src, imm, ..first }, self.endian)?;
        if let Some(imm) = second {
            let second = insn::read(out, next, self.endian)?;
            insn::write(out, next, Insn { imm, ..second }, self.endian)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
