//! Helpers that kernels before 5.5 do not have, by those that they have in their place.
//!
//! There `bpf_probe_read` reads what `bpf_probe_read_kernel` and `bpf_probe_read_user` read, with the same arguments, on every
//! architecture where an address says which of the two it is of, as on all that have a loader.
//! Source: `bpf_object__sanitize_prog`, libbpf `src/libbpf.c`; numbers, `include/uapi/linux/bpf.h`.

use crate::bytes::Endian;
use crate::insn::{CALL, INSN_SIZE, Insn};

/// The first version that has them all, major and minor.
pub const SINCE: (u32, u32) = (5, 5);

/// What is called for a helper of `enum bpf_func_id` on a kernel before [`SINCE`]; `None` for those that it has, or of which
/// nothing takes the place.
pub fn replacement(helper: i32) -> Option<i32> {
    match helper {
        // probe_read_user, probe_read_kernel: probe_read
        112 | 113 => Some(4),
        // probe_read_user_str, probe_read_kernel_str: probe_read_str
        114 | 115 => Some(45),
        _ => None,
    }
}

/// Puts replacements in the place of all calls in `insns`; returns how many. Time: one walk.
pub fn replace(insns: &mut [u8], endian: Endian) -> usize {
    let mut replaced = 0usize;
    for place in insns.as_chunks_mut::<INSN_SIZE>().0 {
        let insn = Insn::decode(*place, endian);
        if insn.code == CALL
            && insn.src == 0
            && insn.dst == 0
            && let Some(imm) = replacement(insn.imm)
        {
            *place = Insn { imm, ..insn }.encode(endian);
            replaced = replaced.saturating_add(1);
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn calls_of_helpers_are_replaced_and_nothing_else() {
        let call = Insn { code: CALL, dst: 0, src: 0, off: 0, imm: 0 };
        let as_is = [
            Insn { imm: 111, ..call },
            Insn { imm: 116, ..call },
            // a subprogram, a function of the kernel, a constant
            Insn { src: 1, imm: 113, ..call },
            Insn { src: 2, imm: 113, ..call },
            Insn { code: 0xb7, imm: 113, ..call },
        ];
        for endian in [Endian::Little, Endian::Big] {
            let bytes = |insns: &[Insn]| insns.iter().flat_map(|i| i.encode(endian)).collect::<Vec<u8>>();
            let mut same = bytes(&as_is);
            assert_eq!((replace(&mut same, endian), same), (0, bytes(&as_is)));
            let calls = |numbers: [i32; 4]| bytes(&numbers.map(|imm| Insn { imm, ..call }));
            let mut new = calls([112, 113, 114, 115]);
            new.push(0);
            let old = [calls([4, 4, 45, 45]), Vec::from([0])].concat();
            assert_eq!((replace(&mut new, endian), new), (4, old));
        }
    }
}
