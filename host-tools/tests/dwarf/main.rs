//! `corelet btf convert` on small files with DWARF of every kind: widths, byte orders, versions, compressed, split, separate;
//! against clang's own BTF of the same source; and on files that are cut or changed.
//!
//! The files lie beside this one with their source and recipe (`build.sh`).

mod hostile;
mod shapes;

use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::dwarf::{self, Converted, Options};
use shapes::{functions, named, shape, shapes};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dwarf").join(name)
}

fn convert(path: &Path) -> anyhow::Result<Converted> {
    dwarf::convert(path, &Options { threads: 1, ..Options::default() }, &|_, _| {})
}

/// The BTF of a file of which all units are read.
fn btf(name: &str) -> OwnedBtf {
    let converted = convert(&file(name)).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    assert_eq!(converted.skipped, [], "{name}");
    OwnedBtf::from_bytes(converted.btf).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_width_byte_order_and_version_gives_what_clang_says_of_the_source() {
    let clang = OwnedBtf::open(&file("types.bpf.o")).unwrap();
    let expected = shapes(&clang.view());
    assert!(expected.len() >= 6, "{expected:?}");
    let targets = [
        "x86_64-3",
        "x86_64-4",
        "x86_64-5",
        "aarch64-5",
        "mips64-3",
        "mips64-5",
        "powerpc64le-5",
        "riscv64-5",
        "s390x-4",
    ];
    for target in targets {
        let ours = btf(&format!("types-{target}.o"));
        for (name, text) in expected.iter().filter(|(name, _)| !name.is_empty()) {
            assert_eq!(named(&ours.view(), name).as_deref(), Some(text.as_str()), "{target}");
        }
    }
}

#[test]
fn pointers_and_longs_of_32_bits_are_so() {
    for target in ["i386-4", "armv7a-4", "mips-4", "mips-5"] {
        let ours = btf(&format!("types-{target}.o"));
        let view = ours.view();
        assert_eq!(
            named(&view, "holder").as_deref(),
            Some("struct holder 8 { to: *struct ambiguous @0; count: int @32; }"),
            "{target}"
        );
        assert_eq!(
            named(&view, "list").unwrap(),
            "struct list 8 { next: *struct list @0; prev: *struct list @32; }"
        );
        assert_eq!(convert(&file(&format!("types-{target}.o"))).unwrap().pointer_size, 4, "{target}");
    }
}

#[test]
fn types_that_a_body_declares_are_there() {
    let ours = btf("two");
    assert!(
        named(&ours.view(), "only_in_body").unwrap().contains("in_body: int @0; dev: *struct device @64")
    );
    assert_eq!(named(&ours.view(), "in_block").unwrap(), "union in_block 8 { l: long int @0; p: *void @0; }");
    // an enum without a name, which nothing refers to
    assert!(shapes(&ours.view()).iter().any(|(_, text)| text.contains("NAMELESS_B = 4")));
}

#[test]
fn functions_have_the_prototypes_of_the_source() {
    for name in ["types-x86_64-5.o", "types-mips-5.o", "two", "two-4"] {
        let ours = btf(name);
        let found = functions(&ours.view());
        assert_eq!(
            found.get("registered").map(String::as_str),
            Some("int (dev: *struct device, flags: u32, name: restrict *char)"),
            "{name}"
        );
        assert_eq!(found.get("call").unwrap(), "int (cb: callback_t, at: *point_t, holder: *struct holder)");
    }
    let probe = shape(&btf("two").view(), "device");
    assert!(probe.contains("probe: *int (*struct device, *const char, ...)"), "{probe}");
}

#[test]
fn one_name_of_two_shapes_is_two_types_and_what_refers_to_it_is_too() {
    for name in ["two", "two-4"] {
        let ours = btf(name);
        let texts = shapes(&ours.view());
        let of = |name: &str| texts.iter().filter(|(of, _)| of == name).count();
        assert_eq!((of("ambiguous"), of("holder")), (2, 2), "{texts:#?}");
        assert_eq!((of("list"), of("device"), of("declared_here")), (1, 1, 1), "{texts:#?}");
        // a name of two functions is none's
        assert!(!functions(&ours.view()).contains_key("same_name"));
        // what no unit defines stays declared; what one does is resolved
        let view = ours.view();
        let declared = shapes::declared(&view);
        assert_eq!(declared, ["never_defined"]);
        let holders = shapes::through(&ours.view(), "holder", "to");
        assert_eq!(
            holders,
            ["struct ambiguous 4 { first: int @0; }", "struct ambiguous 8 { other: long int @0; }"]
        );
    }
}

#[test]
fn per_cpu_variables_are_listed_by_place() {
    let ours = btf("two");
    assert_eq!(shapes::percpu(&ours.view()), ["holders: [2]struct holder @0 32", "counter: u64 @32 8"]);
    let object = btf("types-mips-5.o");
    assert_eq!(shapes::percpu(&object.view()), ["counter: u64 @0 8", "holders: [2]struct holder @8 16"]);
}

#[test]
fn compressed_and_separate_sections_give_the_same_bytes() {
    let plain = convert(&file("two")).unwrap().btf;
    for name in ["two-zlib", "two-zstd", "two-zdebug", "two-stripped", "two.debug"] {
        assert_eq!(convert(&file(name)).unwrap().btf, plain, "{name}");
    }
    // by build id, from a folder as distributions have it
    let folder = tempfile::tempdir().unwrap();
    let id = folder.path().join(".build-id/01");
    std::fs::create_dir_all(&id).unwrap();
    let name = "23456789abcdef0123456789abcdef01234567.debug";
    std::fs::copy(file("two.debug"), id.join(name)).unwrap();
    let lonely = folder.path().join("lonely");
    std::fs::copy(file("two-stripped"), &lonely).unwrap();
    let options = Options { debug_folders: vec![folder.path().to_owned()], ..Options::default() };
    let converted = dwarf::convert(&lonely, &options, &|_, _| {}).unwrap();
    assert_eq!((converted.btf, converted.source), (plain, id.join(name)));
    // one of another build is not taken
    std::fs::copy(file("types-x86_64-5.o"), id.join(name)).unwrap();
    let error = format!("{:#}", dwarf::convert(&lonely, &options, &|_, _| {}).unwrap_err());
    assert!(error.contains("another build") || error.contains("no build id"), "{error}");
}

#[test]
fn split_units_are_found_beside_and_in_a_package() {
    let whole = shapes(&btf("types-x86_64-5.o").view());
    for name in ["split-5.o", "split-4.o", "split-packed.o"] {
        assert_eq!(shapes(&btf(name).view()), whole, "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("alone.o");
    std::fs::copy(file("split-5.o"), &alone).unwrap();
    let error = format!("{:#}", convert(&alone).unwrap_err());
    assert!(error.contains("split-5.dwo") && error.contains("dwp"), "{error}");
}

#[test]
fn types_in_other_units_are_found() {
    // where the linker puts what it compiles itself is its own affair
    let (whole, linked) = (btf("two"), btf("two-lto"));
    assert_eq!(shapes(&linked.view()), shapes(&whole.view()));
    assert_eq!(functions(&linked.view())["registered"], functions(&whole.view())["registered"]);
    assert_eq!(shapes::percpu(&linked.view()).len(), 2);
    for threads in [2, 5] {
        let options = Options { threads, ..Options::default() };
        assert_eq!(dwarf::convert(&file("two-lto"), &options, &|_, _| {}).unwrap().btf, linked.bytes());
    }
}

#[test]
fn types_in_units_of_their_own_are_found_by_signature() {
    for (name, whole) in [("two-units", btf("two")), ("two-units-4", btf("two-4"))] {
        let ours = btf(name);
        // what only points to one or the other of two types of one name has one signature, so the linker keeps one
        let mut once = shapes(&whole.view());
        once.dedup();
        assert_eq!(shapes(&ours.view()), once, "{name}");
        assert_eq!(functions(&ours.view()), functions(&whole.view()), "{name}");
        assert_eq!(shapes::percpu(&ours.view()), shapes::percpu(&whole.view()), "{name}");
        let options = Options { threads: 3, ..Options::default() };
        assert_eq!(dwarf::convert(&file(name), &options, &|_, _| {}).unwrap().btf, ours.bytes(), "{name}");
    }
    // without the section that has them, which is no file that a linker makes
    let bytes = std::fs::read(file("two-units-4")).unwrap();
    let at = bytes.windows(12).position(|w| w == b".debug_types").unwrap();
    let renamed = [&bytes[..at], b".debug_tyqes", &bytes[at + 12..]].concat();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("without");
    std::fs::write(&path, renamed).unwrap();
    let error = format!("{:#}", convert(&path).unwrap_err());
    assert!(error.contains("which no type unit of this file has"), "{error}");
}

#[test]
fn a_module_has_what_its_kernel_has_not() {
    let kernel = Arc::new(btf("types-x86_64-5.o"));
    let options = Options { base: Some(kernel.clone()), ..Options::default() };
    let split = |name: &str| {
        let converted = dwarf::convert(&file(name), &options, &|_, _| {}).unwrap();
        OwnedBtf::from_split(converted.btf, kernel.clone()).unwrap()
    };
    let module = split("module.o");
    let view = module.view();
    assert_eq!(
        shapes(&view),
        [(
            "own".to_owned(),
            "struct own 32 { dev: *struct device @0; link: struct list @64; to: *struct ambiguous @192; }"
                .to_owned()
        )]
    );
    assert_eq!(functions(&view)["registered_too"], "int (own: *struct own, dev: *struct device)");
    // pointers to the kernel's own: none of its types is there again
    let own = view.own_types().map(|t| t.kind().name()).collect::<Vec<_>>();
    assert_eq!(own, ["struct", "ptr", "func_proto", "func"], "{own:?}");
    // the kernel as its own module: no types but the places of its variables
    let same = split("types-x86_64-5.o");
    let kinds = same.view().own_types().map(|t| t.kind().name()).collect::<Vec<_>>();
    assert_eq!(kinds, ["var", "var", "datasec"]);
    let error = format!("{:#}", dwarf::convert(&file("types-mips-5.o"), &options, &|_, _| {}).unwrap_err());
    assert!(error.contains("byte order"), "{error}");
}

#[test]
fn a_module_of_another_kernel_is_refused() {
    let kernel = Arc::new(btf("belongs-kernel.o"));
    let convert = |name: &str, release: Option<&str>| {
        let (base, base_release) = (Some(kernel.clone()), release.map(str::to_owned));
        let options = Options { base, base_release, ..Options::default() };
        dwarf::convert(&file(name), &options, &|_, _| {}).map_err(|error| format!("{error:#}"))
    };
    for release in [None, Some("6.1.0-test")] {
        let own = OwnedBtf::from_split(convert("belongs.o", release).unwrap().btf, kernel.clone()).unwrap();
        assert!(own.view().own_types().all(|t| t.kind().name() != "struct"), "it is the kernel's");
    }
    let error = convert("belongs.o", Some("6.1.1-test")).unwrap_err();
    assert!(error.contains("is a module of the kernel 6.1.0-test, not of 6.1.1-test"), "{error}");
    let error = convert("belongs-not.o", Some("6.1.0-test")).unwrap_err();
    assert!(error.contains("struct module has 96 bytes and 5 members, the kernel's 88 and 4"), "{error}");
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let one = convert(&file("two")).unwrap().btf;
    for threads in [2, 3, 8] {
        let options = Options { threads, ..Options::default() };
        assert_eq!(dwarf::convert(&file("two"), &options, &|_, _| {}).unwrap().btf, one);
    }
}

#[test]
fn what_cannot_be_converted_says_what_to_do() {
    let error = |name: &str| format!("{:#}", convert(&file(name)).unwrap_err());
    let stripped = error("two-bare");
    for word in ["-dbg", "kernel-debuginfo", "CONFIG_DEBUG_INFO"] {
        assert!(stripped.contains(word), "{stripped}");
    }
    let reduced = error("reduced.o");
    assert!(reduced.contains("CONFIG_DEBUG_INFO_REDUCED"), "{reduced}");
    let shared = error("two-dwz");
    for word in ["two.alt", ".gnu_debugaltlink", "dwz", "the vmlinux of the build"] {
        assert!(shared.contains(word), "{shared}");
    }
    let not_c = error("not_c.o");
    assert!(not_c.contains("C plus plus") || not_c.contains("not C"), "{not_c}");
    assert!(error("build.sh").contains("no ELF"));
    assert!(error("missing").contains("cannot open"));
}

#[test]
fn who_looks_for_btf_is_told_of_the_dwarf() {
    let error = format!("{:#}", OwnedBtf::open(&file("two")).unwrap_err());
    assert!(error.contains("corelet btf convert"), "{error}");
}

#[test]
fn the_command_writes_a_whole_file_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_corelet"))
            .arg("btf")
            .args(arguments)
            .current_dir(&folder)
            .output();
        let out = out.unwrap();
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    let path = |name: &str| file(name).display().to_string();
    let (code, said) = run(&["convert", &path("two"), "-o", "two.btf"]);
    assert!(code == Some(0) && said.contains("2 units of DWARF") && said.contains("per-cpu"), "{said}");
    assert_eq!(std::fs::read(folder.path().join("two.btf")).unwrap(), convert(&file("two")).unwrap().btf);
    let (code, said) = run(&["convert", &path("module.o"), "--base", "two.btf", "-o", "module.btf"]);
    assert_eq!(code, Some(0), "{said}");
    // built again: the same kernel or another
    let shipped = |with: &str| run(&["convert", &path("two"), "--shipped", with, "-o", "shipped.btf"]);
    let (code, said) = shipped(&path("two-4"));
    assert!(code == Some(0) && said.contains("same addresses"), "{said}");
    std::fs::remove_file(folder.path().join("shipped.btf")).unwrap();
    std::fs::write(
        folder.path().join("System.map"),
        "0000000000401000 T registered\n0000000000401001 t moved\n",
    )
    .unwrap();
    for other in [path("two-lto"), "System.map".to_owned(), path("two-bare"), path("build.sh")] {
        let (code, said) = shipped(&other);
        assert!(code == Some(3) && said.contains(&other), "{said}");
        assert!(!folder.path().join("shipped.btf").exists(), "{other}");
    }
    for input in ["two-bare", "reduced.o", "not_c.o", "build.sh", "two-dwz"] {
        let (code, said) = run(&["convert", &path(input), "-o", "none.btf"]);
        assert!(code == Some(3) && said.contains(input), "{said}");
        assert!(!folder.path().join("none.btf").exists(), "{input}");
    }
}
