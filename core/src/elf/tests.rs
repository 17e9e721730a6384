//! ELF files made by hand: what is read, and what is refused.

mod hostile;

use super::testing::{Builder, Sym};
use super::*;
use std::vec;
use std::vec::Vec;

fn sample(endian: Endian) -> Vec<u8> {
    let mut b = Builder::new(endian);
    let code = b.section("xdp", SHT_PROGBITS, SHF_EXECINSTR, vec![0; 16]);
    b.zeros(".bss", 4096);
    let f = b.symbol(Sym("prog", code, 0, 16, STT_FUNC, STB_GLOBAL));
    b.rels(code, &[(8, f, R_BPF_64_32)]);
    b.build()
}

#[test]
fn both_byte_orders_read_alike() {
    for endian in [Endian::Little, Endian::Big] {
        let file = sample(endian);
        let elf = Elf::parse(&file).unwrap();
        assert_eq!(elf.endian(), endian);
        let code = elf.find("xdp").unwrap();
        assert_eq!((code.index, code.data.len(), code.is_executable()), (1, 16, true));
        let bss = elf.find(".bss").unwrap();
        assert_eq!((bss.data.len(), bss.size), (0, 4096));
        let f = elf.symbol(1).unwrap();
        assert_eq!((f.name, f.section, f.size, f.kind, f.bind), ("prog", 1, 16, STT_FUNC, STB_GLOBAL));
        let rels: Vec<_> = elf.rels_of(1).unwrap().iter().collect();
        assert_eq!(rels, [Rel { offset: 8, symbol: 1, kind: R_BPF_64_32 }]);
        assert!(elf.rels_of(2).unwrap().is_empty());
    }
}

#[test]
fn other_files_are_named() {
    let file = sample(Endian::Little);
    let with = |at: usize, value: u8| {
        let mut f = file.clone();
        f[at] = value;
        Elf::parse(&f).unwrap_err()
    };
    assert_eq!(with(4, 1), Error::ElfClass { found: 1 });
    assert_eq!(with(16, 2), Error::ElfType { found: 2 });
    assert_eq!(with(18, 62), Error::ElfMachine { found: 62 });
    assert!(matches!(with(0, 0), Error::BadMagic { .. }));
    let e = Elf::parse(&file[..4]).unwrap_err();
    assert_eq!(e, Error::Truncated { part: Part::ElfHeader, at: 4 });
}

#[test]
fn a_stripped_object_is_named() {
    let mut file = sample(Endian::Little);
    // The symbol table is the section before the last one.
    let header = file.len() - 2 * SECTION_LEN;
    file[header + 4] = SHT_PROGBITS as u8;
    assert_eq!(Elf::parse(&file).unwrap_err(), Error::Stripped);
}
