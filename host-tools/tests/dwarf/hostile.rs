//! Any bytes: an error or a result, no panic, in bounded time.

use super::{convert, file};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::dwarf::Converted;
use std::path::Path;

/// Converts `bytes`; what comes out is BTF.
fn attempt(folder: &Path, bytes: &[u8]) {
    let path = folder.join("input");
    std::fs::write(&path, bytes).unwrap();
    if let Ok(converted) = convert(&path) {
        OwnedBtf::from_bytes(converted.btf).unwrap_or_else(|error| panic!("not BTF: {error}"));
    }
}

const INPUTS: [&str; 6] = ["two", "two-lto", "two-zstd", "types-mips-5.o", "split-packed.o", "two-stripped"];

#[test]
fn files_that_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    for name in INPUTS {
        let whole = std::fs::read(file(name)).unwrap();
        for len in (0..whole.len()).step_by(61) {
            attempt(folder.path(), &whole[..len]);
        }
    }
}

#[test]
fn files_with_bytes_changed() {
    let folder = tempfile::tempdir().unwrap();
    for name in INPUTS {
        let whole = std::fs::read(file(name)).unwrap();
        let mut state = 0x9e37_79b9u32;
        for _ in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..4 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = state as usize % bytes.len();
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, (state >> 8) as u8][(state >> 24) as usize % 6];
            }
            attempt(folder.path(), &bytes);
        }
    }
}

/// What is made of a unit of DWARF 4, whose abbreviations and DIEs are these.
fn unit(abbrev: &[u8], dies: &[u8]) -> anyhow::Result<Converted> {
    let mut info = (7 + dies.len() as u32).to_le_bytes().to_vec();
    info.extend([4, 0, 0, 0, 0, 0, 8]);
    info.extend(dies);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made");
    std::fs::write(&path, elf(&[(".debug_info", &info), (".debug_abbrev", abbrev)])).unwrap();
    convert(&path)
}

/// A 64-bit little-endian ELF file with these sections.
fn elf(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = vec![0];
    let mut bytes = vec![0; 64];
    let mut table = vec![[0u64; 8]];
    let mut put = |bytes: &mut Vec<u8>, name: &str, kind: u64, data: &[u8]| {
        // sh_name and sh_type, flags, address, offset, size, link and info, alignment, entry size
        table.push([(kind << 32) | names.len() as u64, 0, 0, bytes.len() as u64, data.len() as u64, 0, 1, 0]);
        names.extend(name.bytes());
        names.push(0);
        bytes.extend(data);
        names.clone()
    };
    for (name, data) in sections {
        put(&mut bytes, name, 1, data);
    }
    let names = [put(&mut Vec::new(), ".shstrtab", 3, &[])].concat();
    let last = table.len() - 1;
    table[last][3] = bytes.len() as u64;
    table[last][4] = names.len() as u64;
    bytes.extend(&names);
    let at = bytes.len() as u64;
    for word in table.as_flattened() {
        bytes.extend(word.to_le_bytes());
    }
    bytes[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    // ET_EXEC, EM_X86_64, version 1
    bytes[16..24].copy_from_slice(&[2, 0, 62, 0, 1, 0, 0, 0]);
    bytes[40..48].copy_from_slice(&at.to_le_bytes());
    bytes[52] = 64;
    bytes[58] = 64;
    bytes[60] = table.len() as u8;
    bytes[62] = last as u8;
    bytes
}

/// 1 a unit of C, 2 a typedef, 3 a pointer, 4 what is passed by, with a sibling, 5 an array, 6 a dimension, 7 an int, 8 an unknown form, 9 a struct.
#[rustfmt::skip]
const ABBREV: &[u8] = &[
    1, 0x11, 1, 0x13, 0x0b, 0, 0, // compile_unit, children: language data1
    2, 0x16, 0, 0x03, 0x08, 0x49, 0x13, 0, 0, // typedef: name string, type ref4
    3, 0x0f, 0, 0x49, 0x13, 0, 0, // pointer: type ref4
    4, 0x08, 1, 0x01, 0x13, 0, 0, // imported_declaration, children: sibling ref4
    5, 0x01, 1, 0x49, 0x13, 0, 0, // array, children: type ref4
    6, 0x21, 0, 0x37, 0x07, 0, 0, // subrange: count data8
    7, 0x24, 0, 0x03, 0x08, 0x0b, 0x0b, 0x3e, 0x0b, 0, 0, // base_type: name, byte_size, encoding
    8, 0x34, 0, 0x03, 0x7f, 0, 0, // variable: name in a form that there is not
    9, 0x13, 1, 0x03, 0x08, 0x0b, 0x0b, 0, 0, // struct, children: name, byte_size
    0,
];

/// A unit of C with these DIEs; the first of them is at 13 of the unit.
fn dies(inner: &[u8]) -> anyhow::Result<Converted> {
    unit(ABBREV, &[&[1, 0x0c], inner, &[0]].concat())
}

fn refused(inner: &[u8], why: &str) {
    let error = format!("{:#}", dies(inner).unwrap_err());
    assert!(error.contains(why), "{why}: {error}");
}

#[test]
fn units_that_lie_are_left_out_with_the_reason() {
    refused(&[2, b'a', 0, 20, 0, 0, 0, 2, b'b', 0, 13, 0, 0, 0], "made of itself");
    refused(&[2, b'a', 0, 13, 0, 0, 0], "made of itself");
    refused(&[2, b'a', 0, 14, 0, 0, 0], "where no type is");
    refused(&[2, b'a', 0, 0xff, 0xff, 0xff, 0x7f], "where no type is");
    refused(&[77], "abbreviation 77");
    refused(&[0xff; 30], "abbreviation");
    refused(&[8, 0], "form 0x7f");
    // a sibling before itself would go round for ever
    refused(&[4, 13, 0, 0, 0], "where no type is");
    refused(&[2, b'a'], "ends in the middle");
    // nested deeper than any program: DIEs, and what is referred to
    refused(&[9, b's', 0, 8].repeat(5000), "nested deeper");
    let chain: Vec<u8> =
        (0..5000u32).flat_map(|n| [&[3][..], &(13 + 5 * (n + 1)).to_le_bytes()].concat()).collect();
    refused(&[&chain[..], &[2, b'a', 0, 13, 0, 0, 0]].concat(), "nested deeper");
}

#[test]
fn numbers_that_no_type_has_stay_within_what_btf_can_say() {
    let int = [7, b'i', b'n', b't', 0, 4, 5];
    let huge =
        [&int[..], &[5, 13, 0, 0, 0, 6], &[0xff; 8], &[6, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0]].concat();
    let array = 13 + int.len() as u8;
    let converted = dies(&[&huge[..], &[2, b'a', 0, array, 0, 0, 0]].concat()).unwrap();
    assert_eq!(converted.skipped, []);
    let btf = OwnedBtf::from_bytes(converted.btf).unwrap();
    assert_eq!(btf.view().own_types().count(), 4);
    // an int of 255 bytes is none that BTF knows
    let wide = dies(&[7, b'w', 0, 255, 5, 2, b'a', 0, 13, 0, 0, 0]).unwrap();
    let btf = OwnedBtf::from_bytes(wide.btf).unwrap();
    let only = btf.view().own_types().map(|t| btf.view().name(&t).to_owned()).collect::<Vec<_>>();
    assert_eq!(only, ["a"]);
}

#[test]
fn a_section_that_says_it_grows_without_bound_is_refused() {
    // Elf64_Chdr: zlib, so many bytes
    let mut packed = vec![1, 0, 0, 0, 0, 0, 0, 0];
    packed.extend((1u64 << 33).to_le_bytes());
    packed.extend(1u64.to_le_bytes());
    packed.extend([0x78, 0x9c, 3, 0, 0, 0, 0, 1]);
    let mut bytes = elf(&[(".debug_info", &packed), (".debug_abbrev", ABBREV)]);
    // SHF_COMPRESSED of the first section behind the null one
    let table = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    bytes[table + 64 + 8 + 1] = 8;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb");
    std::fs::write(&path, bytes).unwrap();
    let error = format!("{:#}", convert(&path).unwrap_err());
    assert!(error.contains("when unpacked"), "{error}");
}
