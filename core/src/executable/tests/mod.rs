//! The programs of `tests/uprobe`, files made up here of both classes and byte orders, and files that lie.

mod build;
mod hostile;

use super::notes::{Notes, Place};
use super::{ET_DYN, Executable, File, Lookup, Symbol, Tables};
use crate::bytes::Endian;
use crate::error::{Error, Result};
use crate::limits::MAX_USDT_NOTE;
use build::{Built, Sym};
use std::borrow::ToOwned;
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

macro_rules! probed {
    ($arch:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/uprobe/probed-", $arch))
    };
}
pub(super) const PROBED: [&[u8]; 4] =
    [probed!("x86_64"), probed!("aarch64"), probed!("riscv64"), probed!("armv7a")];

/// A file in memory that gives at most `most` bytes at once.
pub(super) struct Mem<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) most: usize,
    pub(super) reads: u32,
}

impl File for Mem<'_> {
    fn read_at(&mut self, at: u32, into: &mut [u8]) -> Result<usize> {
        self.reads += 1;
        let rest = self.bytes.get(at as usize..).unwrap_or(&[]);
        let n = rest.len().min(into.len()).min(self.most);
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

/// Does `work` with the file, read whole and in bytes one by one.
pub(super) fn with<T: PartialEq + core::fmt::Debug>(
    bytes: &[u8],
    work: impl Fn(&mut Executable<'_, Mem<'_>>) -> Result<T>,
) -> Result<T> {
    let [whole, single] = [usize::MAX, 1].map(|most| {
        let mut file = Mem { bytes, most, reads: 0 };
        Executable::new(&mut file).and_then(|mut e| work(&mut e))
    });
    assert_eq!(whole, single);
    whole
}

fn find(bytes: &[u8], name: &str) -> Result<Lookup> {
    with(bytes, |e| e.find(name))
}

fn found(bytes: &[u8], name: &str) -> u64 {
    let found = find(bytes, name);
    let Ok(Lookup::Found(Symbol { offset, thumb: false })) = found else { unreachable!("{name}: {found:?}") };
    offset
}

fn matching(bytes: &[u8], pattern: &str) -> Result<(Vec<u64>, Tables)> {
    with(bytes, |e| {
        let mut all = Vec::new();
        let tables = e.matching(pattern, &mut |s| {
            all.push(s.offset);
            Ok(())
        })?;
        Ok((all, tables))
    })
}

/// Offsets as `readelf` tells them: of `probed_add`, `many_first`, `many_second`.
#[test]
fn functions_of_real_programs() {
    let all = [[0x1b0, 0x1f0, 0x200], [0x1a0, 0x1d4, 0x1dc], [0x1c6, 0x1e6, 0x1ea], [0x174, 0x1b4, 0x1bc]];
    for (file, [add, first, second]) in PROBED.into_iter().zip(all) {
        assert_eq!([found(file, "probed_add"), found(file, "many_alias")], [add, first]);
        let (places, tables) = matching(file, "many_*").unwrap();
        assert_eq!(places, [first, second, first]);
        assert_eq!(tables, Tables { functions: 8, dynsym: false, symtab: true });
        for name in
            ["probed", "probed_ad", "robed_add", "", "corelet_tick_semaphore", "_start", "probed_add@x"]
        {
            assert_eq!(find(file, name), Ok(Lookup::Absent(tables)), "{name}");
        }
    }
}

#[test]
fn probes_of_real_programs() {
    let args = [
        ["-4@$-9 -4@%rax -4@(%rsi)", "-4@$77 4@%rax -4@(%rsi)"],
        ["-4@-9 -4@x8 -4@[x1]", "-4@77 4@x8 -4@[x1]"],
        ["-4@-9 -4@a0 -4@0(a1)", "-4@77 4@a0 -4@0(a1)"],
        ["-4@#-9 -4@r0 -4@[r1]", "-4@#77 4@r0 -4@[r1]"],
    ];
    let places = [(0x193, 0x1a3, 0x322), (0x18c, 0x198, 0x310), (0x1be, 0x1c2, 0x2fe), (0x164, 0x16c, 0x2f0)];
    for (i, file) in PROBED.into_iter().enumerate() {
        let all = with(file, |e| {
            let mut all = Vec::new();
            let mut notes = Notes::of(e)?.unwrap();
            let mut text = [0; MAX_USDT_NOTE];
            while let Some(probe) = notes.next(e, &mut text)? {
                assert_eq!((probe.provider, probe.name), ("corelet", "tick"));
                all.push((probe.args.to_owned(), probe.place(e)?));
            }
            Ok(all)
        });
        let (first, second, semaphore) = places[i];
        let expected = [(args[i][0], first), (args[i][1], second)]
            .map(|(args, offset)| (args.to_owned(), Some(Place { offset, semaphore })));
        assert_eq!(all.unwrap(), expected);
    }
}

/// Both classes and byte orders.
fn every(work: impl Fn(Built)) {
    for wide in [false, true] {
        for endian in [Endian::Little, Endian::Big] {
            work(Built { wide, endian, ..Built::default() });
        }
    }
}

#[test]
fn dynamic_symbols_come_first_and_versions_count() {
    every(|built| {
        let built = Built {
            dynsym: vec![
                Sym { version: 2, ..Sym::function("copy", 0x40) },
                Sym { version: 0x8003, ..Sym::function("copy", 0x80) },
                Sym { version: 3, ..Sym::function("only", 0x90) },
                Sym { section: 0, ..Sym::function("used", 0) },
            ],
            symtab: vec![Sym::function("only", 0x10), Sym::function("copy@@V_2", 0x20)],
            versions: vec![(2, "V_1"), (3, "V_2")],
            ..built
        };
        let file = built.file();
        assert_eq!(found(&file, "only"), built.text() + 0x90);
        assert_eq!(found(&file, "copy@V_1"), built.text() + 0x40);
        assert_eq!(found(&file, "copy@@V_2"), built.text() + 0x80);
        assert_eq!(found(&file, "copy@V_2"), built.text() + 0x80);
        assert_eq!(find(&file, "copy"), Ok(Lookup::Ambiguous));
        let tables = Tables { functions: 5, dynsym: true, symtab: true };
        for absent in ["used", "copy@V_3", "only@V_1"] {
            assert_eq!(find(&file, absent), Ok(Lookup::Absent(tables)), "{absent}");
        }
        assert_eq!(matching(&file, "o*y").unwrap().0, [built.text() + 0x10]);
        let stripped = Built { symtab: vec![], ..built };
        let (places, tables) = matching(&stripped.file(), "o*y").unwrap();
        assert_eq!((places, tables.symtab), (vec![stripped.text() + 0x90], false));
    });
}

#[test]
fn weak_functions_yield_and_indirect_ones_have_no_place() {
    every(|built| {
        let weak = |name, value| Sym { info: 0x22, ..Sym::function(name, value) };
        let built = Built {
            symtab: vec![
                weak("f", 0x40),
                Sym::function("f", 0x80),
                weak("f", 0x20),
                weak("g", 0x44),
                weak("g", 0x48),
                Sym::function("h", 0x50),
                Sym { info: 0x12, ..Sym::function("h", 0x50) },
                Sym { info: 0x1a, ..Sym::function("chosen", 0x60) },
            ],
            ..built
        };
        let file = built.file();
        assert_eq!(found(&file, "f"), built.text() + 0x80);
        assert_eq!(found(&file, "g"), built.text() + 0x44);
        assert_eq!(found(&file, "h"), built.text() + 0x50);
        assert_eq!(find(&file, "chosen"), Ok(Lookup::Indirect));
    });
}

#[test]
fn thumb_is_told() {
    let built =
        Built { wide: false, machine: 40, symtab: vec![Sym::function("f", 0x41)], ..Built::default() };
    let symbol = Symbol { offset: built.text() + 0x40, thumb: true };
    assert_eq!(find(&built.file(), "f"), Ok(Lookup::Found(symbol)));
}

/// Names that end like the one that is looked for, more than are remembered, and names longer than a window.
#[test]
fn a_name_among_many_that_end_alike() {
    let names: Vec<String> = (0..500).map(|i| format!("{i}_f")).collect();
    let mut symtab: Vec<Sym<'_>> = names.iter().map(|n| Sym::function(n, 0x40)).collect();
    let long = "x".repeat(3000);
    symtab.push(Sym::function(&long, 0x60));
    symtab.push(Sym::function("f", 0x50));
    let built = Built { symtab, ..Built::default() };
    let file = built.file();
    assert_eq!(found(&file, "f"), built.text() + 0x50);
    assert_eq!(found(&file, "499_f"), built.text() + 0x40);
    assert!(matches!(find(&file, &long), Ok(Lookup::Absent(_))));
    // one pass over the names, one over the table, and no read for each of 500 symbols
    let mut mem = Mem { bytes: &file, most: usize::MAX, reads: 0 };
    Executable::new(&mut mem).unwrap().find("499_f").unwrap();
    assert!(mem.reads < 40, "{}", mem.reads);
}

#[test]
fn what_prelinking_moved_is_moved() {
    every(|built| {
        let built = Built { notes: vec![("p", "n", "", 0x40, 0x1000, 0)], base: Some(0x1800), ..built };
        let file = built.file();
        let place = with(&file, |e| {
            assert_eq!(e.head().kind, ET_DYN);
            let mut text = [0; MAX_USDT_NOTE];
            let probe = Notes::of(e)?.unwrap().next(e, &mut text)?.unwrap();
            Ok((probe.address, probe.place(e)?.is_some()))
        });
        assert_eq!(place, Ok((0x840, true)));
    });
}

#[test]
fn other_files_are_told_by_what_they_are() {
    assert!(matches!(with(b"#!/bin/sh\n", |_| Ok(())), Err(Error::BadMagic { .. })));
    assert!(matches!(with(b"", |_| Ok(())), Err(Error::BadMagic { .. })));
    let mut file = Built::default().file();
    file[16] = 1;
    assert_eq!(with(&file, |_| Ok(())), Err(Error::ElfType { found: 1 }));
}
