//! Jumps, calls and exit.

use super::{Names, op};
use corelet_core::insn::{BPF_X, CALL, Insn, PSEUDO_CALL, class};

/// `src_reg` of a call of a kernel function, by its BTF id.
const PSEUDO_KFUNC_CALL: u8 = 2;
/// `src_reg` of a conditional jump that is a bounded loop's: `BPF_MAY_GOTO`.
const MAY_GOTO: u8 = 0;

const JA: u8 = 0x05;
const JA32: u8 = 0x06;
/// A jump to an address in a register (7.0).
const JA_X: u8 = 0x0d;
const EXIT: u8 = 0x95;
const JCOND: u8 = 0xe5;

fn sign(operation: u8) -> Option<&'static str> {
    Some(match operation {
        0x10 => "==",
        0x20 => ">",
        0x30 => ">=",
        0x40 => "&",
        0x50 => "!=",
        0x60 => "s>",
        0x70 => "s>=",
        0xa0 => "<",
        0xb0 => "<=",
        0xc0 => "s<",
        0xd0 => "s<=",
        _ => return None,
    })
}

/// How far a jump goes from the instruction behind it.
pub(super) fn distance(insn: Insn) -> Option<i64> {
    match (insn.code, insn.class()) {
        (JA32, _) => Some(insn.imm.into()),
        (JA | JCOND, _) => Some(insn.off.into()),
        (_, class::JMP | class::JMP32) => sign(op(insn)).map(|_| insn.off.into()),
        _ => None,
    }
}

pub(super) fn jump(insn: Insn, names: &Names<'_>) -> String {
    let Insn { code, dst, src, off, imm } = insn;
    match code {
        CALL => return call(insn, names),
        JA => return format!("goto pc{off:+}"),
        JA32 => return format!("gotol pc{imm:+}"),
        JA_X => return format!("gotox r{dst}"),
        JCOND if src == MAY_GOTO => return format!("may_goto pc{off:+}"),
        EXIT => return "exit".to_owned(),
        _ => {}
    }
    let Some(sign) = sign(op(insn)) else { return format!("BUG_jmp_{code:02x}") };
    let w = if insn.class() == class::JMP32 { 'w' } else { 'r' };
    if code & BPF_X != 0 {
        format!("if {w}{dst} {sign} {w}{src} goto pc{off:+}")
    } else {
        format!("if {w}{dst} {sign} {imm:#x} goto pc{off:+}")
    }
}

fn call(insn: Insn, names: &Names<'_>) -> String {
    let imm = insn.imm;
    match (names.referent, insn.src) {
        (Some(name), _) => format!("call {name}"),
        (None, PSEUDO_CALL) => format!("call pc{imm:+}"),
        (None, PSEUDO_KFUNC_CALL) => format!("call kernel-function#{imm}"),
        (None, _) => match names.helpers.name(imm) {
            Some(name) => format!("call bpf_{name}#{imm}"),
            None => format!("call unknown#{imm}"),
        },
    }
}
