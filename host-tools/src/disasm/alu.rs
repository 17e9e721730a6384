//! Arithmetic of 32 and 64 bits.

use super::op;
use corelet_core::insn::{BPF_X, Insn, class};

const DIV: u8 = 0x30;
const NEG: u8 = 0x80;
const MOD: u8 = 0x90;
const MOV: u8 = 0xb0;
const END: u8 = 0xd0;

/// Offset of a move between address spaces: `BPF_ADDR_SPACE_CAST`.
const ADDR_SPACE_CAST: i16 = 1;
/// Offset of a move of a per-CPU address, which the verifier puts in: `BPF_ADDR_PERCPU`.
const ADDR_PERCPU: i16 = -1;

/// The sign that stands for an operation; `None` for those that are written otherwise or do not exist.
pub(super) fn sign(operation: u8) -> Option<&'static str> {
    Some(match operation {
        0x00 => "+=",
        0x10 => "-=",
        0x20 => "*=",
        DIV => "/=",
        0x40 => "|=",
        0x50 => "&=",
        0x60 => "<<=",
        0x70 => ">>=",
        MOD => "%=",
        0xa0 => "^=",
        MOV => "=",
        0xc0 => "s>>=",
        _ => return None,
    })
}

pub(super) fn alu(insn: Insn) -> String {
    let wide = insn.class() == class::ALU64;
    let w = if wide { 'r' } else { 'w' };
    let Insn { code, dst, src, off, imm } = insn;
    let operation = op(insn);
    match operation {
        END if wide => return format!("r{dst} = bswap{imm} r{dst}"),
        END => {
            let order = if code & BPF_X != 0 { "be" } else { "le" };
            return format!("r{dst} = {order}{imm} r{dst}");
        }
        NEG => return format!("{w}{dst} = -{w}{dst}"),
        _ => {}
    }
    let is_move = operation == MOV && code & BPF_X != 0;
    if is_move && wide && off == ADDR_SPACE_CAST {
        let imm = imm as u32;
        return format!("r{dst} = addr_space_cast(r{src}, {}, {})", imm >> 16, imm & 0xffff);
    }
    if is_move && wide && off == ADDR_PERCPU {
        return format!("r{dst} = &(void __percpu *)(r{src})");
    }
    let Some(sign) = sign(operation) else { return format!("BUG_alu_{code:02x}") };
    let signed = if matches!(operation, DIV | MOD) && off == 1 { "s" } else { "" };
    if code & BPF_X == 0 {
        return format!("{w}{dst} {signed}{sign} {imm}");
    }
    let extended = match (is_move, off) {
        (true, 8) => "(s8)",
        (true, 16) => "(s16)",
        (true, 32) => "(s32)",
        _ => "",
    };
    format!("{w}{dst} {signed}{sign} {extended}{w}{src}")
}
