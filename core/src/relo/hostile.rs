//! Relocations on hostile types by hand: names in one string without end, nesting to each limit and past it, types that
//! contain themselves, walks that double at every level.

use super::*;
use crate::btf::testing::{Build, INT_SIGNED};
use crate::error::Limit;
use crate::limits::{MAX_COMPARISONS, MAX_TYPE_DEPTH};
use std::vec;
use std::vec::Vec;

const FOUND: Outcome = Outcome::Patched { old: 1, new: 1, mem_size: None, matched: true };
const MISSING: Outcome = Outcome::Patched { old: 1, new: 0, mem_size: None, matched: false };

const TOO_DEEP: Error = Error::TooMany { what: Limit::TypeDepth, limit: MAX_TYPE_DEPTH as u32 };
const TOO_LONG: Error = Error::TooMany { what: Limit::SpecLen, limit: SPEC_MAX_LEN as u32 };
const TOO_MUCH: Error = Error::TooMany { what: Limit::Comparisons, limit: MAX_COMPARISONS };

/// What a question of existence, on an instruction that holds 1, comes to.
fn relocate(local: &Build, target: &Build, relo: &CoreRelo) -> Result<Outcome> {
    let (local, target) = (local.finish(), target.finish());
    let mut indexes = [&local, &target].map(|blob| vec![0; Btf::count(blob).unwrap()]);
    let [of_local, of_target] = &mut indexes;
    let (local, target) = (Btf::parse(&local, of_local)?, Btf::parse(&target, of_target)?);
    let (mut lists, mut pool) = ([CandList::default()], [TypeId::VOID; 4]);
    let (cands, scratch) = (Cands::new(&mut lists, &mut pool), &mut Scratch::default());
    let mut relocator = Relocator { local: &local, target: &target, cands, scratch };
    let mov = crate::insn::Insn { code: 0xb7, dst: 1, src: 0, off: 0, imm: 1 };
    relocator.relocate(relo, &mut mov.encode(Endian::Little), Endian::Little, &mut ())
}

/// The same where both sides have the same types, of which `build` gives the root.
fn with_itself(kind: ReloKind, build: impl Fn(&mut Build) -> u32) -> Result<Outcome> {
    let mut types = Build::new(Endian::Little);
    let root = build(&mut types);
    let relo = types.relo(kind, root, "0");
    relocate(&types, &types, &relo)
}

#[test]
fn names_that_share_one_long_string_are_not_walked_to_its_end() {
    // Each of them read to its end, these would be 2^36 bytes for each question.
    let (count, len) = (1 << 16, 1 << 20);
    let mut target = Build::new(Endian::Little);
    target.strings.resize(1 + len, b'x');
    target.strings.push(0);
    let int = target.int("int", 4, INT_SIGNED);
    for _ in 0..count {
        target.raw(1, (Kind::Struct as u32) << 24, 0, &[]);
    }
    let members: Vec<u32> = (0..count).flat_map(|_| [1, int, 0]).collect();
    target.add("s", Kind::Struct, count as usize, 4, &members);
    let values: Vec<u32> = (0..count).flat_map(|value| [1, value]).collect();
    target.add("e", Kind::Enum, count as usize, 4, &values);

    let mut local = Build::new(Endian::Little);
    let int = local.int("int", 4, INT_SIGNED);
    let x = local.structure("x", 4, &[]);
    let s = local.structure("s", 4, &[("x", int, 0)]);
    let e = local.enumeration("e", &[("x", 0)]);
    for (kind, root, access) in [
        (ReloKind::TypeExists, x, "0"),
        (ReloKind::FieldExists, s, "0:0"),
        (ReloKind::EnumvalExists, e, "0"),
        (ReloKind::TypeMatches, s, "0"),
    ] {
        let relo = local.relo(kind, root, access);
        assert_eq!(relocate(&local, &target, &relo), Ok(MISSING), "{kind:?}");
    }
}

/// A prototype that takes one that takes one and so on, `depth` in all.
fn prototypes(depth: usize) -> impl Fn(&mut Build) -> u32 {
    move |b| {
        let innermost = b.proto(0, &[]);
        let outermost = (1..depth).fold(innermost, |inner, _| b.proto(0, &[inner]));
        b.to("t", Kind::Typedef, outermost)
    }
}

/// A struct in a struct and so on, `depth` in all, of which the outermost is the only one of its name.
fn structs(depth: usize) -> impl Fn(&mut Build) -> u32 {
    move |b| {
        let innermost = b.structure("inner", 4, &[]);
        let inner = (2..depth).fold(innermost, |inner, _| b.structure("inner", 4, &[("m", inner, 0)]));
        b.structure("s", 4, &[("m", inner, 0)])
    }
}

/// A pointer to a pointer and so on, `depth` types in all.
fn pointers(depth: usize) -> impl Fn(&mut Build) -> u32 {
    move |b| {
        let innermost = b.int("int", 4, INT_SIGNED);
        let outermost = (1..depth).fold(innermost, |inner, _| b.to("", Kind::Ptr, inner));
        b.to("t", Kind::Typedef, outermost)
    }
}

#[test]
fn types_are_compared_as_deep_as_the_limit_and_no_deeper() {
    for kind in [ReloKind::TypeExists, ReloKind::TypeMatches] {
        assert_eq!(with_itself(kind, prototypes(MAX_TYPE_DEPTH)), Ok(FOUND), "{kind:?}");
        assert_eq!(with_itself(kind, prototypes(MAX_TYPE_DEPTH + 1)), Err(TOO_DEEP), "{kind:?}");
        assert_eq!(with_itself(kind, pointers(MAX_TYPE_DEPTH)), Ok(FOUND), "{kind:?}");
        assert_eq!(with_itself(kind, pointers(MAX_TYPE_DEPTH + 1)), Err(TOO_DEEP), "{kind:?}");
    }
    assert_eq!(with_itself(ReloKind::TypeMatches, structs(MAX_TYPE_DEPTH)), Ok(FOUND));
    assert_eq!(with_itself(ReloKind::TypeMatches, structs(MAX_TYPE_DEPTH + 1)), Err(TOO_DEEP));
}

#[test]
fn types_that_contain_themselves_end() {
    let typedef = |info: u32, size_or_type: u32, rest: &'static [u32]| {
        move |b: &mut Build| {
            let round = b.raw(0, info, size_or_type, rest);
            assert_eq!(round, 1);
            b.to("t", Kind::Typedef, round)
        }
    };
    let taking = || typedef((Kind::FuncProto as u32) << 24 | 1, 0, &[0, 1]);
    let returning = || typedef((Kind::FuncProto as u32) << 24, 1, &[]);
    let pointing = || typedef((Kind::Ptr as u32) << 24, 1, &[]);
    let array = || typedef((Kind::Array as u32) << 24, 0, &[1, 1, 1]);
    for kind in [ReloKind::TypeExists, ReloKind::TypeMatches] {
        assert_eq!(with_itself(kind, taking()), Err(TOO_DEEP), "{kind:?}");
        assert_eq!(with_itself(kind, returning()), Err(TOO_MUCH), "{kind:?}");
        assert_eq!(with_itself(kind, pointing()), Err(TOO_DEEP), "{kind:?}");
        assert_eq!(with_itself(kind, array()), Err(TOO_DEEP), "{kind:?}");
    }
    let holding = |b: &mut Build| b.structure("s", 4, &[("m", 1, 0)]);
    assert_eq!(with_itself(ReloKind::TypeMatches, holding), Err(TOO_DEEP));
}

#[test]
fn comparisons_that_double_at_every_level_end() {
    let depth = MAX_TYPE_DEPTH;
    let prototypes = |b: &mut Build| {
        let innermost = b.proto(0, &[]);
        let outermost = (1..depth).fold(innermost, |inner, _| b.proto(0, &[inner, inner]));
        b.to("t", Kind::Typedef, outermost)
    };
    for kind in [ReloKind::TypeExists, ReloKind::TypeMatches] {
        assert_eq!(with_itself(kind, prototypes), Err(TOO_MUCH), "{kind:?}");
    }
    let structs = |b: &mut Build| {
        let innermost = b.structure("inner", 4, &[]);
        let inner = (2..depth)
            .fold(innermost, |inner, _| b.structure("inner", 4, &[("l", inner, 0), ("r", inner, 0)]));
        b.structure("s", 4, &[("m", inner, 0)])
    };
    assert_eq!(with_itself(ReloKind::TypeMatches, structs), Err(TOO_MUCH));
    // every enumerator is compared with every one
    let enums = |b: &mut Build| {
        let count = 1 << 11;
        let name = b.string("VALUE");
        let values: Vec<u32> = (0..count).flat_map(|value| [name, value]).collect();
        b.add("e", Kind::Enum, count as usize, 4, &values)
    };
    assert_eq!(with_itself(ReloKind::TypeMatches, enums), Err(TOO_MUCH));
}

/// Looks for the member `x` of a local struct in a target struct that `build` makes of its int.
fn field(build: impl Fn(&mut Build, u32) -> u32) -> Result<Outcome> {
    let mut local = Build::new(Endian::Little);
    let int = local.int("int", 4, INT_SIGNED);
    let root = local.structure("s", 4, &[("x", int, 0)]);
    let relo = local.relo(ReloKind::FieldExists, root, "0:0");
    let mut target = Build::new(Endian::Little);
    let int = target.int("int", 4, INT_SIGNED);
    build(&mut target, int);
    relocate(&local, &target, &relo)
}

#[test]
fn a_member_is_found_as_deep_as_a_spec_is_long_and_no_deeper() {
    let within = |depth: usize| {
        move |b: &mut Build, int| {
            let innermost = b.structure("", 4, &[("x", int, 0)]);
            let inner = (1..depth).fold(innermost, |inner, _| b.structure("", 4, &[("", inner, 0)]));
            b.structure("s", 4, &[("", inner, 0)])
        }
    };
    // the spec takes the root's element and the member's own number too
    assert_eq!(field(within(SPEC_MAX_LEN - 2)), Ok(FOUND));
    assert_eq!(field(within(SPEC_MAX_LEN - 1)), Err(TOO_LONG));
    assert_eq!(field(|b, _| b.structure("s", 4, &[("", 2, 0)])), Err(TOO_LONG), "it contains itself");
}

#[test]
fn a_search_that_doubles_at_every_level_ends() {
    let doubling = |depth: usize| {
        move |b: &mut Build, int| {
            let innermost = b.structure("", 4, &[("y", int, 0)]);
            let inner =
                (1..depth).fold(innermost, |inner, _| b.structure("", 4, &[("", inner, 0), ("", inner, 0)]));
            b.structure("s", 4, &[("", inner, 0)])
        }
    };
    assert_eq!(field(doubling(10)), Ok(MISSING));
    assert_eq!(field(doubling(40)), Err(TOO_MUCH));
}
