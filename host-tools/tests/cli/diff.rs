//! `btf diff` and the layout of `btf dump`.

use crate::common::{Folder, input, ko};
use crate::modules::{kernel, module};
use serde_json::Value;

fn text(folder: &Folder, words: &str, code: i32) -> String {
    let ran = folder.run(words);
    assert_eq!(ran.code, Some(code), "{words}: {}", ran.err);
    String::from_utf8(ran.out).unwrap()
}

#[test]
fn a_kernel_and_itself() {
    let folder = Folder::new();
    assert_eq!(text(&folder, "btf diff kernel.o kernel.o", 0), "0 types differ\n");
    let document = folder.done("btf diff kernel.o kernel.o --json --object sample.bpf.o").json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["types"], Value::Array(Vec::new()));
    assert_eq!(document["objects"][0]["relocations"], 22);
}

#[test]
fn a_named_type() {
    let folder = Folder::new();
    // the program's own types against the kernel's
    let out = text(&folder, "btf diff sample.bpf.o kernel.o task_struct", 1);
    let want = "struct task_struct: 48 -> 88 bytes
  new      stack        unsigned long [5] at 0 (40 bytes)
  new      exit_state   int at 40 (4 bytes)
  moved    pid          0 -> 44
  moved    tgid         4 -> 48
  new      in_execve    unsigned int at 52 (bits 0 to 0)
  moved    jobctl_mode  8 (bits 0 to 4) -> 52 (bits 1 to 5)
  moved    real_parent  16 -> 56
  moved    signal       24 -> 64
  moved    comm         32 -> 72
1 type differs
";
    assert_eq!(out, want);
    let unknown = folder.run("btf diff sample.bpf.o kernel.o tusk_struct");
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("neither kernel has a type called tusk_struct"), "{}", unknown.err);
}

#[test]
fn what_an_object_touches_and_what_relocation_makes_of_it() {
    let folder = Folder::new();
    let words = "btf diff kernel.o sample.bpf.o --object sample.bpf.o";
    let out = text(&folder, words, 1);
    for line in [
        "  moved    tgid         48 -> 4\n           sample.bpf.o handle_open sample.bpf.c:80: task->tgid: byte_off gives 4 instead \
         of 48, silently\n",
        "  changed  ZONE_MOVABLE  2 -> 1\n",
        "  new      ZONE_DEVICE   2\n           sample.bpf.o handle_switch sample.bpf.c:111: \
         bpf_core_enum_value_exists(enum zone_type, ZONE_DEVICE): enumval_exists gives 1 instead of 0, silently\n",
    ] {
        assert!(out.contains(line), "{line} is not in {out}");
    }
    assert!(!out.contains("exit_state"), "no program reads it: {out}");
    let document = folder.run(&format!("{words} --json")).json();
    let task = document["types"].as_array().unwrap().iter().find(|t| t["name"] == "task_struct").unwrap();
    let tgid = task["parts"].as_array().unwrap().iter().find(|p| p["name"] == "tgid").unwrap();
    assert_eq!((&tgid["change"], &tgid["before"]["field"]["bit_offset"]), (&"moved".into(), &384.into()));
    assert_eq!(task["uses"]["tgid"][0]["fates"][1]["value"], 4);
    assert_eq!(document["objects"][0]["object"], "sample.bpf.o");
    // a poisoned one
    folder.put("dropped.kernel.o", &input("dropped.kernel.o"));
    let out = text(&folder, "btf diff kernel.o dropped.kernel.o --object sample.bpf.o", 1);
    assert!(out.contains("struct task_struct: gone\n"), "{out}");
    assert!(out.contains("byte_off is POISONED: the target has no struct task_struct"), "{out}");
}

#[test]
fn the_layout_of_a_struct() {
    let folder = Folder::new();
    let out = text(&folder, "btf dump kernel.o task_struct", 0);
    for line in [
        "\tunsigned int jobctl_mode:5;               /*    52: 1  4 */\n\n\t/* XXX 26 bits hole, try to pack */\n\n",
        "\t/* --- cacheline 1 boundary (64 bytes) --- */\n\tstruct signal_struct *signal;             /*    64     8 */\n",
        "\t/* size: 88, cachelines: 2, members: 9 */\n",
        "\t/* last cacheline: 24 bytes */\n};\n",
    ] {
        assert!(out.contains(line), "{line} is not in {out}");
    }
    folder.refused("btf dump kernel.o tusk_struct", 3, &["kernel.o", "tusk_struct"]);
    assert_eq!(folder.run("btf dump kernel.o task_struct --cacheline 0").code, Some(2));
}

/// A module's types count where they are asked for, whether by name or by an object's manifest, and built in or not.
#[test]
fn types_of_modules_are_compared_too() {
    let folder = Folder::new();
    let put = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    put("a/gone-by.ko", &ko(&[(".BTF", &module(&kernel()))]));
    put("b/modules.builtin", b"kernel/gone-by.ko\n");
    let words = "btf diff kernel.o,modules=a kernel.o,modules=b --module gone_by";
    let out = text(&folder, words, 1);
    assert!(out.contains("struct gone_struct") && out.contains("1 type differs"), "{out}");
    assert_eq!(text(&folder, &words.replace(" --module gone_by", ""), 0), "0 types differ\n");
    // the same, since the sample asks whether there is such a type
    folder.put("sample.toml", b"[object]\nmodules = [\"gone_by\"]\n");
    let out = text(&folder, "btf diff kernel.o,modules=a kernel.o,modules=b --object sample.bpf.o", 1);
    assert!(out.contains("struct gone_struct") && out.contains("type_exists gives 0 instead of 1"), "{out}");
    folder.refused(
        "btf diff kernel.o kernel.o,modules=b --module gone_by",
        2,
        &["kernel.o: nothing says where"],
    );
    folder.refused("btf diff kernel.o,modules=a kernel.o,modules=a --module other", 3, &["no module other"]);
    let odd = folder.run("btf diff kernel.o,module=a kernel.o");
    assert!(odd.code == Some(2) && odd.err.contains("expected btf=, config=, modules="), "{}", odd.err);
}
