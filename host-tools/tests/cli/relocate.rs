//! `relocate` and `btf min`: the contract that other programs rely on.

use crate::common::{Folder, input};
use serde_json::Value;

fn programs(document: &Value) -> &[Value] {
    document["programs"].as_array().unwrap()
}

/// `KIND SPEC OUTCOME NEW` of every relocation of a program.
fn relocations(document: &Value, program: &str) -> Vec<String> {
    let program = programs(document).iter().find(|p| p["name"] == program).unwrap();
    let relocations = program["relocations"].as_array().unwrap().iter();
    let word = |r: &Value, key: &str| r[key].as_str().unwrap().to_owned();
    relocations
        .map(|r| {
            let spec = word(r, "spec");
            let field = spec.split([' ', '(']).nth(2).unwrap();
            format!("{} {field} {} {}", word(r, "kind"), word(r, "outcome"), r["new"])
        })
        .collect()
}

#[test]
fn every_kind_of_relocation_takes_the_kernels_value() {
    let folder = Folder::new();
    let document = folder.done("relocate sample.bpf.o --btf kernel.o --json").json();
    assert_eq!(
        relocations(&document, "handle_open"),
        [
            "byte_off task_struct.tgid patched 48",
            "byte_off task_struct.signal patched 64",
            "byte_off signal_struct.nr_threads patched 8",
            "enumval_value zone_type::ZONE_MOVABLE patched 2",
            "byte_off task_struct.jobctl_mode patched 52",
            "byte_sz task_struct.jobctl_mode patched 4",
            "lshift_u64 task_struct.jobctl_mode patched 58",
            "signed task_struct.jobctl_mode patched 0",
            "rshift_u64 task_struct.jobctl_mode patched 59",
            "rshift_u64 task_struct.jobctl_mode patched 59",
            "byte_off task_struct.comm patched 72",
        ]
    );
    // what the kernel lacks is 0 where the program asks for it, and poison where the program takes it
    let signal_struct = kernel_id("signal_struct");
    assert_eq!(
        relocations(&document, "handle_switch"),
        [
            "type_size task_struct patched 88".to_owned(),
            "type_exists gone_struct patched 0".to_owned(),
            format!("target_type_id signal_struct patched {signal_struct}"),
            "local_type_id event patched 36".to_owned(),
            "enumval_exists zone_type::ZONE_DEVICE patched 0".to_owned(),
            "type_matches signal_struct patched 1".to_owned(),
            "byte_sz task_struct.comm patched 16".to_owned(),
            "field_exists task_struct___newer.kernel_pid patched 0".to_owned(),
            "byte_off task_struct___newer.kernel_pid poisoned null".to_owned(),
        ]
    );
    assert_eq!(
        relocations(&document, "parent_of"),
        ["byte_off task_struct.real_parent patched 56", "byte_off task_struct.pid patched 44"]
    );
}

/// The id of a struct in `kernel.o`, through the library.
fn kernel_id(name: &str) -> u32 {
    use corelet_core::btf::Kind;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/progs/kernel.o");
    let btf = corelet_host_tools::btf::OwnedBtf::open(&path).unwrap();
    let found = btf.view().find(name, Kind::Struct).unwrap();
    found.id.0
}

#[test]
fn the_document_has_the_members_of_the_contract_and_no_other() {
    let folder = Folder::new();
    let document = folder.done("relocate sample.bpf.o --btf kernel.o --json").json();
    let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), ["programs", "schema"]);
    assert_eq!(document["schema"], 1);
    let names: Vec<_> = programs(&document).iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["parent_of", "handle_open", "handle_switch", "handle_exit"], "`?` and .text too");
    for program in programs(&document) {
        assert_eq!(keys(program), ["insns", "name", "offset", "relocations", "section"]);
        let insns = program["insns"].as_str().unwrap();
        assert!(insns.len() % 16 == 0 && insns.bytes().all(|c| c.is_ascii_hexdigit()));
        for (number, r) in (0u32..).zip(program["relocations"].as_array().unwrap()) {
            let always = ["index", "insn", "kind", "spec", "target_spec", "old", "new", "outcome", "reason"];
            let often = ["mem_sz", "source"];
            let explained = ["access", "line", "local", "target", "candidates", "before", "after"];
            assert!(explained.iter().all(|key| r.get(key).is_some()), "{r}");
            assert!(always.iter().all(|key| r.get(key).is_some()), "{r}");
            let known = [&always[..], &often, &explained].concat();
            assert!(keys(r).iter().all(|k| known.contains(&&**k)), "{r}");
            // one section a function here, so records count from 0 within each
            assert_eq!(r["index"], number);
            let poisoned = r["outcome"] == "poisoned";
            assert_eq!(r["reason"].is_string(), poisoned, "{r}");
            assert_eq!(r["new"].is_u64(), !poisoned, "{r}");
            let at = r["insn"].as_u64().unwrap() as usize * 16;
            assert_eq!(&insns[at..at + 16] == "850000001023ad0b", poisoned, "{r}");
        }
    }
    assert_eq!(programs(&document)[3]["section"], "kprobe/do_exit");
}

#[test]
fn a_failed_relocation_is_not_portable_and_leaves_its_instruction() {
    let folder = Folder::new();
    let ran = folder.run("relocate unportable.bpf.o --btf kernel.o --json");
    assert_eq!(ran.code, Some(1));
    let document = ran.json();
    let program = &programs(&document)[0];
    let r = &program["relocations"][0];
    assert_eq!(r["outcome"], "failed");
    assert!(r["reason"].as_str().unwrap().starts_with("ambiguous: the target's struct twin "), "{r}");
    assert_eq!(program["insns"], "61100000000000009500000000000000");
    assert_eq!(r["source"], "unportable.bpf.c:8");
}

#[test]
fn poison_counts_only_when_asked() {
    let folder = Folder::new();
    let text = folder.done("relocate sample.bpf.o --btf kernel.o");
    let text = String::from_utf8(text.out).unwrap();
    assert!(text.ends_with("\n21 patched, 1 poisoned, 0 failed\n"), "{text}");
    assert!(text.contains("no struct task_struct of the target has `.kernel_pid`"), "{text}");
    assert_eq!(folder.run("relocate sample.bpf.o --btf kernel.o --strict").code, Some(1));
}

#[test]
fn each_relocation_is_explained() {
    let folder = Folder::new();
    let text = |words: &str| String::from_utf8(folder.run(words).out).unwrap();
    let parent = text("relocate sample.bpf.o --btf kernel.o --program parent_of");
    assert!(
        parent.ends_with(
            "
  sample.bpf.c:74: return BPF_CORE_READ(task, real_parent, pid);
    task->real_parent->pid
      relo #1: insn #7 <byte_off> [24] struct task_struct.pid (0:0 @ offset 0)
      target:  [1] struct task_struct.pid (0:2 @ offset 44)
      local 0 (4 bytes) -> target 44 (4 bytes)
      before:  r1 = 0
      after:   r1 = 44

21 patched, 1 poisoned, 0 failed
"
        ),
        "{parent}"
    );
    // the compiler moved the instruction to another line, which does not read the field
    assert!(parent.contains("\n    task->real_parent\n      relo #0: insn #1 "), "{parent}");

    let poisoned = text("relocate sample.bpf.o --btf kernel.o --only poisoned");
    assert_eq!(
        poisoned,
        "handle_switch (raw_tracepoint/sched_switch, 35 insns)

  sample.bpf.c:115: if (bpf_core_field_exists(newer->kernel_pid))
    newer->kernel_pid
      relo #8: insn #19 <byte_off> [37] struct task_struct___newer.kernel_pid (0:0 @ offset 0)
      local 0 (4 bytes)
      candidates:
             [1] struct task_struct  dropped: has no member `kernel_pid`
      before:  r1 = 0
      after:   call unknown#195896080 (poisoned)
      no struct task_struct of the target has `.kernel_pid` of a type that fits

21 patched, 1 poisoned, 0 failed
"
    );
    let failed = text("relocate unportable.bpf.o --btf kernel.o --only failed");
    for line in [
        "    ctx->b\n",
        " struct twin___first   fits, gives 4\n",
        " struct twin___second  fits, gives 0\n",
        "      after:   r0 = *(u32 *)(r1 +0) (FAILED: as it was)\n",
    ] {
        assert!(failed.contains(line), "{line}{failed}");
    }
    folder.refused("relocate sample.bpf.o --btf kernel.o --program nobody", 3, &["nobody", "handle_open"]);
}

#[test]
fn each_candidate_that_is_dropped_has_its_reason() {
    let folder = Folder::new();
    for name in ["dropped.bpf.o", "dropped.kernel.o"] {
        folder.put(name, &input(name));
    }
    let document = folder.done("relocate dropped.bpf.o --btf dropped.kernel.o --json").json();
    let relocations = programs(&document)[0]["relocations"].as_array().unwrap();
    let candidates = |r: &Value| -> Vec<String> {
        let one = |c: &Value| match c["dropped"].as_str() {
            Some(why) => format!("{}: {why}", c["name"].as_str().unwrap()),
            None => format!("{} gives {}", c["name"].as_str().unwrap(), c["value"]),
        };
        r["candidates"].as_array().unwrap().iter().map(one).collect()
    };
    let all: Vec<_> = relocations.iter().map(candidates).collect();
    assert_eq!(
        all,
        [
            &[
                "struct box___ptr: its `value` is int *, not int",
                "struct box___other: has no member `value`, but `__value`",
                "struct box___short gives 0",
                "struct box___good gives 0",
            ][..],
            &[
                "struct box___short: has no element 5: it is int[2] there",
                "struct box___good gives 24",
                "struct box___ptr: its `value` is int *, not int (by relo #0 of dropped, for all later ones)",
                "struct box___other: has no member `value`, but `__value` (by relo #0 of dropped, for all later ones)",
            ],
            &["struct shape: its `in.a` is long, not int"],
            &["typedef only: is another kind of type than a struct"],
            &["enum color: has no enumerator `BLUE`"],
        ]
    );
    assert_eq!(relocations[1]["access"], "box->arr[5]");
    assert_eq!(
        relocations[1]["local"],
        serde_json::json!({"field": {"offset": 24, "size": 4, "bits": null}})
    );
}

#[test]
fn the_minimum_gives_what_the_whole_gives() {
    let folder = Folder::new();
    let ran = folder.done("btf min --btf kernel.o sample.bpf.o unportable.bpf.o -o min.btf");
    assert!(ran.err.contains("sample.bpf.o: asks for ids of the kernel's types"), "{}", ran.err);
    assert!(folder.get("min.btf").len() < folder.get("kernel.o").len() / 2);
    for object in ["sample", "unportable"] {
        let results = ["kernel.o", "min.btf"].map(|btf| {
            let ran = folder.run(&format!("relocate {object}.bpf.o --btf {btf} --json"));
            let mut document = ran.json();
            for program in document["programs"].as_array_mut().unwrap() {
                for r in program["relocations"].as_array_mut().unwrap() {
                    // ids of types are others in the minimum; so is what names them
                    let r = r.as_object_mut().unwrap();
                    let of_an_id = r["kind"] == "target_type_id" || r["outcome"] == "failed";
                    r.remove("target_spec");
                    // candidates are the minimum's own, and may have lost the member that another name was near to
                    r.remove("candidates");
                    r.retain(|key, _| !of_an_id || !["new", "reason", "after"].contains(&&**key));
                }
                let insns = program["insns"].as_str().unwrap().to_owned();
                if program["name"] == "handle_switch" {
                    // insn #4 holds the id
                    program["insns"] = format!("{}{}", &insns[..64], &insns[80..]).into();
                }
            }
            (ran.code, document)
        });
        assert_eq!(results[0], results[1], "{object}");
    }
}

#[test]
fn raw_and_embedded_types_are_the_same() {
    let folder = Folder::new();
    let report = folder.done("btf extract kernel.o -o kernel.btf --json").json();
    assert_eq!((&report["schema"], &report["pointer_size"]), (&1.into(), &8.into()));
    assert_eq!(report["bytes"], folder.get("kernel.btf").len());
    let json = |btf: &str| folder.done(&format!("relocate sample.bpf.o --btf {btf} --json")).out;
    assert_eq!(json("kernel.o"), json("kernel.btf"));
    let c = |btf: &str| folder.done(&format!("btf dump {btf} --type task_struct")).out;
    assert_eq!(c("kernel.o"), c("kernel.btf"));
    let text = String::from_utf8(c("kernel.o")).unwrap();
    assert!(text.contains("struct task_struct {") && !text.contains("unused"), "{text}");
}
