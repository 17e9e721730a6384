//! Which helpers a program calls, and which of these calls nothing stands before.
//!
//! A call behind a condition may be one that the verifier sees never happen, as where a constant or a relocation decides: then
//! the kernel does not look at it, and need not have the helper.

use corelet_core::Endian;
use corelet_core::insn::{CALL, Insn, class, read};
use corelet_core::object::{Function, Reference, Referent};
use std::collections::{BTreeMap, BTreeSet};

/// `BPF_JMP | BPF_JA`, and the same in the class of 32-bit jumps, whose distance is the immediate.
const JUMP: u8 = 0x05;
const JUMP_LONG: u8 = 0x06;
/// `BPF_JMP | BPF_EXIT`.
const EXIT: u8 = 0x95;

/// The numbers of the helpers that the functions of `program` (the entry first) call; true for those that are called whenever
/// the program runs. Time: one walk over the instructions and, for each, over the references.
pub(super) fn helpers(
    functions: &[Function<'_>],
    references: &[Reference],
    endian: Endian,
    program: &[u32],
) -> BTreeMap<u32, bool> {
    let mut helpers = BTreeMap::new();
    let of = |index: u32| functions.iter().find(|f| f.index == index);
    for f in program.iter().filter_map(|&index| of(index)) {
        for insn in 0..f.insn_count() {
            let Ok(i) = read(f.insns, insn, endian) else { break };
            if is_helper(i) {
                helpers.insert(i.imm as u32, false);
            }
        }
    }
    let mut entered = BTreeSet::new();
    let mut open: Vec<u32> = program.first().copied().into_iter().collect();
    while let Some(index) = open.pop() {
        let Some(f) = of(index).filter(|_| entered.insert(index)) else { continue };
        let mut at = 0;
        // no instruction is met twice before a condition, unless in a loop without end
        for _ in 0..f.insn_count() {
            let Ok(i) = read(f.insns, at, endian) else { break };
            let mut next = i64::from(at) + 1;
            match i.code {
                CALL if is_helper(i) => _ = helpers.insert(i.imm as u32, true),
                CALL => {
                    let callee = references.iter().find(|r| r.function == index && r.insn == at);
                    if let Some(Reference { to: Referent::Call { function }, .. }) = callee {
                        open.push(*function);
                    }
                }
                JUMP => next += i64::from(i.off),
                JUMP_LONG => next += i64::from(i.imm),
                EXIT => break,
                _ if matches!(i.class(), class::JMP | class::JMP32) => break,
                _ if i.is_ld_imm64() => next += 1,
                _ => {}
            }
            let Ok(next) = u32::try_from(next) else { break };
            at = next;
        }
    }
    helpers
}

/// Whether an instruction calls a helper by its number.
fn is_helper(i: Insn) -> bool {
    i.code == CALL && i.src == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITTLE: Endian = Endian::Little;

    fn code(insns: &[(u8, u8, i16, i32)]) -> Vec<u8> {
        let encode =
            |&(code, src, off, imm): &(u8, u8, i16, i32)| Insn { code, dst: 0, src, off, imm }.encode(LITTLE);
        insns.iter().flat_map(encode).collect()
    }

    fn function(index: u32, insns: &[u8]) -> Function<'_> {
        let entry = index == 0;
        Function {
            index,
            name: "f",
            section: 1,
            section_name: "s",
            start: 0,
            insns,
            global: true,
            entry,
            autoload: true,
        }
    }

    #[test]
    fn calls_before_the_first_condition_are_certain() {
        let main = code(&[
            (CALL, 0, 0, 14),
            (0x18, 0, 0, CALL.into()), // ld_imm64, whose second half is no instruction
            (0, 0, 0, 0),
            (JUMP, 0, 1, 0),
            (CALL, 0, 0, 15), // jumped over
            (CALL, 1, 0, -1), // of function 1
            (0x15, 0, 1, 0),  // if r0 == 0
            (CALL, 1, 0, -1), // of function 2
            (CALL, 0, 0, 16),
            (EXIT, 0, 0, 0),
        ]);
        let first = code(&[
            (JUMP_LONG, 0, 0, 0),
            (CALL, 0, 0, 80),
            (0x16, 0, 0, 0),
            (CALL, 0, 0, 14),
            (EXIT, 0, 0, 0),
        ]);
        let second = code(&[(CALL, 0, 0, 58), (JUMP, 0, -2, 0)]);
        let functions = [function(0, &main), function(1, &first), function(2, &second)];
        let call = |insn, function| Reference { function: 0, insn, to: Referent::Call { function } };
        let references = [call(5, 1), call(7, 2)];
        let found = helpers(&functions, &references, LITTLE, &[0, 1, 2]);
        let wanted = [(14, true), (15, false), (16, false), (58, false), (80, true)];
        assert_eq!(found, wanted.into_iter().collect());
        // a loop without end ends
        assert_eq!(helpers(&functions, &references, LITTLE, &[2]), [(58, true)].into_iter().collect());
    }
}
