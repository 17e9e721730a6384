//! `headers` and `new`: what they write, and what they refuse. What compilers make of it the step `authors` of `cargo verify` holds.

use crate::common::{Folder, input};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All files below a folder, by path.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => folders.push(entry),
                false => {
                    let name = entry.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, fs::read_to_string(&entry).unwrap());
                }
            }
        }
    }
    found
}

/// Names that sources written for libbpf include.
const LIBBPF: [&str; 5] = [
    "bpf/bpf_core_read.h",
    "bpf/bpf_endian.h",
    "bpf/bpf_helper_defs.h",
    "bpf/bpf_helpers.h",
    "bpf/bpf_tracing.h",
];

#[test]
fn headers_have_libbpfs_names_and_what_they_include() {
    let folder = Folder::new();
    folder.done("headers a/include");
    let written = files(&folder.path().join("a/include"));
    let own = ["corelet_tracing.h", "corelet_types.h"];
    assert_eq!(written.keys().collect::<Vec<_>>(), LIBBPF.iter().chain(&own).collect::<Vec<_>>());
    for (name, text) in &written {
        assert!(text.starts_with("/*\n"), "{name}");
        for included in text.lines().filter_map(|line| line.strip_prefix("#include \"")?.strip_suffix('"')) {
            let beside = Path::new("a/include").join(name).parent().unwrap().join(included);
            assert!(folder.path().join(&beside).is_file(), "{name} includes {included}");
        }
    }
    // again, in the place of what was changed there
    folder.put("a/include/corelet_types.h", b"changed");
    folder.done("headers a/include");
    assert_eq!(files(&folder.path().join("a/include")), written);
}

#[test]
fn one_kernel_is_printed_as_alone_and_several_in_one() {
    let folder = Folder::new();
    folder.put("other.o", &input("narrow.kernel.o"));
    let alone = folder.done("btf dump kernel.o").out;
    folder.done("headers one --kernel kernel.o");
    assert_eq!(folder.get("one/vmlinux.h"), alone);
    folder.done("headers two --kernel kernel.o --kernel narrow=other.o");
    let both = folder.get("two/vmlinux.h");
    assert_eq!(folder.done("btf dump kernel.o --with narrow=other.o").out, both);
    assert_eq!(folder.done("btf dump kernel.o --with narrow=other.o").out, both, "again");
    let both = String::from_utf8(both).unwrap();
    let other = String::from_utf8(folder.done("btf dump other.o").out).unwrap();
    let types = |text: &str| -> Vec<String> {
        let named = text.lines().filter(|line| line.starts_with("struct ") && line.ends_with(" {"));
        named.map(str::to_owned).collect()
    };
    let alone = String::from_utf8(alone).unwrap();
    for name in types(&alone).iter().chain(&types(&other)) {
        assert_eq!(types(&both).iter().filter(|have| *have == name).count(), 1, "{name}\n{both}");
    }
}

#[test]
fn kernels_that_cannot_be_told_apart_or_read_leave_nothing() {
    let folder = Folder::new();
    let twice = ["two kernels are called kernel: name them as LABEL=KERNEL"];
    folder.refused("headers out --kernel kernel.o --kernel kernel.o", 2, &twice);
    folder.refused("btf dump kernel.o --with kernel.o", 2, &twice);
    folder.refused(
        "headers out --kernel a__b=kernel.o --kernel c=kernel.o",
        2,
        &["a__b", "single underscores"],
    );
    folder.refused("headers out --kernel arm-6.12=kernel.o", 2, &["`arm-6.12`", "./arm-6.12=kernel.o"]);
    folder.refused("headers out --kernel kernel.o --kernel gone.o", 3, &["gone.o"]);
    folder.refused("headers out --board no-such-board", 3, &["no-such-board"]);
    assert!(!folder.path().join("out").exists());
    folder.refused("headers kernel.o", 3, &["kernel.o"]);
}

#[test]
fn a_new_project_is_called_by_its_name_throughout() {
    let folder = Folder::new();
    let ran = folder.done("new sub/watch2");
    assert!(ran.err.contains("sub/watch2: made; next: make -C sub/watch2 test"), "{}", ran.err);
    let written = files(&folder.path().join("sub/watch2"));
    let own: Vec<_> = written.keys().filter(|name| !name.starts_with("include/")).collect();
    assert_eq!(own, ["Makefile", "test.sh", "watch2.bpf.c", "watch2.toml", "work.sh"]);
    for name in own {
        assert!(!written[name].contains("NAME") && !written[name].contains("/root"), "{name}");
    }
    assert!(LIBBPF.iter().all(|name| written.contains_key(&format!("include/{name}"))));
    assert!(written["Makefile"].contains("watch2.pack: watch2.bpf.o watch2.toml\n"));
    // the manifest's event is a type of the program
    assert!(written["watch2.toml"].contains("event = \"struct event\""));
    assert!(written["watch2.bpf.c"].contains("struct event {"));
}

#[test]
fn a_name_that_is_none_or_is_taken_makes_no_project() {
    let folder = Folder::new();
    for name in ["2watch", "a-b", "..", "a.b", "_x", "sub/a-b"] {
        folder.refused(&format!("new {name}"), 2, &["letters, digits and `_`, and begins with a letter"]);
        assert!(!folder.path().join("sub").exists());
    }
    folder.put("taken", b"a file");
    folder.refused("new taken", 2, &["taken: is there already"]);
    folder.refused("new kernel.o/watch", 3, &["kernel.o"]);
}
