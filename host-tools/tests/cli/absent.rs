//! `pack` with programs on what the kernel has not: refused where its types prove it, else said.

use crate::common::{Folder, WHO, input};
use serde_json::Value;

/// What a program is on, and what is said where the kernel has not what it names; whether it is certain without modules, and
/// on a kernel of before 5.11, whose modules have no types.
const WAYS: &[(&str, &str, [bool; 2])] = &[
    ("tp_btf", "has no tracepoint `gone`", [true, true]),
    ("fentry", "has no function `gone`", [true, false]),
    ("iter", "has no iterator `gone`", [true, true]),
    ("raw_tp", "has no tracepoint `gone`", [true, false]),
    ("tp", "has no tracepoint `gone`", [false, false]),
    ("kprobe", "has no function `gone`", [false, false]),
    ("ksyscall", "has no system call `gone`", [false, false]),
    ("call", "has no system call `gone`", [false, false]),
    ("kfunc", "has no `gone_kfunc`, which deep uses (insn #", [true, true]),
    ("variable", "has no `gone_variable`, which variable_gone uses (insn #", [true, true]),
];

fn folder() -> Folder {
    let folder = Folder::new();
    for name in ["absent.bpf.o", "absent.kernel.o"] {
        folder.put(name, &input(name));
    }
    for option in ["MODULES", "DEBUG_INFO_BTF_MODULES"] {
        folder.put(option, format!("CONFIG_BPF_SYSCALL=y\n# CONFIG_{option} is not set\n").as_bytes());
    }
    folder
}

/// A manifest that disables all programs but these.
fn alone(folder: &Folder, programs: &[&str], more: &str) {
    let ways = WAYS.iter().flat_map(|(way, ..)| [format!("{way}_there"), format!("{way}_gone")]);
    let others = ways.chain(["kfunc_weak".to_owned()]).filter(|name| !programs.contains(&&**name));
    let disabled = others.map(|name| format!("[programs.{name}]\ndisabled = true\n"));
    folder.put("absent.toml", (more.to_owned() + &disabled.collect::<String>()).as_bytes());
}

fn pack(more: &str) -> String {
    let target = WHO.replace("kernel.o", "absent.kernel.o");
    format!("pack absent.bpf.o --target {target}{more} -o out.pack --json")
}

fn doubts(report: &Value) -> &Vec<Value> {
    report["objects"][0]["targets"][0]["doubts"].as_array().unwrap()
}

#[test]
fn what_is_there_is_not_said_and_what_a_module_may_have_is() {
    let folder = folder();
    for (way, words, _) in WAYS {
        alone(&folder, &[&format!("{way}_there")], "");
        let ran = folder.done(&pack(""));
        assert!(
            doubts(&ran.json()).is_empty() && !ran.err.contains("as far as types show"),
            "{way}: {}",
            ran.err
        );

        alone(&folder, &[&format!("{way}_gone")], "");
        let ran = folder.done(&pack(""));
        let said = format!("{way}_gone (SEC(\"");
        let words = format!("the kernel {words}");
        let report = ran.json();
        let [Value::String(doubt)] = &doubts(&report)[..] else { panic!("{way}: {}", ran.err) };
        assert!(doubt.starts_with(&said) && doubt.contains(&words), "{doubt}");
        let line =
            format!("warning: absent on 6.1.0-test: {doubt}, as far as types show: loading fails unless");
        assert!(ran.err.contains(&line), "{}", ran.err);
    }
}

#[test]
fn what_no_module_can_have_is_refused() {
    let folder = folder();
    let old = pack("").replace("6.1.0-test", "5.10.0");
    let kernels = [(pack(",config=MODULES"), 0), (old, 1)];
    for (way, words, certain) in WAYS {
        let gone = format!("{way}_gone");
        for (pack, number) in &kernels {
            alone(&folder, &[&gone], "");
            if certain[*number] {
                let said = format!("{gone} (SEC(\"");
                folder.refused(pack, 1, &["cannot attach 1 of", &said, &format!("the kernel {words}")]);
            } else if *way != "fentry" {
                // an old kernel has no trampolines
                let ran = folder.done(pack);
                assert_eq!(doubts(&ran.json()).len(), 1, "{way}: {}", ran.err);
            }
            // nothing is wrong with what is there
            if !(*way == "fentry" && *number == 1) {
                alone(&folder, &[&format!("{way}_there")], "");
                assert!(doubts(&folder.done(pack).json()).is_empty(), "{way}");
            }
        }
    }
    // the modules' types alone are not there: a tracepoint without them may be
    alone(&folder, &["kfunc_gone"], "");
    folder.refused(&pack(",config=DEBUG_INFO_BTF_MODULES"), 1, &["has no `gone_kfunc`"]);
    alone(&folder, &["raw_tp_gone"], "");
    folder.done(&pack(",config=DEBUG_INFO_BTF_MODULES"));
}

/// Of alternatives the one that is left is taken; optional programs are the device's to leave out, but for what they use.
#[test]
fn alternatives_and_optional_programs() {
    let folder = folder();
    let programs = ["tp_btf_gone", "kprobe_there"];
    alone(&folder, &programs, "[[alternatives]]\nsets = [[\"tp_btf_gone\"], [\"kprobe_there\"]]\n");
    let report = folder.done(&pack(",config=MODULES")).json();
    let decisions = report["objects"][0]["targets"][0]["programs"].as_array().unwrap();
    let of = |name: &str| decisions.iter().find(|d| d[0] == name).unwrap()[1].clone();
    assert_eq!(of("tp_btf_gone"), "not loaded: an alternative is");
    assert_eq!(of("kprobe_there"), "loaded");
    assert!(doubts(&report).is_empty());

    // while both may be there nothing is said, unless each lacks something
    assert!(doubts(&folder.done(&pack("")).json()).is_empty());
    let programs = ["tp_btf_gone", "kprobe_gone"];
    alone(&folder, &programs, "[[alternatives]]\nsets = [[\"tp_btf_gone\"], [\"kprobe_gone\"]]\n");
    assert_eq!(doubts(&folder.done(&pack("")).json()).len(), 2);

    alone(&folder, &["tp_btf_gone"], "[programs.tp_btf_gone]\noptional = true\n");
    assert!(doubts(&folder.done(&pack(",config=MODULES")).json()).is_empty());
    alone(&folder, &["kfunc_gone"], "[programs.kfunc_gone]\noptional = true\n");
    folder.refused(
        &pack(",config=MODULES"),
        1,
        &["program kfunc_gone: the kernel has no `gone_kfunc`", "disable"],
    );

    alone(&folder, &["kfunc_weak"], "");
    let ran = folder.done(&pack(",config=MODULES"));
    assert!(
        doubts(&ran.json()).is_empty() && ran.err.contains("the kernel itself has no `gone_weak`"),
        "{}",
        ran.err
    );
}
