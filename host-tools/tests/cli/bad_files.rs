//! Files that are cut, damaged, or of another kind than they should be.

use crate::common::{Folder, WHO, big_endian_btf, gzip, image, input, without_btf};

/// Cuts `name` at `count` places and expects every cut refused by `words`, with the file's name and `said`.
fn cut(folder: &Folder, name: &str, count: usize, words: &str) {
    let whole = folder.get(name);
    for n in 0..count {
        let len = whole.len() * n / count;
        folder.put(name, &whole[..len]);
        folder.refused(words, 3, &[name]);
    }
    folder.put(name, &whole);
}

/// Changes one byte of `name` at `count` places. Each result is as good as the whole's or a refusal in one line.
fn flip(folder: &Folder, name: &str, count: usize, words: &str) -> usize {
    let whole = folder.get(name);
    let mut refused = 0;
    for n in 0..count {
        let mut changed = whole.clone();
        let at = (whole.len() - 1) * n / (count - 1);
        changed[at] ^= 0x41;
        folder.put(name, &changed);
        let ran = folder.run(words);
        match ran.code {
            Some(0 | 1) => {}
            Some(3) => {
                refused += 1;
                assert!(ran.err.lines().count() == 1 && ran.err.contains(name), "byte {at}: {}", ran.err);
            }
            code => panic!("byte {at}: {code:?} {}", ran.err),
        }
    }
    folder.put(name, &whole);
    refused
}

#[test]
fn an_object_that_is_cut_or_damaged() {
    let folder = Folder::new();
    for words in [
        "relocate sample.bpf.o --btf kernel.o",
        "btf min --btf kernel.o sample.bpf.o -o out",
        "inspect sample.bpf.o",
        "inspect sample.bpf.o --disasm --btf kernel.o",
    ] {
        cut(&folder, "sample.bpf.o", 25, words);
        assert!(flip(&folder, "sample.bpf.o", 60, words) > 5);
    }
    // the name alone stands for the file in a pack's messages
    let whole = folder.get("sample.bpf.o");
    for len in [0, 63, whole.len() / 2] {
        folder.put("sample.bpf.o", &whole[..len]);
        folder.refused(&format!("pack sample.bpf.o --target {WHO} -o out"), 3, &["sample"]);
    }
}

#[test]
fn types_that_are_cut_or_damaged() {
    let folder = Folder::new();
    folder.done("btf extract kernel.o -o kernel.btf");
    for words in [
        "relocate unportable.bpf.o --btf kernel.btf",
        "btf dump kernel.btf",
        "btf extract kernel.btf",
        "inspect kernel.btf",
    ] {
        cut(&folder, "kernel.btf", 20, words);
    }
    assert!(flip(&folder, "kernel.btf", 80, "relocate sample.bpf.o --btf kernel.btf") > 5);
    // the offset is of the file
    let mut btf = folder.get("kernel.btf");
    btf[24] = 0xff;
    btf[25] = 0xff;
    folder.put("kernel.btf", &btf);
    folder.refused("relocate sample.bpf.o --btf kernel.btf", 3, &["kernel.btf: ", "BTF", "byte "]);
}

#[test]
fn a_pack_that_is_cut_or_damaged() {
    let folder = Folder::new();
    folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack"));
    cut(&folder, "sample.pack", 25, "inspect sample.pack");
    // everything but padding is under a checksum
    assert!(flip(&folder, "sample.pack", 100, "inspect sample.pack") > 85);
    let mut longer = folder.get("sample.pack");
    longer.push(0);
    folder.put("sample.pack", &longer);
    folder.refused("inspect sample.pack", 3, &["sample.pack", "bytes behind its end"]);
    folder.put("sample.pack", b"");
    folder.refused("decode --pack sample.pack sample.pack", 3, &["sample.pack"]);
}

#[test]
fn a_kernel_image_that_is_cut_or_damaged() {
    let folder = Folder::new();
    folder.done("btf extract kernel.o -o kernel.btf");
    folder.put("vmlinuz", &gzip(&image(&folder.get("kernel.btf"))));
    let report = folder.done("btf extract vmlinuz --json").json();
    assert_eq!(report["bytes"], folder.get("kernel.btf").len());
    cut(&folder, "vmlinuz", 20, "btf extract vmlinuz -o out");
    flip(&folder, "vmlinuz", 60, "btf extract vmlinuz");
    folder.put("vmlinuz", &image(b"no types here"));
    folder.refused("btf extract vmlinuz -o out", 3, &["vmlinuz", "BTF"]);
    folder.refused("relocate sample.bpf.o --btf vmlinuz", 3, &["vmlinuz", "BTF"]);
}

#[test]
fn an_object_without_types() {
    let folder = Folder::new();
    folder.put("sample.bpf.o", &without_btf(input("sample.bpf.o")));
    folder.refused("relocate sample.bpf.o --btf kernel.o", 3, &["sample.bpf.o", ".BTF", "-g"]);
    folder.refused("btf min --btf kernel.o sample.bpf.o -o out", 3, &["sample.bpf.o", ".BTF"]);
    folder.refused(&format!("pack sample.bpf.o --target {WHO} -o out"), 3, &["sample", ".BTF"]);
}

#[test]
fn files_of_another_kind() {
    let folder = Folder::new();
    folder.put("words", b"These are words.\n");
    folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack"));
    folder.done("btf extract kernel.o -o kernel.btf");
    folder.put("program", &std::fs::read(std::env::current_exe().unwrap()).unwrap());
    for (words, said) in [
        ("relocate words --btf kernel.o", &["words"][..]),
        ("relocate sample.pack --btf kernel.o", &["sample.pack: a pack", "corelet inspect"]),
        ("btf min kernel.btf --btf kernel.o -o out", &["kernel.btf: the types", "BTF"]),
        ("relocate program --btf kernel.o", &["program: a program", "corelet extract-objects"]),
        ("relocate sample.bpf.o --btf words", &["words"]),
        ("relocate sample.bpf.o --btf sample.pack", &["sample.pack"]),
        ("inspect words", &["words: is text; BPF objects, raw BTF, vmlinux"]),
        ("inspect /dev/null", &["/dev/null: is empty; BPF objects"]),
        ("inspect sample.pack --disasm", &["sample.pack: --disasm is for BPF objects"]),
        ("inspect sample.pack --type event", &["sample.pack: --type is for"]),
        ("inspect sample.bpf.o --base kernel.o", &["sample.bpf.o: --base is for BTF"]),
        ("inspect sample.bpf.o --disasm nobody", &["nobody", "handle_open"]),
        ("inspect sample.bpf.o --type nothing", &["sample.bpf.o: no type is called nothing"]),
        ("extract-objects words --list", &["words: no BPF object inside"]),
        ("btf extract words", &["words"]),
        ("inspect missing.pack", &["missing.pack: cannot open", "No such file"]),
        ("relocate missing.o --btf kernel.o", &["missing.o: cannot open"]),
        ("relocate sample.bpf.o --btf missing.btf", &["missing.btf"]),
        ("btf dump .", &["."]),
        ("inspect .", &[".: "]),
    ] {
        folder.refused(words, 3, said);
    }
}

#[test]
fn another_byte_order() {
    let folder = Folder::new();
    folder.put("big.btf", &big_endian_btf());
    let who = "big.btf,release=6.1.0,version=#1,arch=aarch64,build-id=00";
    folder.refused(
        &format!("pack sample.bpf.o --target {who} -o out"),
        3,
        &["sample", "byte order", "bpfeb"],
    );
    for words in ["relocate sample.bpf.o --btf big.btf", "btf min --btf big.btf sample.bpf.o -o out"] {
        folder.refused(words, 3, &["sample.bpf.o", "byte order", "bpfeb"]);
    }
}

#[test]
fn a_manifest_that_has_no_end() {
    let folder = Folder::new();
    folder.put("large.toml", &vec![b'#'; 2 << 20]);
    folder.refused(
        &format!("pack sample.bpf.o --manifest large.toml --target {WHO} -o out"),
        3,
        &["large.toml: has more than 1 MiB"],
    );
}
