//! `pack` with modules that the manifest names: found, built in, and every way in which they do not belong.

use crate::common::{Folder, WHO, gzip, ko};
use crate::modules::{kernel, module};
use corelet_core::TypeId;
use corelet_core::btf::Kind;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::subset::{BtfWriter, Marks};
use std::fs;

const ID: [u8; 20] = [0xc4; 20];
/// The release in [`WHO`].
const RELEASE: &str = "6.1.0-test";

fn note(build_id: &[u8]) -> Vec<u8> {
    let head = [4, build_id.len() as u32, 3].into_iter().flat_map(u32::to_le_bytes);
    head.chain(*b"GNU\0").chain(build_id.iter().copied()).collect()
}

/// A module of [`RELEASE`] with these sections beside those that say so.
fn built(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let note = note(&ID);
    let vermagic = format!("license=GPL\0vermagic={RELEASE} SMP mod_unload aarch64\0");
    let of_all = [(".note.gnu.build-id", note.as_slice()), (".modinfo", vermagic.as_bytes())];
    ko(&[&of_all, sections].concat())
}

/// A folder whose sample asks for the modules `named`.
fn asking(named: &str) -> Folder {
    let folder = Folder::new();
    folder.put("sample.toml", format!("[object]\nmodules = [{named}]\n").as_bytes());
    folder
}

/// Puts a file below the folder.
fn put(folder: &Folder, path: &str, bytes: &[u8]) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// What `pack` reports of the one target.
fn target(folder: &Folder, more: &str) -> serde_json::Value {
    let document = folder.done(&format!("pack sample.bpf.o --target {WHO}{more} -o out --json")).json();
    document["objects"][0]["targets"][0].clone()
}

fn refused(folder: &Folder, code: i32, said: &[&str]) {
    folder.refused(&format!("pack sample.bpf.o --target {WHO},modules=tree -o out"), code, said);
    folder.refused(&format!("target sample.bpf.o --target {WHO},modules=tree -o out"), code, said);
}

#[test]
fn a_target_says_which_builds_of_which_modules_it_needs() {
    let split = module(&kernel());
    let expected = serde_json::json!([{"name": "gone_by", "build_id": "c4".repeat(20)}]);
    for (path, bytes, root) in [
        ("tree/kernel/gone-by.ko", built(&[(".BTF", &split)]), "tree"),
        ("tree/updates/gone-by.ko.gz", gzip(&built(&[(".BTF", &split)])), "tree"),
        ("root/lib/modules/6.1.0-test/gone_by.ko", built(&[(".BTF", &split)]), "root"),
        ("root/usr/lib/modules/6.1.0-test/gone_by.ko", built(&[(".BTF", &split)]), "root"),
        ("modules/6.1.0-test/a/b/gone_by.ko", built(&[(".BTF", &split)]), "modules"),
    ] {
        let folder = asking("\"gone-by\"");
        put(&folder, path, &bytes);
        // other releases beside it are not looked at
        put(&folder, "root/lib/modules/5.10.0/gone_by.ko", b"");
        let said = target(&folder, &format!(",modules={root}"));
        assert_eq!(said["modules"], expected, "{path}");
        let document = folder.done("inspect out --json").json();
        assert_eq!(document["targets"][0]["modules"], expected);
        let text = String::from_utf8(folder.done("inspect out").out).unwrap();
        assert!(text.contains(&format!("module   gone_by, build id {}", "c4".repeat(20))), "{text}");
    }
}

#[test]
fn built_in_and_as_a_module_give_the_same() {
    let split = module(&kernel());
    let as_module = asking("\"gone\"");
    put(&as_module, "tree/gone.ko", &built(&[(".BTF", &split)]));
    let as_module = target(&as_module, ",modules=tree");

    // the same type in the kernel itself: the folder of modules, where there is one, says that it is built in
    let whole = kernel();
    let whole = whole.view();
    let mut marks = Marks::default();
    (1..whole.id_end()).for_each(|id| _ = marks.whole(TypeId(id)));
    let mut w = BtfWriter::new(whole.endian());
    w.push_marked(&whole, &marks).unwrap();
    let int = whole.find("int", Kind::Int).unwrap().id;
    let trailing = [w.string("x"), int.0, 0];
    w.push("gone_struct", Kind::Struct, false, 1, 4, &trailing);
    let built_in = asking("\"gone\"");
    built_in.put("kernel.o", &w.finish());
    put(&built_in, "tree/modules.builtin", b"kernel/fs/gone.ko\n");
    for more in ["", ",modules=tree"] {
        let said = target(&built_in, more);
        assert_eq!(said["modules"], serde_json::json!([]), "{more}");
        for figure in ["patched", "poisoned", "failed", "subset_types", "work"] {
            assert_eq!(said[figure], as_module[figure], "{more} {figure}");
        }
    }
    // a module of that kernel which has one of the same name: the kernel's own goes first
    let both = module(&OwnedBtf::from_bytes(built_in.get("kernel.o")).unwrap());
    put(&built_in, "tree/gone.ko", &built(&[(".BTF", &both)]));
    assert_eq!(target(&built_in, ",modules=tree")["modules"], serde_json::json!([]));
}

#[test]
fn modules_that_are_not_there_are_named() {
    let folder = asking("\"gone\"");
    let command = format!("pack sample.bpf.o --target {WHO} -o out");
    folder.refused(&command, 2, &["no struct gone_struct", "modules (gone)", ",modules=DIR"]);
    refused(&folder, 3, &["tree: cannot list this folder of modules"]);
    put(&folder, "tree/other.ko", b"");
    refused(&folder, 3, &["sample.toml", "no module gone", "cannot be told", "modules.builtin"]);
    put(&folder, "tree/modules.builtin", b"kernel/other/built-in.ko\n");
    refused(&folder, 3, &["sample.toml", "tree: this kernel has no module gone"]);
    // another kernel's folder does not say what is built into this one
    let folder = asking("\"gone\"");
    put(&folder, "tree/lib/modules/6.2.0-other/modules.builtin", b"kernel/gone.ko\n");
    refused(&folder, 3, &["modules.builtin: is of the kernel 6.2.0-other, not of 6.1.0-test"]);
    // built in, as its kernel says, and without the type: that is the kernel's own affair
    let folder = asking("\"gone\"");
    put(&folder, "tree/modules.builtin", b"kernel/gone.ko\n");
    assert_eq!(target(&folder, ",modules=tree")["modules"], serde_json::json!([]));
}

#[test]
fn modules_of_other_kernels_and_without_types_are_refused() {
    let split = module(&kernel());
    let try_one = |bytes: &[u8], code, said: &[&str]| {
        let folder = asking("\"gone\"");
        put(&folder, "tree/gone.ko", bytes);
        refused(&folder, code, &[&["tree/gone.ko"], said].concat());
    };
    let other = b"vermagic=6.1.0-other SMP\0";
    let id = note(&ID);
    let sections: [(&str, &[u8]); 3] = [(".note.gnu.build-id", &id), (".modinfo", other), (".BTF", &split)];
    try_one(&ko(&sections), 3, &["is a module of the kernel 6.1.0-other, not of 6.1.0-test"]);
    try_one(&built(&[(".text", &[0])]), 3, &["has no BTF", "CONFIG_DEBUG_INFO_BTF_MODULES"]);
    let without_id: [(&str, &[u8]); 2] = [(".modinfo", b"vermagic=6.1.0-test\0"), (".BTF", &split)];
    try_one(&ko(&without_id), 1, &["no build id", "--build-id"]);
    // the second byte of a name of the kernel: the module was split over other strings
    let mut shifted = split.clone();
    shifted[24..28].copy_from_slice(&2u32.to_le_bytes());
    try_one(
        &built(&[(".BTF", &shifted)]),
        3,
        &["not split over this kernel's", "a name at 0x2 begins inside"],
    );
    // types that this kernel does not have
    let mut larger = BtfWriter::over(&kernel().view());
    let int = (0..9).map(|n| larger.push(&format!("i{n}"), Kind::Int, false, 0, 4, &[32])).last().unwrap();
    let larger_int = int.0;
    let mut beyond = BtfWriter::over(&kernel().view());
    let trailing = [beyond.string("x"), larger_int, 0];
    beyond.push("gone_struct", Kind::Struct, false, 1, 4, &trailing);
    try_one(&built(&[(".BTF", &beyond.finish())]), 3, &["not split over this kernel's"]);
    // a distilled base that is not in this kernel
    let mut strange = BtfWriter::new(kernel().view().endian());
    strange.push("int", Kind::Int, false, 0, 4, &[32 | 1 << 24]);
    strange.push("strange", Kind::Struct, false, 0, 7, &[]);
    let strange = strange.finish();
    let apart = module(&OwnedBtf::from_bytes(strange.clone()).unwrap());
    try_one(&built(&[(".BTF", &apart), (".BTF.base", &strange)]), 3, &["no struct strange of 7 bytes"]);
    try_one(&fs::read("/proc/self/exe").unwrap(), 3, &[]);
    try_one(b"", 3, &["is empty"]);
}

#[test]
fn cut_and_damaged_modules_are_refused() {
    let whole = built(&[(".BTF", &module(&kernel()))]);
    for (path, bytes) in [("tree/gone.ko", whole.clone()), ("tree/gone.ko.gz", gzip(&whole))] {
        let folder = asking("\"gone\"");
        for n in 0..12 {
            put(&folder, path, &bytes[..bytes.len() * n / 12]);
            refused(&folder, 3, &[path]);
        }
        if path.ends_with(".gz") {
            for at in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 6] {
                let mut changed = bytes.clone();
                changed[at] ^= 0x41;
                put(&folder, path, &changed);
                refused(&folder, 3, &[path]);
            }
        }
    }
}

#[test]
fn more_modules_than_a_loader_reads_of_are_refused() {
    let names: Vec<String> = (0..12).map(|n| format!("gone_{}{n:02}", "x".repeat(24))).collect();
    let folder = asking(&names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", "));
    for name in &names {
        put(&folder, &format!("tree/{name}.ko"), &built(&[(".BTF", &module(&kernel()))]));
    }
    refused(&folder, 3, &["types of 12 modules", "512 bytes"]);
}

#[test]
fn names_that_are_none_are_refused_with_their_line() {
    for (named, said) in [
        ("\"gone.ko\"", "`gone.ko`: expected a module's name"),
        ("\"../gone\"", "expected a module's name"),
        ("\"\"", "expected a module's name"),
        ("\"a-b\", \"a_b\"", "the module a_b is named twice"),
    ] {
        let folder = asking(named);
        folder.refused(&format!("pack sample.bpf.o --target {WHO} -o out"), 3, &["sample.toml:2", said]);
    }
    let folder = Folder::new();
    let ran = folder.run("pack sample.bpf.o --target kernel.o,module=x -o out");
    assert!(
        ran.code == Some(2) && ran.err.contains("`module=x`: expected btf=, config=, modules=,"),
        "{}",
        ran.err
    );
}
