//! One case for each rule.

use super::{Fate, Files, fates_selected, same};
use crate::btf::testing::{Build, INT_SIGNED, numbered};
use crate::btf::{Btf, Kind};
use crate::bytes::Endian;
use crate::error::{Error, Limit};
use crate::kernel_btf::select;
use crate::limits::{KERNEL_BTF_WINDOW, MAX_CANDIDATE_MODULES};
use crate::relo::{Outcome, ReloKind};
use std::vec;
use std::vec::Vec;

/// The new value of a patched instruction; `None` where it was poisoned or nothing matched.
fn value(fate: &Fate) -> Option<u64> {
    match fate {
        Ok((Outcome::Patched { new, matched: true, .. }, _)) => Some(*new),
        _ => None,
    }
}

/// `struct task { int pid; char comm[16]; struct { long a; }; }` and its like, of either byte order.
#[test]
fn fields_through_anonymous_members_and_arrays_in_both_byte_orders() {
    for endian in [Endian::Little, Endian::Big] {
        let mut l = Build::new(endian);
        let int = l.int("int", 4, INT_SIGNED);
        let char = l.int("char", 1, 0);
        let comm = l.array(char, 16);
        let task = l.structure("task___mine", 24, &[("pid", int, 0), ("comm", comm, 32)]);
        let relos = [
            l.relo(ReloKind::FieldByteOffset, task, "0:0"),
            l.relo(ReloKind::FieldByteOffset, task, "0:1:3"),
            l.relo(ReloKind::FieldByteSize, task, "0:1"),
            l.relo(ReloKind::FieldExists, task, "0:0"),
            l.relo(ReloKind::TypeSize, task, "0"),
            l.relo(ReloKind::TypeIdTarget, task, "0"),
        ];
        let mut k = Build::new(endian);
        for i in 0..1000 {
            k.int(&numbered("other", i), 4, 0);
        }
        let int = k.int("int", 4, INT_SIGNED);
        let char = k.int("char", 1, 0);
        let comm = k.array(char, 32);
        let inner = k.structure("", 4, &[("x", int, 0), ("pid", int, 32)]);
        let middle = k.composite(Kind::Union, "", 8, &[("", inner, 0), ("y", int, 0)]);
        k.structure("task", 96, &[("pad", char, 0), ("", middle, 64), ("comm", comm, 256), ("z", int, 512)]);
        let found = same(&l.finish(), &k.finish(), &relos);
        let values: Vec<_> = found.iter().map(value).collect();
        assert_eq!(values, [Some(12), Some(35), Some(32), Some(1), Some(96), Some(1006)], "{endian:?}");
    }
}

#[test]
fn a_name_may_be_the_end_of_another_string_and_have_a_flavor() {
    let mut l = Build::new(Endian::Little);
    let int = l.int("int", 4, 0);
    let task = l.structure("task", 8, &[("pid", int, 0)]);
    let modes = l.enumeration("modes", &[("ON", 1)]);
    let relos = [
        l.relo(ReloKind::FieldByteOffset, task, "0:0"),
        l.relo(ReloKind::EnumvalValue, modes, "0"),
        l.relo(ReloKind::TypeExists, modes, "0"),
    ];
    let mut k = Build::new(Endian::Little);
    let int = k.int("int", 4, 0);
    // "multitask___old" and the like: only their ends are names
    let multi = k.string("multitask___old") + 5;
    let pid = k.string("tpid") + 1;
    k.raw(multi, (Kind::Struct as u32) << 24 | 1, 8, &[pid, int, 32]);
    let modes = k.string("submodes") + 3;
    let on = k.string("MODE_ON___v2") + 5;
    k.raw(modes, (Kind::Enum as u32) << 24 | 1, 4, &[on, 7]);
    let found = same(&l.finish(), &k.finish(), &relos);
    assert_eq!(found.iter().map(value).collect::<Vec<_>>(), [Some(4), Some(7), Some(1)]);
}

#[test]
fn an_array_without_elements_is_flexible_only_at_the_end() {
    for (after, expected) in [(false, Some(20)), (true, None)] {
        let mut l = Build::new(Endian::Little);
        let int = l.int("int", 4, 0);
        let list = l.array(int, 8);
        let s = l.structure("s", 40, &[("list", list, 0)]);
        let relos = [l.relo(ReloKind::FieldByteOffset, s, "0:0:3")];
        let mut k = Build::new(Endian::Little);
        let int = k.int("int", 4, 0);
        let list = k.array(int, 0);
        let mut members = vec![("n", int, 0), ("list", list, 64)];
        if after {
            members.push(("tail", int, 64));
        }
        k.structure("s", 12, &members);
        let found = same(&l.finish(), &k.finish(), &relos);
        assert_eq!(found.first().and_then(value), expected, "{after}");
    }
}

#[test]
fn what_matches_and_what_is_compatible_stays_so() {
    let mut l = Build::new(Endian::Little);
    let int = l.int("int", 4, INT_SIGNED);
    let node = l.structure("node", 8, &[("a", int, 0)]);
    let to = l.to("", Kind::Ptr, node);
    let colors = l.enumeration("colors", &[("RED", 0), ("BLUE", 1)]);
    let takes = l.proto(int, &[to, colors]);
    let call = l.to("", Kind::Ptr, takes);
    // two members of one essential name: there are more here than in the target
    let s = l.structure("s", 24, &[("n", to, 0), ("call", call, 64), ("n___x", to, 0)]);
    let few = l.structure("few", 8, &[("a", int, 0), ("a___x", int, 0)]);
    let callback = l.to("callback", Kind::Typedef, call);
    let relos: Vec<_> = [s, few, colors, callback]
        .into_iter()
        .flat_map(|t| [ReloKind::TypeMatches, ReloKind::TypeExists].map(|k| (k, t)))
        .map(|(k, t)| l.relo(k, t, "0"))
        .collect();
    for variant in 0..6 {
        let mut k = Build::new(Endian::Little);
        let int = k.int("int", if variant == 1 { 8 } else { 4 }, INT_SIGNED);
        let node = match variant {
            2 => k.add("node", Kind::Fwd, 0, 0, &[]),
            3 => k.structure("knot", 8, &[]),
            _ => k.structure("node", 8, &[("b", int, 0)]),
        };
        let to = k.to("", Kind::Ptr, node);
        let blue = if variant == 4 { "BLUE___y" } else { "BLUE" };
        let colors = k.enumeration("colors", &[("GREEN", 3), ("RED", 0), (blue, 9)]);
        let takes = k.proto(int, if variant == 5 { &[] } else { &[0, 0] });
        let takes = if variant == 5 { takes } else { k.proto(int, &[to, colors]) };
        let call = k.to("", Kind::Ptr, takes);
        k.structure("s", 32, &[("call", call, 0), ("p", int, 64), ("n", to, 128), ("q", int, 192)]);
        k.structure("few", 4, &[("a", int, 0)]);
        k.to("callback", Kind::Typedef, call);
        let found = same(&l.finish(), &k.finish(), &relos);
        let matches = found.iter().map(|f| value(f).is_some()).collect::<Vec<_>>();
        assert_eq!(matches.first(), Some(&matches!(variant, 0 | 2 | 4)), "variant {variant}: {matches:?}");
        assert_eq!(matches.get(2..4), Some(&[false, true][..]), "variant {variant}");
    }
}

#[test]
fn old_and_new_headers_and_kinds_of_later_kernels() {
    let mut l = Build::new(Endian::Little);
    let int = l.int("int", 4, 0);
    let s = l.structure("s", 8, &[("a", int, 0)]);
    let relos = [l.relo(ReloKind::FieldByteOffset, s, "0:0")];
    let mut k = Build::new(Endian::Little);
    // kind 21 of a later kernel: eight bytes once, four for each of its three rows
    k.raw(0, 21 << 24 | 3, 0, &[1, 2, 3, 4, 5]);
    let int = k.int("int", 4, 0);
    k.structure("s", 16, &[("b", int, 0), ("a", int, 64)]);
    let mut layout = vec![0; 22 * 4];
    layout[21 * 4..21 * 4 + 2].copy_from_slice(&[8, 4]);
    for header in [32, 40, 100] {
        let found = same(&l.finish(), &k.with_header(header, &layout), &relos);
        assert_eq!(found.first().and_then(value), Some(8));
    }
    // without a layout the kind cannot be passed
    let found = selected(&l, &k.finish(), &[], &relos);
    assert!(matches!(found, Err(Error::UnknownKind { kind: 21, .. })), "{found:?}");
    let found = selected(&l, &k.with_header(32, &layout[..21 * 4]), &[], &relos);
    assert!(matches!(found, Err(Error::UnknownKind { kind: 21, .. })), "{found:?}");
}

fn selected(
    l: &Build,
    kernel: &[u8],
    modules: &[Vec<u8>],
    relos: &[crate::relo::CoreRelo],
) -> crate::error::Result<Vec<Fate>> {
    let local = l.finish();
    let mut index = vec![0; Btf::count(&local).unwrap()];
    let local = Btf::parse(&local, &mut index).unwrap();
    fates_selected(&local, &mut Files::new(kernel, modules), relos, &mut vec![0; 64 << 10])
}

/// A kernel with `struct both`, and modules that have it and `struct own` too.
fn with_modules() -> (Build, Vec<crate::relo::CoreRelo>, Build, Vec<Vec<u8>>) {
    let mut l = Build::new(Endian::Little);
    let int = l.int("int", 4, 0);
    let both = l.structure("both", 8, &[("a", int, 0)]);
    let own = l.structure("own", 8, &[("a", int, 0)]);
    let none = l.structure("none", 8, &[("a", int, 0)]);
    let mut relos = vec![l.relo(ReloKind::TypeIdTarget, own, "0"), l.relo(ReloKind::TypeIdTarget, both, "0")];
    relos.extend([own, both, none].map(|t| l.relo(ReloKind::FieldByteOffset, t, "0:0")));
    let mut k = Build::new(Endian::Little);
    let int = k.int("int", 4, 0);
    k.structure("both", 16, &[("x", int, 0), ("a", int, 64)]);
    let plain = Build::over(&k);
    let mut m = Build::over(&k);
    let long = m.int("long", 8, 0);
    // "both" of the kernel's strings: not looked for, as the kernel has it; its own string "own"
    let name = k.string("both");
    let a = k.string("a");
    m.raw(name, (Kind::Struct as u32) << 24 | 1, 32, &[a, int, 128]);
    let inner = m.structure("", 16, &[("b", long, 0), ("a", int, 96)]);
    m.structure("own", 24, &[("", inner, 64)]);
    (l, relos, k, vec![plain.finish(), m.finish()])
}

#[test]
fn modules_have_candidates_only_where_the_kernel_has_none() {
    let (l, relos, k, modules) = with_modules();
    let found = selected(&l, &k.finish(), &modules, &relos).unwrap();
    let values: Vec<_> = found.iter().map(value).collect();
    // ids of a module go on from the kernel's two
    assert_eq!(values, [Some(6), Some(2), Some(20), Some(8), None]);
    // two modules that differ are ambiguous; that they are one another's twins is not
    let twins = [modules.clone(), modules.clone()].concat();
    let found = selected(&l, &k.finish(), &twins, &relos).unwrap();
    assert_eq!(found.iter().map(value).nth(2), Some(Some(20)));
    let mut other = Build::over(&k);
    other.structure("own", 8, &[("a", 1, 0)]);
    let differ = [modules.clone(), vec![other.finish()]].concat();
    let found = selected(&l, &k.finish(), &differ, &relos).unwrap();
    assert!(found[2].is_err(), "{found:?}");
    assert_eq!(value(&found[3]), Some(8));
}

#[test]
fn more_modules_than_the_limit_are_an_error_that_names_it() {
    let (l, relos, k, modules) = with_modules();
    let many = vec![modules[1].clone(); MAX_CANDIDATE_MODULES + 1];
    let limit = MAX_CANDIDATE_MODULES as u32;
    let found = selected(&l, &k.finish(), &many, &relos);
    assert_eq!(found, Err(Error::TooMany { what: Limit::Modules, limit }));
    assert!(selected(&l, &k.finish(), &many[1..], &relos).is_ok());
    // those without candidates do not count
    assert!(selected(&l, &k.finish(), &vec![modules[0].clone(); 100], &relos).is_ok());
}

#[test]
fn too_little_memory_is_an_error_that_says_how_much_there_was() {
    let (l, relos, k, modules) = with_modules();
    let text = l.finish();
    let mut index = vec![0; Btf::count(&text).unwrap()];
    let local = Btf::parse(&text, &mut index).unwrap();
    let kernel = k.finish();
    let whole = selected(&l, &kernel, &modules, &relos);
    let mut enough = None;
    for len in 0..8192 {
        let mut memory = vec![0; len];
        match fates_selected(&local, &mut Files::new(&kernel, &modules), &relos, &mut memory) {
            Err(e) => {
                assert_eq!(e, Error::TooMany { what: Limit::KernelBtfMemory, limit: len as u32 });
                assert_eq!(enough, None, "{len} bytes do not suffice, but fewer do");
            }
            found => {
                assert_eq!(found, whole, "{len} bytes");
                enough.get_or_insert(len);
            }
        }
    }
    let enough = enough.unwrap();
    let mut memory = vec![0xaa; 64 << 10];
    let relos = &mut relos.iter().map(|r| Ok(*r));
    let stats = select(&mut Files::new(&kernel, &modules), &local, relos, &mut memory).unwrap().stats;
    let peak = stats.peak as usize;
    // the table of a module's names is made in front before it goes to the back
    assert!(peak <= enough && enough <= peak + 64, "{} bytes suffice, {stats:?}", enough);
    assert_eq!(stats.modules, 2);
    let untouched = memory.iter().filter(|&&b| b == 0xaa).count();
    assert!(untouched >= memory.len() - peak - 64, "{untouched} of {} untouched", memory.len());
}

#[test]
fn a_name_longer_than_the_window_is_an_error_that_names_the_limit() {
    let mut l = Build::new(Endian::Little);
    let int = l.int("int", 4, 0);
    let s = l.structure("s", 8, &[("a", int, 0)]);
    let relos = [l.relo(ReloKind::FieldByteOffset, s, "0:0")];
    for (len, fits) in [(KERNEL_BTF_WINDOW - 1, true), (KERNEL_BTF_WINDOW, false)] {
        let mut k = Build::new(Endian::Little);
        let int = k.int(&"i".repeat(len), 4, 0);
        k.structure("s", 8, &[("a", int, 32)]);
        let found = selected(&l, &k.finish(), &[], &relos);
        let limit = KERNEL_BTF_WINDOW as u32;
        match found {
            Ok(found) => assert_eq!((found.first().and_then(value), fits), (Some(4), true)),
            Err(e) => assert_eq!((e, fits), (Error::TooMany { what: Limit::KernelName, limit }, false)),
        }
    }
}

#[test]
fn types_are_found_again_in_blobs_of_any_number() {
    for count in [0, 1, 63, 64, 65, 16_383, 16_384, 16_385, 40_000] {
        let mut l = Build::new(Endian::Little);
        let int = l.int("int", 4, 0);
        let s = l.structure("s", 8, &[("a", int, 0), ("b", int, 32)]);
        let relos = ["0:0", "0:1"].map(|a| l.relo(ReloKind::FieldByteSize, s, a));
        let mut k = Build::new(Endian::Little);
        let four = k.int("int", 4, 0);
        for _ in 0..count {
            k.to("", Kind::Const, four);
        }
        let eight = k.int("long", 8, 0);
        k.structure("s", 16, &[("b", eight - count / 2, 0), ("a", eight, 64)]);
        let found = same(&l.finish(), &k.finish(), &relos);
        let b = if count < 2 { 8 } else { 4 };
        assert_eq!(found.iter().map(value).collect::<Vec<_>>(), [Some(8), Some(b)], "{count}");
    }
}
