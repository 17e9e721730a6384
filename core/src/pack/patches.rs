//! Section `PATCHES`: what relocation comes to on one kernel, for a loader that is built without the engine. The PC relocates, compares the
//! instructions with those of the object, and writes down each that differs ([`Patch::between`]); the device repeats that
//! ([`patch`]). Ids of types are the kernel's, so it holds for the target's build id only.
//!
//! Time: linear in the patches.

use super::read::Checked;
use super::records::Patch;
use crate::bytes::Endian;
use crate::error::{Error, Result};
use crate::insn::{self, Insn};

/// `off` is the value's low half.
const OFF: u32 = 0;
/// `imm` is the value.
const IMM: u32 = 1;
/// Opcode and `off` are the value's high and low half.
const CODE_AND_OFF: u32 = 2;
/// The instruction is poison.
const POISON: u32 = 3;

impl Patch {
    /// What makes `new` of `old`, `skip` instructions behind the one before; `None` for what no relocation does.
    pub fn between(skip: u32, old: Insn, new: Insn) -> Option<Patch> {
        let (how, value) = if new == Insn::POISON {
            (POISON, 0)
        } else if new == (Insn { imm: new.imm, ..old }) {
            (IMM, new.imm as u32)
        } else if new == (Insn { off: new.off, ..old }) {
            (OFF, u32::from(new.off as u16))
        } else if new == (Insn { off: new.off, code: new.code, ..old }) {
            (CODE_AND_OFF, u32::from(new.code) << 16 | u32::from(new.off as u16))
        } else {
            return None;
        };
        Some(Patch { place: skip.checked_mul(4)? | how, value })
    }

    fn of(&self, old: Insn) -> Insn {
        let off = self.value as i16;
        match self.place % 4 {
            OFF => Insn { off, ..old },
            IMM => Insn { imm: self.value as i32, ..old },
            CODE_AND_OFF => Insn { off, code: (self.value >> 16) as u8, ..old },
            _ => Insn::POISON,
        }
    }
}

/// Patches `insns`, all of the object's. Gives how many instructions changed, and how many of them are poison now.
///
/// # Errors
/// [`Error::NoSuchInsn`] for a patch behind the end.
pub fn patch(patches: Checked<'_, Patch>, insns: &mut [u8], endian: Endian) -> Result<(u32, u32)> {
    let (mut at, mut changed, mut poisoned) = (0u32, 0u32, 0u32);
    for patch in patches {
        at = at.checked_add(patch.place / 4).ok_or(Error::NoSuchInsn { insn: at })?;
        let new = patch.of(insn::read(insns, at, endian)?);
        insn::write(insns, at, new, endian)?;
        changed = changed.saturating_add(1);
        poisoned = poisoned.saturating_add(u32::from(patch.place % 4 == POISON));
    }
    Ok((changed, poisoned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const LOAD: Insn = Insn { code: 0x61, dst: 1, src: 2, off: 16, imm: 0 };

    fn bytes(insns: &[Insn], endian: Endian) -> Vec<u8> {
        insns.iter().flat_map(|i| i.encode(endian)).collect()
    }

    #[test]
    fn what_was_written_down_is_repeated_in_both_byte_orders() {
        let moved = [
            LOAD,
            Insn { off: -8, ..LOAD },
            Insn { code: 0x79, off: 24, ..LOAD },
            Insn { code: 0xb7, dst: 3, imm: -1, ..Insn::ZERO },
            Insn::POISON,
        ];
        let before = [LOAD, LOAD, LOAD, Insn { code: 0xb7, dst: 3, imm: 7, ..Insn::ZERO }, LOAD];
        let mut last = 0;
        let mut patches = Vec::new();
        for (at, (&old, &new)) in (0u32..).zip(before.iter().zip(&moved)) {
            if old != new {
                patches.push(Patch::between(at - last, old, new).unwrap());
                last = at;
            }
        }
        let wire: Vec<u8> = patches.iter().flat_map(|p| postcard::to_stdvec(p).unwrap()).collect();
        for endian in [Endian::Little, Endian::Big] {
            let mut insns = bytes(&before, endian);
            let records = Checked::new(&wire, super::super::section::PATCHES);
            assert_eq!(patch(records, &mut insns, endian), Ok((4, 1)));
            assert_eq!(insns, bytes(&moved, endian));
        }
    }

    #[test]
    fn no_relocation_changes_registers_and_a_patch_behind_the_end_is_refused() {
        assert_eq!(Patch::between(0, LOAD, Insn { dst: 4, ..LOAD }), None);
        let wire = postcard::to_stdvec(&Patch::between(1, LOAD, Insn::POISON).unwrap()).unwrap();
        let records = Checked::new(&wire, super::super::section::PATCHES);
        let mut insns = bytes(&[LOAD], Endian::HOST);
        assert_eq!(patch(records, &mut insns, Endian::HOST), Err(Error::NoSuchInsn { insn: 1 }));
        assert_eq!(insns, bytes(&[LOAD], Endian::HOST));
    }
}
