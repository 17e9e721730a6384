//! BPF instructions as text, in the verifier's syntax: what its log and `bpftool prog dump xlated` print, without the opcode
//! in parentheses, so that a listing can be laid beside a kernel's.
//!
//! [`text`] writes one instruction of any class; it takes any bytes, and writes `BUG_…` for what no kernel takes, as the
//! kernel does. [`Helpers`] knows the names of helpers. What an instruction refers to (a map, a subprogram) is told by the
//! caller, who knows the object.
//!
//! Source: `print_bpf_insn`, kernel `kernel/bpf/disasm.c` (6.18); opcodes, `Documentation/bpf/standardization/instruction-set.rst`.

mod alu;
mod helpers;
mod jump;
mod mem;
#[cfg(test)]
mod tests;

pub use helpers::Helpers;

use corelet_core::insn::{Insn, class};

/// What numbers in an instruction stand for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Helpers, for calls.
    pub helpers: &'a Helpers<'a>,
    /// What the instruction refers to, in the words to be printed: a map, a variable, a function. `None` prints the number.
    pub referent: Option<&'a str>,
}

/// One instruction; `second` is the one behind it, which the upper half of a 64-bit immediate stands in.
pub fn text(insn: Insn, second: Option<Insn>, names: &Names<'_>) -> String {
    match insn.class() {
        class::LD => mem::ld(insn, second, names),
        class::LDX => mem::ldx(insn),
        class::ST => mem::st(insn),
        class::STX => mem::stx(insn),
        class::ALU | class::ALU64 => alu::alu(insn),
        _ => jump::jump(insn, names),
    }
}

/// Where a jump goes, in instructions from its own place; `None` for what is no jump to a fixed place.
pub fn jump_distance(insn: Insn) -> Option<i64> {
    jump::distance(insn).map(|d| d + 1)
}

/// The operation's four bits.
fn op(insn: Insn) -> u8 {
    insn.code & 0xf0
}
