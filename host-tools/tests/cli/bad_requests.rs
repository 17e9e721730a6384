//! Commands that ask for what makes no sense, what is not there, or what this machine cannot do.

use crate::common::{Folder, Ran, WHO, image};

#[test]
fn wrong_words_are_usage() {
    let folder = Folder::new();
    let before = folder.files();
    for words in [
        "",
        "fly",
        "btf",
        "relocate",
        "relocate sample.bpf.o",
        "relocate sample.bpf.o --btf kernel.o --fast",
        "relocate sample.bpf.o --btf kernel.o another.o",
        "pack sample.bpf.o -o out",
        "pack sample.bpf.o --target kernel.o,colour=red -o out",
        "pack sample.bpf.o --target kernel.o,build-id=xyz -o out",
        "pack sample.bpf.o unportable.bpf.o --manifest m.toml --target kernel.o -o out",
        "image -o out",
        "boot",
        "boot --shell --memory 1",
    ] {
        let ran = folder.run(words);
        assert_eq!(ran.code, Some(2), "{words}: {}", ran.err);
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{words}");
        assert!(folder.files() == before, "{words}");
    }
    let ran = folder.run("relocate sample.bpf.o --btf kernel.o --fast");
    assert!(ran.err.contains("--fast") && ran.err.contains("--help"), "{}", ran.err);
    assert_eq!(folder.done("--help").err, "");
    assert!(folder.done("--version").out.starts_with(b"corelet 0."));
}

#[test]
fn types_without_an_identity_cannot_be_a_target() {
    let folder = Folder::new();
    folder.done("btf extract kernel.o -o kernel.btf");
    let pack = |who: &str| format!("pack sample.bpf.o --target kernel.btf{who} -o out");
    folder.refused(&pack(""), 2, &["kernel.btf", "architecture", "arch=", "image"]);
    folder.refused(&pack(",arch=aarch64"), 2, &["kernel.btf", "release", "release="]);
    folder.refused(&pack(",arch=vax,release=1"), 3, &["kernel.btf", "vax", "aarch64"]);
    folder.refused(&pack(",arch=aarch64,release=1,config=missing"), 3, &["missing"]);
}

#[test]
fn a_manifest_that_names_what_is_not_there() {
    let folder = Folder::new();
    for (text, said) in [
        ("[programs.handle_close]\noptional = true", &["handle_close", "handle_open"][..]),
        ("[[alternatives]]\nsets = [[\"handle_open\"], [\"handle_close\"]]", &["handle_close"]),
        ("[maps.evens]\nevent = \"struct event\"", &["evens"]),
        ("[maps.events]\nevent = \"struct evens\"", &["struct evens"]),
        ("[variables]\ntarg_uid = 1", &["targ_uid"]),
        ("[variables]\nlevel = 300", &["level", "0 to 255"]),
        ("[[results]]\nname = \"n\"\nmap = \"start\"\nhow = \"entries\"", &["start"]),
        ("[hints.\"struct event\"]\ncolour = \"hex\"", &["colour"]),
        ("[hints.\"struct events\"]\npid = \"hex\"", &["struct events"]),
        ("[object]\nlicence = \"GPL\"", &["sample.toml:2", "licence"]),
        ("[object\n", &["sample.toml:1"]),
        ("[maps.events]\nevent_decl = \"struct event { int 4; };\"", &["sample.toml"]),
    ] {
        folder.put("sample.toml", text.as_bytes());
        let words = format!("pack sample.bpf.o --target {WHO} -o out");
        let before = folder.files();
        let ran = folder.run(&words);
        assert_eq!(ran.code, Some(3), "{text}: {}", ran.err);
        assert!(ran.err.starts_with("corelet: sample"), "{text}: {}", ran.err);
        for word in said {
            assert!(ran.err.contains(word), "{text}: {word:?} is not in: {}", ran.err);
        }
        assert!(folder.files() == before, "{text}");
    }
    folder.refused(
        &format!("pack sample.bpf.o --manifest none.toml --target {WHO} -o out"),
        3,
        &["none.toml: cannot open"],
    );
}

#[test]
fn a_machine_without_the_tools() {
    let folder = Folder::new();
    folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack"));
    folder.put("Image", &image(b""));
    // no programs and nothing fetched before: neither apt nor QEMU
    let run = |words: &str| {
        let mut command = folder.command(words);
        command.env_clear().env("PATH", folder.path()).env("HOME", folder.path());
        Ran::of(command.output().unwrap())
    };
    for words in [
        "boot --pack sample.pack --loader kernel.o",
        "boot --pack sample.pack --loader kernel.o --kernel Image --for 1",
        "image --pack sample.pack --loader kernel.o -o out",
    ] {
        let ran = run(words);
        assert_eq!(ran.code, Some(4), "{words}: {}", ran.err);
        assert!(
            ran.err.contains("corelet: ") && (ran.err.contains("install") || ran.err.contains("to get it")),
            "{words}: {}",
            ran.err
        );
        assert!(!folder.path().join("out").exists());
    }
}

#[test]
fn programs_that_cannot_be_attached_are_named_together() {
    let folder = Folder::new();
    // the same object with programs of types that the loader cannot attach
    let mut object = folder.get("sample.bpf.o");
    let names: [(&[u8], &[u8]); 2] =
        [(b"tracepoint/syscalls/sys", b"fentry.multi/abcdefghi*"), (b"raw_tracepoint/", b"fexit.multi/ab*")];
    for (from, to) in names {
        for at in 0..object.len() - from.len() {
            if object[at..].starts_with(from) {
                object[at..at + from.len()].copy_from_slice(to);
            }
        }
    }
    folder.put("sample.bpf.o", &object);
    folder.refused(
        &format!("pack sample.bpf.o --target {WHO} -o out"),
        1,
        &[
            "cannot attach 2 of 3 programs",
            "handle_open (SEC(\"fentry.multi/",
            "handle_switch (SEC(\"fexit.multi/",
        ],
    );
}

#[test]
fn what_the_loader_could_never_choose() {
    let folder = Folder::new();
    let pack =
        |more: &str| format!("pack sample.bpf.o --target kernel.o,release=1,arch=aarch64{more} -o out");
    folder.refused(&pack(""), 2, &["kernel.o", "build id", "version="]);
    let ran = folder.done(&pack(",version=#1"));
    assert!(
        ran.err.contains("note: kernel.o: no build id") && ran.err.contains("--allow-release"),
        "{}",
        ran.err
    );
    std::fs::remove_file(folder.path().join("out")).unwrap();
    folder.refused(
        &format!("pack sample.bpf.o --target {WHO} --target {WHO} -o out"),
        2,
        &["same kernel", "give it once"],
    );
    folder.refused(
        &format!("pack sample.bpf.o sample.bpf.o --target {WHO} -o out"),
        2,
        &["sample is the same object as sample"],
    );
    let many = "sample.bpf.o ".repeat(9);
    folder.refused(&format!("pack {many} --target {WHO} -o out"), 2, &["9 objects", "at most 8"]);
}
