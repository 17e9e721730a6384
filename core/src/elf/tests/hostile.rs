//! Hostile files by hand: places and sizes that wrap, tables of wrong shapes, sections that overlap, names without end.

use super::*;
use crate::limits::MAX_ELF_NAME_LEN;

/// Fields of a section header, by their offset.
const NAME: usize = 0;
const OFFSET: usize = 24;
const SIZE: usize = 32;
const LINK: usize = 40;
const ENTSIZE: usize = 56;

/// Sections of the sample.
const CODE: usize = 1;
const BSS: usize = 2;
const REL: usize = 3;
const SYMTAB: usize = 4;
const STRTAB: usize = 5;
const SECTIONS: usize = 6;

/// Numbers that wrap, in 32 bits or in 64, when a length or a start is added.
const WRAPPING: [u64; 6] = [u64::MAX, u64::MAX - 63, u64::MAX - 15, 1 << 63, u32::MAX as u64, 1 << 32];

/// The sample with `bytes` over what stands at `field` of the header of `section`.
fn with(section: usize, field: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = sample(Endian::Little);
    let at = file.len() - (SECTIONS - section) * SECTION_LEN + field;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn section_header(field: usize, section: usize) -> u32 {
    (section * SECTION_LEN + field) as u32
}

fn bad_value(section: usize, field: usize, found: u32) -> Error {
    Error::BadValue { part: Part::Sections, at: section_header(field, section), found }
}

#[test]
fn places_and_sizes_that_wrap_or_pass_the_file_are_refused() {
    let len = sample(Endian::Little).len() as u64;
    for section in [CODE, REL, SYMTAB, STRTAB] {
        for value in WRAPPING.into_iter().chain([len, len + 1]) {
            for field in [OFFSET, SIZE] {
                let e = Elf::parse(&with(section, field, &value.to_le_bytes())).unwrap_err();
                let cut = matches!(e, Error::Truncated { part: Part::SectionData, .. });
                assert!(cut, "section {section}, field {field} = {value:#x}: {e:?}");
            }
        }
    }
    // an empty section can stand at the very end, and what takes no room in the file anywhere
    let mut file = with(REL, OFFSET, &len.to_le_bytes());
    let size = file.len() - (SECTIONS - REL) * SECTION_LEN + SIZE;
    file[size..size + 8].fill(0);
    assert!(Elf::parse(&file).unwrap().rels_of(1).unwrap().is_empty());
    for value in WRAPPING {
        let file = with(BSS, SIZE, &value.to_le_bytes());
        let bss = Elf::parse(&file).unwrap().section(BSS as u16).unwrap();
        assert_eq!((bss.size, bss.data.len()), (value, 0));
    }
}

#[test]
fn a_section_table_that_wraps_or_passes_the_file_is_refused() {
    let file = sample(Endian::Little);
    let len = file.len() as u64;
    for shoff in WRAPPING.into_iter().chain([len, len - SECTION_LEN as u64 + 1]) {
        let mut file = file.clone();
        file[40..48].copy_from_slice(&shoff.to_le_bytes());
        let e = Elf::parse(&file).unwrap_err();
        assert_eq!(e, Error::Truncated { part: Part::Sections, at: shoff.min(u32::MAX.into()) as u32 });
    }
    let half = |at: usize, value: u16| {
        let mut file = file.clone();
        file[at..at + 2].copy_from_slice(&value.to_le_bytes());
        Elf::parse(&file).unwrap_err()
    };
    for count in [0, SHN_LORESERVE, u16::MAX] {
        assert_eq!(half(60, count), Error::BadValue { part: Part::ElfHeader, at: 60, found: count.into() });
    }
    assert!(matches!(half(60, SHN_LORESERVE - 1), Error::Truncated { part: Part::Sections, .. }));
    for size in [0, 1, 63, 65, u16::MAX] {
        assert_eq!(half(58, size), Error::BadValue { part: Part::ElfHeader, at: 58, found: size.into() });
    }
    for names in [SECTIONS as u16, u16::MAX] {
        assert_eq!(half(62, names), Error::NoSuchIndex { part: Part::Sections, index: names.into() });
    }
}

#[test]
fn sections_that_overlap_are_read_each_by_itself() {
    // the code over the file's own header, and over the symbol table
    let file = with(CODE, OFFSET, &0u64.to_le_bytes());
    assert_eq!(Elf::parse(&file).unwrap().section(CODE as u16).unwrap().data, &file[..16]);
    let whole = sample(Endian::Little);
    let symbols = Elf::parse(&whole).unwrap().section(SYMTAB as u16).unwrap();
    let at = whole.windows(symbols.data.len()).position(|w| w == symbols.data).unwrap() as u64;
    let file = with(CODE, OFFSET, &at.to_le_bytes());
    let elf = Elf::parse(&file).unwrap();
    assert_eq!(elf.section(CODE as u16).unwrap().data, &symbols.data[..16]);
    assert_eq!(elf.symbol(1).unwrap().name, "prog");
}

#[test]
fn tables_of_wrong_shapes_are_refused() {
    for each in [0, 1, 16, 23, 25, u64::MAX] {
        let e = Elf::parse(&with(SYMTAB, ENTSIZE, &each.to_le_bytes())).unwrap_err();
        assert_eq!(e, bad_value(SYMTAB, ENTSIZE, each.min(u32::MAX.into()) as u32));
        let file = with(REL, ENTSIZE, &each.to_le_bytes());
        let rels = Elf::parse(&file).unwrap().rels_of(CODE as u16).map(|rels| rels.len());
        let refused = bad_value(REL, ENTSIZE, each.min(u32::MAX.into()) as u32);
        assert_eq!(rels, if each == 16 { Ok(1) } else { Err(refused) });
    }
    assert_eq!(Elf::parse(&with(SYMTAB, SIZE, &[47])).unwrap_err(), bad_value(SYMTAB, SIZE, 47));
    let file = with(REL, SIZE, &[15]);
    assert_eq!(Elf::parse(&file).unwrap().rels_of(1).unwrap_err(), bad_value(REL, SIZE, 15));
    for link in [SECTIONS as u32, u16::MAX.into()] {
        let e = Elf::parse(&with(SYMTAB, LINK, &link.to_le_bytes())).unwrap_err();
        assert_eq!(e, Error::NoSuchIndex { part: Part::Sections, index: link });
    }
    // a section's number does not wrap in 16 bits
    let beyond = (1 << 16) + STRTAB as u32;
    let e = Elf::parse(&with(SYMTAB, LINK, &beyond.to_le_bytes())).unwrap_err();
    assert_eq!(e, bad_value(SYMTAB, LINK, beyond));
    let two = with(CODE, 4, &SHT_SYMTAB.to_le_bytes());
    assert_eq!(Elf::parse(&two).unwrap_err(), bad_value(SYMTAB, 4, SHT_SYMTAB));
    let mut b = Builder::new(Endian::Little);
    let code = b.section("xdp", SHT_PROGBITS, SHF_EXECINSTR, vec![0; 16]);
    b.rels(code, &[(0, 0, R_BPF_64_32)]);
    b.rels(code, &[(8, 0, R_BPF_64_32)]);
    let file = b.build();
    assert_eq!(Elf::parse(&file).unwrap().rels_of(code).unwrap_err(), bad_value(3, 44, code.into()));
}

#[test]
fn names_lie_in_tables_that_end() {
    let whole = sample(Endian::Little);
    let names = Elf::parse(&whole).unwrap().section(STRTAB as u16).unwrap().data.len() as u64;
    let bad = |at: u32| Error::BadString { part: Part::ElfStrings, at };
    let cut = names - 1;
    assert_eq!(Elf::parse(&with(STRTAB, SIZE, &cut.to_le_bytes())).unwrap_err(), bad(cut as u32));
    for off in [names as u32, u32::MAX] {
        assert_eq!(Elf::parse(&with(CODE, NAME, &off.to_le_bytes())).unwrap_err(), bad(off));
    }
    // an empty table has the empty name and no other
    assert_eq!(Elf::parse(&with(STRTAB, SIZE, &0u64.to_le_bytes())).unwrap_err(), bad(1 + 4 + 1));
}

#[test]
fn names_that_share_one_long_string_are_refused() {
    let long = |len: usize| {
        let mut b = Builder::new(Endian::Little);
        b.section("xdp", SHT_PROGBITS, SHF_EXECINSTR, vec![0; 16]);
        let name = std::string::String::from_utf8(vec![b'x'; len]).unwrap();
        b.symbol(Sym(std::boxed::Box::leak(name.into_boxed_str()), 1, 0, 16, STT_FUNC, STB_GLOBAL));
        b.build()
    };
    assert_eq!(Elf::parse(&long(MAX_ELF_NAME_LEN)).unwrap().symbol(1).unwrap().name.len(), MAX_ELF_NAME_LEN);
    let bad = Error::BadString { part: Part::ElfStrings, at: 1 };
    assert_eq!(Elf::parse(&long(MAX_ELF_NAME_LEN + 1)).unwrap_err(), bad);
}
