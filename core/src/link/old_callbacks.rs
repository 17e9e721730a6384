//! Addresses of functions on kernels before 5.13, which do not take them: not even in a branch that is never reached.
//!
//! Every helper that takes a callback came with 5.13 or later, so on such a kernel only a dead branch can hold the address of one. A
//! call of the function in its place leaves the verifier with as many functions as `func_info` names, and with nothing that it does not
//! know; were the branch taken, it would refuse the helper.
//! Source: `resolve_pseudo_ldimm64` and `check_subprogs`, Linux 5.10 `kernel/bpf/verifier.c`; `BPF_PSEUDO_FUNC`, commit 69c087ba6225.

use crate::bytes::Endian;
use crate::insn::{CALL, INSN_SIZE, Insn, PSEUDO_CALL, PSEUDO_FUNC};

/// The first version that takes them, major and minor.
pub const SINCE: (u32, u32) = (5, 13);

/// `BPF_ALU64 | BPF_MOV | BPF_K`
const MOV: u8 = 0xb7;

/// Puts a call, and an instruction that does nothing of use, in the place of each address of a function in `insns`, a linked program;
/// returns how many. Time: one walk.
pub fn replace(insns: &mut [u8], endian: Endian) -> usize {
    let (mut replaced, mut is_second) = (0usize, false);
    for place in insns.as_chunks_mut::<INSN_SIZE>().0 {
        let insn = Insn::decode(*place, endian);
        if is_second {
            *place = Insn { code: MOV, ..Insn::ZERO }.encode(endian);
            is_second = false;
        } else if insn.is_ld_imm64() && insn.src == PSEUDO_FUNC {
            // both count from the instruction behind
            *place = Insn { code: CALL, src: PSEUDO_CALL, imm: insn.imm, ..Insn::ZERO }.encode(endian);
            is_second = true;
            replaced = replaced.saturating_add(1);
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::{LD_IMM64, PSEUDO_MAP_FD};
    use std::vec::Vec;

    #[test]
    fn addresses_of_functions_become_calls_and_nothing_else_changes() {
        let load = Insn { code: LD_IMM64, dst: 2, ..Insn::ZERO };
        let call = Insn { code: CALL, src: PSEUDO_CALL, imm: 7, ..Insn::ZERO };
        let none = Insn { code: MOV, ..Insn::ZERO };
        let map = Insn { src: PSEUDO_MAP_FD, imm: 3, ..load };
        for endian in [Endian::Little, Endian::Big] {
            let bytes = |insns: &[Insn]| insns.iter().flat_map(|i| i.encode(endian)).collect::<Vec<u8>>();
            let function = Insn { src: PSEUDO_FUNC, imm: 7, ..load };
            let mut insns = bytes(&[map, Insn::ZERO, function, Insn::ZERO, call]);
            assert_eq!(replace(&mut insns, endian), 1);
            assert_eq!(insns, bytes(&[map, Insn::ZERO, call, none, call]));
        }
    }
}
