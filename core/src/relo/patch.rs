//! Putting a value into an instruction, or poison in its place.
//! Source: `bpf_core_patch_insn`, libbpf `src/relo_core.c`.

use super::calc::Calc;
use crate::bytes::Endian;
use crate::error::{Error, Result};
use crate::insn::{self, Insn, class};

/// What became of the instruction.
pub(super) enum Patched {
    /// It holds the new value.
    Value {
        /// What it held.
        old: u64,
    },
    /// It is poisoned, since its load or store would take the wrong number of bytes.
    BadMemSize,
    /// It is poisoned, since there is no value.
    NoValue,
}

/// Patches instruction `at` of `insns`. On an error nothing has changed.
///
/// # Errors
/// [`Error::UnexpectedValue`] where the instruction does not hold what the local types give, [`Error::BadInsn`] where it
/// cannot carry a value, [`Error::OffsetTooBig`], [`Error::BadMemSize`], [`Error::NoSuchInsn`].
pub(super) fn patch(insns: &mut [u8], at: u32, endian: Endian, c: &Calc) -> Result<Patched> {
    let first = insn::read(insns, at, endian)?;
    if c.poison {
        poison(insns, at, first, endian)?;
        return Ok(Patched::NoValue);
    }
    let expect = |found: u64| {
        if c.validate && found != c.old {
            Err(Error::UnexpectedValue { found: found as u32, expected: c.old as u32 })
        } else {
            Ok(Patched::Value { old: found })
        }
    };
    let bad = Error::BadInsn { code: first.code };
    match first.class() {
        class::ALU | class::ALU64 => {
            // BPF_X: the operand is a register
            if first.code & 8 != 0 {
                return Err(bad);
            }
            let outcome = expect(first.imm as i64 as u64)?;
            insn::write(insns, at, Insn { imm: c.new as i32, ..first }, endian)?;
            Ok(outcome)
        }
        class::LDX | class::ST | class::STX => {
            let outcome = expect(first.off as i64 as u64)?;
            let off = i16::try_from(c.new).map_err(|_| Error::OffsetTooBig { value: c.new as u32 })?;
            if c.bad_mem_size {
                poison(insns, at, first, endian)?;
                return Ok(Patched::BadMemSize);
            }
            let mut new = Insn { off, ..first };
            if c.new_size != c.old_size {
                if first.mem_size() != c.old_size {
                    return Err(Error::BadMemSize { size: first.mem_size() });
                }
                new = new.with_mem_size(c.new_size).ok_or(Error::BadMemSize { size: c.new_size })?;
            }
            insn::write(insns, at, new, endian)?;
            Ok(outcome)
        }
        class::LD => {
            let next = at.saturating_add(1);
            let second = insn::read(insns, next, endian)?;
            let plain = first.is_ld_imm64() && first.src == 0 && first.off == 0;
            if !plain || (second.code, second.dst, second.src, second.off) != (0, 0, 0, 0) {
                return Err(bad);
            }
            let outcome = expect(u64::from(second.imm as u32) << 32 | u64::from(first.imm as u32))?;
            insn::write(insns, at, Insn { imm: c.new as i32, ..first }, endian)?;
            insn::write(insns, next, Insn { imm: (c.new >> 32) as i32, ..second }, endian)?;
            Ok(outcome)
        }
        _ => Err(bad),
    }
}

/// Replaces an instruction, and the second half of a 64-bit load too, by calls that the verifier refuses if it reaches them.
fn poison(insns: &mut [u8], at: u32, first: Insn, endian: Endian) -> Result<()> {
    if first.is_ld_imm64() {
        insn::write(insns, at.saturating_add(1), Insn::POISON, endian)?;
    }
    insn::write(insns, at, Insn::POISON, endian)
}
