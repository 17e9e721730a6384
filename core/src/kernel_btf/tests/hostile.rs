//! Bytes that no kernel writes: an error, or a result; never a panic, and an end in any case.

use super::{Files, fates_selected};
use crate::btf::testing::{Build, INT_SIGNED};
use crate::btf::{Btf, Kind};
use crate::bytes::Endian;
use crate::error::{Error, Limit, Part, Result};
use crate::kernel_btf::{Source, select};
use crate::relo::{CoreRelo, ReloKind};
use std::vec;
use std::vec::Vec;

/// A program's types that ask for all that there is.
fn local() -> (Vec<u8>, Vec<CoreRelo>) {
    let mut l = Build::new(Endian::Little);
    let int = l.int("int", 4, INT_SIGNED);
    let list = l.array(int, 4);
    let to = l.to("", Kind::Ptr, int);
    let s = l.structure("s", 32, &[("a", int, 0), ("list", list, 32), ("to", to, 192)]);
    let t = l.to("t", Kind::Typedef, s);
    let e = l.enumeration("e", &[("ONE", 1)]);
    let mut relos: Vec<_> = ["0:0", "0:1:2", "0:2"].map(|a| l.relo(ReloKind::FieldByteOffset, s, a)).into();
    for kind in [ReloKind::TypeExists, ReloKind::TypeSize, ReloKind::TypeMatches, ReloKind::TypeIdTarget] {
        relos.extend([s, t, e].map(|root| l.relo(kind, root, "0")));
    }
    relos.push(l.relo(ReloKind::EnumvalValue, e, "0"));
    (l.finish(), relos)
}

fn kernel() -> Build {
    let mut k = Build::new(Endian::Little);
    let int = k.int("int", 4, INT_SIGNED);
    let list = k.array(int, 4);
    let to = k.to("", Kind::Ptr, int);
    let inner = k.structure("", 8, &[("b", int, 0), ("a", int, 32)]);
    let s = k.structure("s", 32, &[("", inner, 0), ("list", list, 64), ("to", to, 192)]);
    k.to("t", Kind::Typedef, s);
    k.enumeration("e", &[("TWO", 2), ("ONE", 1)]);
    k
}

fn with(kernel: &[u8]) -> Result<()> {
    let (local, relos) = local();
    let mut index = vec![0; Btf::count(&local).unwrap()];
    let local = Btf::parse(&local, &mut index).unwrap();
    fates_selected(&local, &mut Files::new(kernel, &[]), &relos, &mut vec![0; 16 << 10]).map(drop)
}

#[test]
fn every_cut_is_an_error() {
    let whole = kernel().finish();
    assert_eq!(with(&whole), Ok(()));
    for len in 0..whole.len() {
        assert!(with(&whole[..len]).is_err(), "{len}");
    }
}

#[test]
fn every_changed_byte_ends() {
    let whole = kernel().finish();
    let mut errors = 0;
    for at in 0..whole.len() {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff, whole[at] ^ 0x10] {
            let mut changed = whole.clone();
            changed[at] = value;
            errors += u32::from(with(&changed).is_err());
        }
    }
    assert!(errors > 100, "{errors}");
}

#[test]
fn places_in_the_header_that_wrap_are_errors() {
    let whole = kernel().finish();
    for word in 1..6 {
        for value in [u32::MAX, u32::MAX - 3, 1 << 31] {
            let mut changed = whole.clone();
            changed[word * 4..word * 4 + 4].copy_from_slice(&value.to_le_bytes());
            assert!(with(&changed).is_err(), "word {word}: {value:#x}");
        }
    }
}

#[test]
fn strings_without_an_end_are_errors() {
    let mut k = kernel();
    k.strings.pop();
    let at = k.strings.iter().rposition(|&b| b == 0).unwrap() as u32 + 1;
    assert_eq!(with(&k.finish()), Err(Error::BadString { part: Part::BtfStrings, at }));
    // the end of the file instead
    let mut k = kernel().finish();
    let len = k.len() as u32;
    k[20..24].copy_from_slice(&len.to_le_bytes());
    assert!(with(&k).is_err());
}

#[test]
fn types_in_circles_end() {
    // a typedef of itself, an array of itself, a struct in itself by an anonymous member
    let mut k = Build::new(Endian::Little);
    k.to("t", Kind::Typedef, 1);
    assert!(matches!(with(&k.finish()), Err(Error::TooMany { what: Limit::ResolveDepth, .. })));
    let mut k = Build::new(Endian::Little);
    let array = k.array(1, 1);
    k.structure("s", 4, &[("a", array, 0), ("list", array, 0), ("to", array, 0)]);
    assert_eq!(with(&k.finish()), Ok(()));
    let mut k = Build::new(Endian::Little);
    k.structure("s", 4, &[("", 1, 0), ("b", 1, 0)]);
    assert_eq!(with(&k.finish()), Ok(()));
    let mut k = Build::new(Endian::Little);
    k.proto(1, &[1, 2]);
    k.to("", Kind::Ptr, 1);
    k.to("t", Kind::Typedef, 2);
    assert_eq!(with(&k.finish()), Ok(()));
}

#[test]
fn ids_and_names_that_are_not_there_are_errors() {
    let mut k = Build::new(Endian::Little);
    k.structure("s", 4, &[("a", 77, 0)]);
    assert!(matches!(with(&k.finish()), Err(Error::NoSuchType { .. })));
    // a name that no string is: not one that matters
    let mut k = Build::new(Endian::Little);
    let int = k.int("int", 4, 0);
    k.raw(9999, (Kind::Struct as u32) << 24 | 1, 4, &[8888, int, 0]);
    assert_eq!(with(&k.finish()), Ok(()));
}

#[test]
fn sixteen_million_members_end() {
    let mut k = Build::new(Endian::Little);
    let int = k.int("int", 4, 0);
    let name = k.string("s");
    k.raw(name, (Kind::Struct as u32) << 24 | 0x00ff_ffff, 4, &[0, int, 0]);
    assert!(matches!(with(&k.finish()), Err(Error::Truncated { part: Part::BtfTypes, .. })));
    // all there, made while it is read
    struct Members {
        head: Vec<u8>,
        len: u64,
    }
    impl Source for Members {
        fn read_at(&mut self, _: u8, at: u32, into: &mut [u8]) -> Result<usize> {
            for (slot, place) in into.iter_mut().zip(at..) {
                *slot = usize::try_from(place).ok().and_then(|p| self.head.get(p)).copied().unwrap_or(0);
            }
            Ok(into.len().min(self.len.saturating_sub(at.into()) as usize))
        }
        fn next_module(&mut self, _: u8) -> Result<bool> {
            Ok(false)
        }
    }
    let mut k = Build::new(Endian::Little);
    let name = k.string("s");
    k.raw(name, (Kind::Struct as u32) << 24 | 0x00ff_ffff, 4, &[]);
    let rows = 0x00ff_ffffu32 * 12;
    let mut head = k.with_header(24, &[]);
    // the strings in front of the types, whose members are zeros to the end
    let strings = k.strings.len() as u32;
    let words = [24, strings, 12 + rows, 0, strings];
    for (i, word) in (1..).zip(words) {
        head[i * 4..i * 4 + 4].copy_from_slice(&u32::to_le_bytes(word));
    }
    head.truncate(24);
    head.extend(&k.strings);
    head.extend(&k.types);
    let len = u64::from(24 + strings + 12) + u64::from(rows);
    let (local, relos) = local();
    let mut index = vec![0; Btf::count(&local).unwrap()];
    let local = Btf::parse(&local, &mut index).unwrap();
    let relos = &mut relos.iter().map(|r| Ok(*r));
    let found = select(&mut Members { head, len }, &local, relos, &mut vec![0; 64 << 10]);
    assert!(matches!(found.map(drop), Err(Error::TooMany { what: Limit::Comparisons, .. })));
}

#[test]
fn a_source_that_fails_or_gives_too_much_is_an_error_or_ends() {
    struct Failing(Vec<u8>, u32);
    impl Source for Failing {
        fn read_at(&mut self, _: u8, at: u32, into: &mut [u8]) -> Result<usize> {
            self.1 = self.1.checked_sub(1).ok_or(Error::Truncated { part: Part::BtfTypes, at: 7 })?;
            let rest = self.0.get(at as usize..).unwrap_or_default();
            let n = rest.len().min(into.len());
            into[..n].copy_from_slice(&rest[..n]);
            Ok(if self.1 == 3 { usize::MAX } else { n })
        }
        fn next_module(&mut self, _: u8) -> Result<bool> {
            Ok(false)
        }
    }
    let (local, relos) = local();
    let mut index = vec![0; Btf::count(&local).unwrap()];
    let local = Btf::parse(&local, &mut index).unwrap();
    let kernel = kernel().finish();
    let (mut failed, mut done) = (0, 0);
    for reads in 0..200 {
        let mut source = Failing(kernel.clone(), reads);
        let relos = &mut relos.iter().map(|r| Ok(*r));
        match select(&mut source, &local, relos, &mut vec![0; 16 << 10]) {
            Ok(_) => done += 1,
            Err(_) => failed += 1,
        }
    }
    assert!(failed > 5 && done > 5, "{failed} {done}");
}
