//! `embed`: loader and pack in one executable, and what cannot be one.
//!
//! The loaders are made here: two program headers of an ELF file and the name. `cargo verify --only loader` embeds in real ones.

use crate::common::{Folder, WHO};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const AARCH64: u16 = 183;
const ARM: u16 = 40;

/// An executable with a segment at 2 MiB and the header that waits for a pack; behind it lie `more` bytes.
fn loader(machine: u16, more: usize) -> Vec<u8> {
    let wide = machine != ARM;
    let mut file = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1];
    file.resize(16, 0);
    let word = |file: &mut Vec<u8>, value: u64| {
        file.extend(&value.to_le_bytes()[..if wide { 8 } else { 4 }]);
    };
    file.extend([2u16, machine].iter().flat_map(|h| h.to_le_bytes()));
    file.extend(1u32.to_le_bytes());
    let (header, size) = if wide { (64u64, 56u16) } else { (52, 32) };
    for value in [0x20_0000, header, 0] {
        word(&mut file, value);
    }
    file.extend(0u32.to_le_bytes());
    file.extend([header as u16, size, 2, 0, 0, 0].iter().flat_map(|h| h.to_le_bytes()));
    for (kind, flags, address, len) in [(1u32, 5u32, 0x20_0000u64, 0x1234u64), (0x6b63_6170, 4, 0, 0)] {
        file.extend(kind.to_le_bytes());
        if wide {
            file.extend(flags.to_le_bytes());
        }
        for value in [0, address, address, len, len] {
            word(&mut file, value);
        }
        if !wide {
            file.extend(flags.to_le_bytes());
        }
        word(&mut file, 4096);
    }
    file.extend(b"corelet-loader: ");
    file.resize(file.len() + more, b'.');
    file
}

/// The program header of number 1: its fields in the order of `Elf64_Phdr`.
fn header(file: &[u8]) -> [u64; 8] {
    let wide = file[4] == 2;
    let number =
        |at: usize, len: usize| file[at..at + len].iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
    let (at, places, word) = if wide {
        (64 + 56, [0, 4, 8, 16, 24, 32, 40, 48], 8)
    } else {
        (52 + 32, [0, 24, 4, 8, 12, 16, 20, 28], 4)
    };
    let mut place = 0;
    places.map(|offset| {
        place += 1;
        number(at + offset, if place <= 2 { 4 } else { word })
    })
}

/// A folder with a pack whose one target is AArch64.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.done(&format!("pack sample.bpf.o --target {WHO} -o a.pack"));
    folder
}

#[test]
fn the_pack_lies_in_a_segment_of_its_own_and_comes_out_as_it_went_in() {
    let folder = folder();
    let pack = folder.get("a.pack");
    for more in [0, 1, 7, 70_000] {
        folder.put("loader", &loader(AARCH64, more));
        folder.done("embed a.pack --loader loader -o tool");
        let tool = folder.get("tool");
        let [kind, flags, offset, address, _, len, memory, align] = header(&tool);
        assert_eq!((kind, flags, len, memory, align), (1, 4, pack.len() as u64, pack.len() as u64, 0x1_0000));
        // as kernels with pages of any size map it, and no page is the loader's
        assert_eq!(offset % 0x1_0000, address % 0x1_0000);
        assert!(address >= 0x21_0000, "{address:#x}");
        assert_eq!(&tool[offset as usize..], pack);
        // all else is as it was
        let before = loader(AARCH64, more);
        assert_eq!(&tool[..64 + 56], &before[..64 + 56]);
        assert_eq!(&tool[64 + 112..before.len()], &before[64 + 112..]);
        let shown = folder.done("inspect tool --json").json();
        assert_eq!(shown, folder.done("inspect a.pack --json").json());
        assert_eq!(fs::metadata(folder.path().join("tool")).unwrap().permissions().mode() & 0o500, 0o500);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_and_another_pack_takes_the_place_of_the_first() {
    let folder = folder();
    folder.done(&format!("pack sample.bpf.o --target {WHO} --lines -o b.pack"));
    assert_ne!(folder.get("a.pack"), folder.get("b.pack"));
    folder.put("loader", &loader(AARCH64, 5));
    folder.done("embed a.pack --loader loader -o a");
    folder.done("embed b.pack --loader loader -o b");
    let ran = folder.done("embed b.pack --loader a -o again");
    assert!(ran.err.contains("in the place of the pack that the loader had"), "{}", ran.err);
    assert_eq!(folder.get("again"), folder.get("b"));
    // over itself, through the standard output, and over a file that nobody may run
    folder.done("embed b.pack --loader a -o a");
    assert_eq!(folder.get("a"), folder.get("b"));
    assert_eq!(folder.done("embed b.pack --loader loader -o -").out, folder.get("b"));
    folder.put("plain", b"");
    fs::set_permissions(folder.path().join("plain"), fs::Permissions::from_mode(0o640)).unwrap();
    folder.done("embed b.pack --loader loader -o plain");
    assert_eq!(fs::metadata(folder.path().join("plain")).unwrap().permissions().mode() & 0o777, 0o750);
}

#[test]
fn thirty_two_bits_have_other_headers() {
    let folder = Folder::new();
    let who = WHO.replace("aarch64", "armv7l");
    folder.put("loader", &loader(ARM, 9));
    folder.done(&format!("pack sample.bpf.o --target {who} -o arm.pack"));
    folder.done("embed arm.pack --loader loader -o tool");
    let (tool, pack) = (folder.get("tool"), folder.get("arm.pack"));
    let [kind, flags, offset, address, _, len, ..] = header(&tool);
    assert_eq!((kind, flags, len, offset % 0x1_0000), (1, 4, pack.len() as u64, address % 0x1_0000));
    assert_eq!(&tool[offset as usize..], pack);
}

#[test]
fn what_cannot_be_one_executable_is_refused_and_leaves_no_file() {
    let folder = folder();
    let good = loader(AARCH64, 0);
    folder.put("loader", &good);
    folder.put("x86", &loader(62, 0));
    folder.put("old", &[&good[..64 + 56], &[0; 56], &good[64 + 112..]].concat());
    folder.put("nameless", &good[..good.len() - 16]);
    folder.put("cut", &good[..100]);
    folder.put("text", b"#!/bin/sh\n");
    let mut other = good.clone();
    other[18] = 8;
    folder.put("mips", &other);
    let pack = folder.get("a.pack");
    let mut damaged = pack.clone();
    *damaged.last_mut().unwrap() ^= 0x10;
    let middle = pack.len() / 2;
    damaged[middle] ^= 0x10;
    folder.put("damaged.pack", &damaged);
    folder.put("short.pack", &pack[..pack.len() - 8]);
    folder.done(&format!("target sample.bpf.o --target {WHO} -o x.target"));
    let old = "old: is no corelet-loader, or one that was built without the feature embed";
    for (words, code, said) in [
        ("a.pack --loader old", 3, old),
        ("a.pack --loader nameless", 3, "nameless: is no corelet-loader"),
        ("a.pack --loader cut", 3, "cut: is cut short"),
        ("a.pack --loader text", 3, "text: is no ELF file"),
        ("a.pack --loader sample.bpf.o", 3, "is for ELF machine 247"),
        ("a.pack --loader mips", 3, "is for ELF machine 8"),
        ("a.pack --loader missing", 3, "missing: cannot open"),
        ("a.pack --loader x86", 3, "a.pack: has targets for aarch64 only, and x86 is for x86_64"),
        ("damaged.pack --loader loader", 3, "damaged.pack: "),
        ("short.pack --loader loader", 3, "short.pack: is cut short"),
        ("loader --loader loader", 3, "loader: is no pack"),
        ("x.target --loader loader", 3, "x.target: is a target file"),
        ("a.pack --arch sparc", 2, "sparc: no loader is for it"),
    ] {
        folder.refused(&format!("embed {words} -o tool"), code, &[said]);
    }
    folder.refused("embed a.pack --loader loader -o nowhere/tool", 3, &["nowhere/tool"]);
}
