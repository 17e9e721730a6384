//! Hostile parts by hand: calls in circles, lists that repeat or name what is not there, places that wrap.

use super::*;
use crate::insn::{CALL, LD_IMM64};
use crate::pack::{Attach, check, section};
use std::vec;
use std::vec::Vec;

const NO_INSN: Insn = Insn { code: 0, dst: 0, src: 0, off: 0, imm: 0 };
const EXIT: Insn = Insn { code: 0x95, ..NO_INSN };
const CALLS: Insn = Insn { code: CALL, src: 1, imm: -1, ..NO_INSN };
const LOAD: Insn = Insn { code: LD_IMM64, ..NO_INSN };

fn records<T: serde::Serialize>(id: u16, records: &[T]) -> Vec<u8> {
    let bytes: Vec<u8> = records.iter().flat_map(|r| postcard::to_allocvec(r).unwrap()).collect();
    check(id, &bytes).unwrap();
    bytes
}

/// Links the program of function 0 and of `subprograms` into 8 instructions and a list of 4 functions.
fn link(
    insns: &[Insn],
    functions: &[(u32, u32)],
    fixups: &[Fixup],
    subprograms: &[u16],
) -> Result<Vec<Insn>> {
    let functions: Vec<_> =
        functions.iter().map(|&(start, count)| Function { name: "f", start, count }).collect();
    let (functions, fixups) = (records(section::FUNCTIONS, &functions), records(section::FIXUPS, fixups));
    let insns: Vec<u8> = insns.iter().flat_map(|i| i.encode(Endian::Little)).collect();
    let parts = Parts {
        functions: Checked::new(&functions, section::FUNCTIONS),
        insns: &insns,
        fixups: Checked::new(&fixups, section::FIXUPS),
        endian: Endian::Little,
    };
    let subprograms: Vec<u8> = subprograms.iter().flat_map(|n| n.to_le_bytes()).collect();
    let program = Program {
        name: "p",
        section: "xdp",
        function: 0,
        subprograms: &subprograms,
        prog_type: 6,
        expected_attach_type: 0,
        prog_flags: 0,
        attach: Attach::None,
    };
    let (mut placed, mut out) = ([Placed::default(); 4], vec![0; 8 * INSN_SIZE]);
    let (count, _) = parts.link(&program, &|n| Some(if n == 9 { -1 } else { 7 }), &mut placed, &mut out)?;
    (0..count as u32).map(|at| insn::read(&out, at, Endian::Little)).collect()
}

fn calls(function: u16, insn: u32, callee: u16) -> Fixup {
    Fixup { function, insn, kind: FixupKind::Call { function: callee } }
}

#[test]
fn calls_in_circles_are_linked_once_each() {
    // 0 calls 1, which calls 2, which calls both and itself
    let insns = [CALLS, EXIT, CALLS, CALLS, CALLS, CALLS];
    let functions = [(0, 2), (2, 1), (3, 3)];
    let fixups = [calls(0, 0, 1), calls(1, 0, 2), calls(2, 0, 0), calls(2, 1, 1), calls(2, 2, 2)];
    let linked = link(&insns, &functions, &fixups, &[1, 2]).unwrap();
    let distances: Vec<_> = linked.iter().filter(|i| i.code == CALL).map(|i| i.imm).collect();
    assert_eq!(distances, [1, 0, -4, -3, -3]);
    // a circle that the list does not close
    let open = link(&insns, &functions, &fixups, &[1]);
    assert_eq!(open, Err(Error::NoSuchIndex { part: Part::Insns, index: 2 }));
}

#[test]
fn lists_that_repeat_or_name_what_is_not_there_end() {
    let functions = [(0, 1), (1, 1)];
    let link = |insns: &[Insn], subprograms: &[u16]| link(insns, &functions, &[], subprograms);
    // repeated functions are copied, as often as there is room
    assert_eq!(link(&[EXIT, EXIT], &[1, 0, 1]).map(|insns| insns.len()), Ok(4));
    let too_many = Error::TooMany { what: Limit::Subprograms, limit: 4 };
    assert_eq!(link(&[EXIT, EXIT], &[1; 4]), Err(too_many));
    assert_eq!(link(&[EXIT, EXIT], &[0; 1000]), Err(too_many));
    for index in [2, u16::MAX] {
        let missing = Error::BadRecord { id: section::FUNCTIONS, index: index.into() };
        assert_eq!(link(&[EXIT, EXIT], &[index]), Err(missing));
    }
}

#[test]
fn functions_and_fix_ups_that_wrap_or_pass_the_instructions_are_refused() {
    let insns = [EXIT, LOAD];
    for (start, count) in
        [(0, 3), (2, 1), (3, 0), (0, u32::MAX), (u32::MAX, 1), (u32::MAX, u32::MAX), (1 << 29, 1)]
    {
        let e = link(&insns, &[(start, count)], &[], &[]);
        assert_eq!(e, Err(Error::NoSuchInsn { insn: start.saturating_add(count) }), "{start} {count}");
    }
    let long = [EXIT; 9];
    let too_long = Error::TooMany { what: Limit::Program, limit: 8 * INSN_SIZE as u32 };
    assert_eq!(link(&long, &[(0, 9)], &[], &[]), Err(too_long));
    assert_eq!(link(&long, &[(0, 5), (0, 5)], &[], &[1]), Err(too_long));

    let map = |insn| Fixup { function: 0, insn, kind: FixupKind::Map { map: 0 } };
    let fixed = |insn| link(&insns, &[(0, 2)], &[map(insn)], &[]);
    for insn in [2, 1 << 29, u32::MAX] {
        assert_eq!(fixed(insn), Err(Error::NoSuchInsn { insn }));
    }
    assert_eq!(fixed(0), Err(Error::BadInsn { code: EXIT.code }));
    // A load without its second half, which the verifier refuses: the next instruction, if there is room for one, gets its
    // immediate and stays what it is otherwise.
    let halved = link(&insns, &[(0, 2), (0, 1)], &[map(1)], &[1]).unwrap();
    assert_eq!(halved[1..], [Insn { src: PSEUDO_MAP_FD, imm: 7, ..LOAD }, EXIT]);
    let full = [[EXIT; 7].as_slice(), &[LOAD]].concat();
    assert_eq!(link(&full, &[(0, 8)], &[map(7)], &[]), Err(Error::NoSuchInsn { insn: 8 }));
}

#[test]
fn a_map_that_was_not_created_leaves_calls_that_the_verifier_refuses() {
    let half = NO_INSN;
    let fixup = |insn, kind| Fixup { function: 0, insn, kind };
    let fixups = [
        fixup(0, FixupKind::Map { map: 9 }),
        fixup(2, FixupKind::KsymAddress { name_off: 1, weak: false }),
        fixup(4, FixupKind::Map { map: 8 }),
    ];
    let address = Insn { imm: 0x1234, ..LOAD };
    let insns = [LOAD, half, address, Insn { imm: 5, ..half }, LOAD, half, EXIT];
    let linked = link(&insns, &[(0, 7)], &fixups, &[]).unwrap();
    let refused = Insn { code: CALL, imm: 2_001_000_009, ..NO_INSN };
    assert_eq!(linked[..4], [refused, refused, address, Insn { imm: 5, ..half }]);
    assert_eq!(linked[4], Insn { src: PSEUDO_MAP_FD, imm: 7, ..LOAD });
}

#[test]
fn what_the_kernel_has_is_left_as_it_was_found() {
    let (kfunc, ksym) = (
        |weak| Fixup { function: 0, insn: 0, kind: FixupKind::Kfunc { name_off: 5, weak } },
        |weak| Fixup { function: 0, insn: 1, kind: FixupKind::Ksym { name_off: 6, weak } },
    );
    let found = [
        Insn { src: PSEUDO_KFUNC_CALL, imm: 77, off: 1, ..CALLS },
        Insn { src: PSEUDO_BTF_ID, imm: 88, ..LOAD },
        Insn { imm: 9, ..NO_INSN },
        EXIT,
    ];
    for weak in [false, true] {
        assert_eq!(link(&found, &[(0, 4)], &[kfunc(weak), ksym(weak)], &[]).unwrap(), found);
    }
    let not_found = [CALLS, LOAD, NO_INSN, EXIT];
    let linked = link(&not_found, &[(0, 4)], &[kfunc(true), ksym(true)], &[]).unwrap();
    assert_eq!((linked[0].src, linked[0].imm, linked[1]), (0, UNRESOLVED_KFUNC, LOAD));
    for (fixup, index) in [(kfunc(false), 5), (ksym(false), 6)] {
        let missing = Error::NoSuchIndex { part: Part::Insns, index };
        assert_eq!(link(&not_found, &[(0, 4)], &[fixup], &[]), Err(missing));
    }
}
