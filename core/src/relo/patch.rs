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

/// Patches instruction `at` of `insns`, or puts poison in its place: calls that the verifier refuses if it reaches them. On an
/// error nothing has changed.
///
/// # Errors
/// [`Error::UnexpectedValue`] where the instruction does not hold what the local types give, [`Error::BadInsn`] where it
/// cannot carry a value, [`Error::OffsetTooBig`], [`Error::BadMemSize`], [`Error::NoSuchInsn`].
pub(super) fn patch(insns: &mut [u8], at: u32, endian: Endian, c: &Calc) -> Result<Patched> {
    let first = insn::read(insns, at, endian)?;
    let next = at.saturating_add(1);
    // of a 64-bit immediate load, both halves are replaced
    let wide = first.is_ld_imm64();
    let second = if wide { insn::read(insns, next, endian)? } else { first };
    let (mut new, mut new_second) = (Insn::POISON, Insn::POISON);
    let mut outcome = Patched::NoValue;
    if !c.poison {
        let plain = first.src == 0 && first.off == 0 && Insn { imm: 0, ..second } == Insn::ZERO;
        let immediate = i64::from(first.imm) as u64;
        let (found, is_mem) = match first.class() {
            // with BPF_X the operand is a register
            class::ALU | class::ALU64 if first.code & insn::BPF_X == 0 => (immediate, false),
            class::LDX | class::ST | class::STX => (i64::from(first.off) as u64, true),
            class::LD if wide && plain => {
                (u64::from(second.imm as u32) << 32 | u64::from(first.imm as u32), false)
            }
            _ => return Err(Error::BadInsn { code: first.code }),
        };
        if c.validate && found != c.old {
            return Err(Error::UnexpectedValue { found: found as u32, expected: c.old as u32 });
        }
        outcome = Patched::Value { old: found };
        (new, new_second) = (first, Insn { imm: (c.new >> 32) as i32, ..second });
        if is_mem {
            new.off = i16::try_from(c.new).map_err(|_| Error::OffsetTooBig { value: c.new as u32 })?;
            if c.bad_mem_size {
                (new, outcome) = (Insn::POISON, Patched::BadMemSize);
            } else if c.new_size != c.old_size {
                if first.mem_size() != c.old_size {
                    return Err(Error::BadMemSize { size: first.mem_size() });
                }
                new = new.with_mem_size(c.new_size).ok_or(Error::BadMemSize { size: c.new_size })?;
            }
        } else {
            new.imm = c.new as i32;
        }
    }
    if wide {
        insn::write(insns, next, new_second, endian)?;
    }
    insn::write(insns, at, new, endian)?;
    Ok(outcome)
}
