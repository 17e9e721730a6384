//! Where output goes: whole files or none, and readers that are gone.

use crate::common::{Folder, Ran, WHO};
use std::fs::{File, OpenOptions};
use std::process::Stdio;

/// One command of each kind that prints.
const PRINTING: &[&str] = &[
    "relocate sample.bpf.o --btf kernel.o",
    "relocate sample.bpf.o --btf kernel.o --json",
    "btf dump kernel.o",
    "btf extract kernel.o",
    "btf extract kernel.o -o -",
    "btf min --btf kernel.o sample.bpf.o -o out",
    "btf min --btf kernel.o sample.bpf.o -o -",
    "extract-objects sample.bpf.o --list",
    "inspect sample.pack",
    "inspect sample.pack --json",
    "inspect sample.bpf.o",
    "inspect sample.bpf.o --json",
    "inspect sample.bpf.o --disasm",
    "inspect kernel.o --type task_struct",
    "pack sample.bpf.o --target WHO -o out",
    "pack sample.bpf.o --target WHO -o out --json",
    "target sample.bpf.o --target WHO -o -",
    "--help",
];

fn folder() -> Folder {
    let folder = Folder::new();
    folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack"));
    folder
}

#[test]
fn a_reader_that_is_gone_ends_a_command_quietly() {
    let folder = folder();
    for words in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output =
            folder.command(&words.replace("WHO", WHO)).stdout(writer).stderr(Stdio::piped()).output();
        let ran = Ran::of(output.unwrap());
        assert_eq!(ran.code, Some(0), "{words}: {}", ran.err);
        assert!(!ran.err.contains("corelet: "), "{words}: {}", ran.err);
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let folder = folder();
    // clap prints help and version itself
    for words in PRINTING.iter().filter(|w| **w != "--help") {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = folder.command(&words.replace("WHO", WHO)).stdout(full).stderr(Stdio::piped()).output();
        let ran = Ran::of(output.unwrap());
        assert_eq!(ran.code, Some(3), "{words}: {}", ran.err);
        assert!(ran.err.contains("corelet: ") && ran.err.contains("No space left"), "{words}: {}", ran.err);
    }
}

#[test]
fn what_fails_leaves_the_old_file_and_nothing_else() {
    let folder = folder();
    folder.put("old", b"as it was");
    folder.refused("btf min --btf kernel.o missing.bpf.o -o old", 3, &["missing.bpf.o"]);
    folder.refused("btf extract sample.toml -o old", 3, &["sample.toml"]);
    folder.refused(
        "btf dump kernel.o --type nothing_of_the_kind -o old",
        3,
        &["kernel.o", "nothing_of_the_kind"],
    );
    folder.refused("pack sample.bpf.o --target kernel.o -o old", 2, &["kernel.o", "architecture"]);

    // not portable: the report is printed, the file is not written
    let before = folder.files();
    let ran = folder.run(&format!("pack unportable.bpf.o --target {WHO} -o old"));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("unportable.bpf.c:8: ambiguous insn #0"), "{}", ran.err);
    assert!(ran.err.contains("nothing was written"), "{}", ran.err);
    assert!(folder.files() == before);
}

#[test]
fn an_output_that_cannot_be_is_named() {
    let folder = folder();
    let before = folder.files();
    for words in [
        "btf min --btf kernel.o sample.bpf.o -o missing/out",
        "btf extract kernel.o -o missing/out",
        "btf dump kernel.o -o missing/out",
        "pack sample.bpf.o --target WHO -o missing/out",
        "target sample.bpf.o --target WHO -o missing/out",
    ] {
        let ran = folder.run(&words.replace("WHO", WHO));
        assert_eq!(ran.code, Some(3), "{words}: {}", ran.err);
        let last = ran.err.lines().last().unwrap();
        assert!(last.starts_with("corelet: missing/out: cannot write"), "{words}: {}", ran.err);
        assert!(folder.files() == before, "{words}");
    }
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    folder.refused("btf dump kernel.o -o folder", 3, &["folder: is a folder"]);
}

#[test]
fn an_output_on_the_standard_output_is_that_alone() {
    let folder = folder();
    for (words, file) in [
        ("btf extract kernel.o", "kernel.btf"),
        ("btf min --btf kernel.o sample.bpf.o", "min.btf"),
        ("pack sample.bpf.o --json --target WHO", "x.pack"),
        ("target sample.bpf.o --target WHO", "x.target"),
    ] {
        let words = words.replace("WHO", WHO);
        folder.done(&format!("{words} -o {file}"));
        let ran = folder.done(&format!("{words} -o -"));
        assert!(ran.out == folder.get(file), "{words}");
    }
    // a device is written to and not replaced
    folder.done("btf extract kernel.o -o /dev/null");
    assert!(File::open("/dev/null").unwrap().metadata().unwrap().len() == 0);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}
