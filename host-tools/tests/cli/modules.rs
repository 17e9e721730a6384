//! `--module`: types of modules beside their kernel's, as raw split BTF and as `.ko`, with a distilled base and without.

use crate::common::{Folder, gzip, input, ko};
use corelet_core::Endian;
use corelet_core::btf::Kind;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::subset::BtfWriter;

/// `struct gone_struct` of a module over `base`, in which type `int` is one.
pub(crate) fn module(base: &OwnedBtf) -> Vec<u8> {
    let int = base.view().find("int", Kind::Int).unwrap().id;
    let mut w = BtfWriter::over(&base.view());
    let trailing = [w.string("x"), int.0, 0];
    w.push("gone_struct", Kind::Struct, false, 1, 4, &trailing);
    w.finish()
}

pub(crate) fn kernel() -> OwnedBtf {
    let folder = Folder::new();
    OwnedBtf::open(&folder.path().join("kernel.o")).unwrap()
}

/// What the relocation that asks whether `gone_struct` exists came to.
fn exists(folder: &Folder, words: &str) -> serde_json::Value {
    let document = folder.done(&format!("relocate sample.bpf.o --btf kernel.o --json {words}")).json();
    let programs = document["programs"].as_array().unwrap();
    let relocations = programs.iter().flat_map(|p| p["relocations"].as_array().unwrap());
    let mut of_it = relocations.filter(|r| r["kind"] == "type_exists");
    of_it.next().unwrap()["new"].clone()
}

#[test]
fn types_of_modules_are_found_in_every_form() {
    let folder = Folder::new();
    let split = module(&kernel());
    let mut distilled = BtfWriter::new(Endian::Little);
    distilled.push("int", Kind::Int, false, 0, 4, &[32 | 1 << 24]);
    let distilled = distilled.finish();
    let apart = module(&OwnedBtf::from_bytes(distilled.clone()).unwrap());
    folder.put("mod.btf", &split);
    folder.put("mod.ko", &ko(&[(".text", &[]), (".BTF", &split)]));
    folder.put("mod.ko.gz", &gzip(&ko(&[(".BTF", &split)])));
    folder.put("apart.ko", &ko(&[(".BTF", &apart), (".BTF.base", &distilled)]));
    assert_eq!(exists(&folder, ""), 0);
    for file in ["mod.btf", "mod.ko", "mod.ko.gz", "apart.ko"] {
        assert_eq!(exists(&folder, &format!("--module {file}")), 1, "{file}");
    }
    assert_eq!(exists(&folder, "--module mod.ko --module apart.ko"), 1, "both say so");

    folder.done("btf min --btf kernel.o --module mod.ko sample.bpf.o -o min.btf");
    let min = OwnedBtf::from_bytes(folder.get("min.btf")).unwrap();
    assert!(min.view().find("gone_struct", Kind::Struct).is_some());
}

#[test]
fn what_is_no_module_of_this_kernel_is_refused() {
    let folder = Folder::new();
    let mut strange = BtfWriter::new(Endian::Little);
    strange.push("int", Kind::Int, false, 0, 4, &[32 | 1 << 24]);
    strange.push("strange", Kind::Struct, false, 0, 7, &[]);
    let strange = strange.finish();
    let apart = module(&OwnedBtf::from_bytes(strange.clone()).unwrap());
    folder.put("strange.ko", &ko(&[(".BTF", &apart), (".BTF.base", &strange)]));
    folder.put("none.ko", &ko(&[(".text", &[0])]));
    folder.put("cut.ko", &ko(&[(".BTF", &apart), (".BTF.base", &strange[..40])]));
    folder.put("alone.bpf.o", &input("sample.bpf.o"));
    for (file, said) in [
        ("strange.ko", "strange.ko: the kernel has no struct strange of 7 bytes"),
        ("none.ko", "none.ko"),
        ("cut.ko", "cut.ko: .BTF.base"),
        ("alone.bpf.o", "alone.bpf.o: its types stand by themselves"),
    ] {
        folder.refused(&format!("relocate sample.bpf.o --btf kernel.o --module {file}"), 3, &[said]);
    }
    folder.refused("relocate sample.bpf.o --btf kernel.o --module missing.ko", 3, &["missing.ko"]);
}
