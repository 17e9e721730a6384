//! `pack`, `target`, `inspect` and `decode`, on what is right.

use crate::common::{Folder, WHO, input};
use corelet_core::event::Out;
use corelet_core::event::raw::{Header, put_end, put_event};

const MANIFEST: &str = r#"
[object]
spdx = "GPL-2.0-only"

[maps.events]
event = "struct event"

[programs.handle_switch]
optional = true

[variables]
targ_pid = -7

[[results]]
name = "opened"
map = "counts"
how = "entries"

[hints."struct event"]
mode = "hex"
"#;

/// Ids of types that no kernel knows are no ids: `bpf_core_type_id_kernel` on types that were made of debug information.
#[test]
fn ids_that_are_not_the_kernels_are_named() {
    let folder = Folder::new();
    folder.done("btf extract kernel.o -o kernel.btf");
    // the same types, and the name of one that has nothing to do with it is another
    let other = folder.get("kernel.btf");
    let at = other.windows(4).position(|w| w == b"long").unwrap();
    let renamed = [&other[..at], b"L", &other[at + 1..]].concat();
    folder.put("made.btf", &renamed);
    folder.put("without", b"CONFIG_BPF_SYSCALL=y\nCONFIG_BPF_EVENTS=y\nCONFIG_TRACEPOINTS=y\n");
    let who = WHO.split_once(',').unwrap().1;
    let said = "sample.bpf.c:110: handle_switch insn #";
    let asks = "asks for the kernel's id of [";
    for (target, words) in [
        (WHO.to_owned(), None),
        (format!("{WHO},btf=kernel.btf"), None),
        (
            format!("{WHO},btf=made.btf"),
            Some("no kernel knows that id, and helpers that take it fail; build the kernel with"),
        ),
        (
            format!("kernel.btf,{who},config=without"),
            Some("not the kernel's own BTF but were made of debug information"),
        ),
        (format!("kernel.btf,{who}"), Some("give the kernel's image as the target, which tells")),
    ] {
        let ran = folder.run(&format!("pack sample.bpf.o --target {target} -o out.pack --json"));
        assert_eq!(ran.code, Some(0), "{target}: {}", ran.err);
        let line = ran.err.lines().find(|line| line.contains(asks));
        let named = ran.json()["objects"][0]["targets"][0]["foreign_ids"].clone();
        match words {
            None => assert!(line.is_none() && named == serde_json::json!([]), "{target}: {}", ran.err),
            Some(words) => {
                let line = line.unwrap_or_else(|| panic!("{target}: {}", ran.err));
                assert!(
                    line.contains(said) && line.contains(words) && line.contains("signal_struct"),
                    "{line}"
                );
                assert_eq!(named[0]["program"], "handle_switch", "{named}");
                assert_eq!(named.as_array().unwrap().len(), 1);
            }
        }
    }
}

/// The image of a root file system, made by mke2fs: its kernel and that one's configuration are found in it.
#[test]
fn a_target_may_be_in_a_file_system() {
    let folder = Folder::new();
    folder.put("rootfs.ext4.gz", &input("rootfs.ext4.gz"));
    let report = folder.done("btf extract rootfs.ext4.gz -o rootfs.btf --json").json();
    let format = report["format"].as_str().unwrap();
    assert!(format.starts_with("gzip → ext4 file system (boot/vmlinux-6.1.0-test) → ELF object"), "{format}");
    assert_eq!(report["config"], "boot/config-6.1.0-test in the ext4 file system");
    folder.done("btf extract kernel.o -o kernel.btf");
    assert_eq!(folder.get("rootfs.btf"), folder.get("kernel.btf"));
    let target = WHO.replace("kernel.o", "rootfs.ext4.gz");
    let said = ["configured without CONFIG_BPF_EVENTS: handle_open"];
    folder.refused(&format!("pack sample.bpf.o --target {target} -o out.pack"), 1, &said);
    let against = folder.run("kconfig sample.bpf.o --against rootfs.ext4.gz");
    assert!(against.code == Some(1) && against.err.contains("lacks 5 of"), "{against:?}");
    cut(&folder, "rootfs.ext4.gz");
}

/// Every tenth of a file of its own is none.
fn cut(folder: &Folder, name: &str) {
    let whole = folder.get(name);
    for tenth in 0..10 {
        folder.put(name, &whole[..whole.len() * tenth / 10]);
        assert_eq!(folder.run(&format!("btf extract {name}")).code, Some(3));
    }
}

/// What the loader does on a kernel of before 5.5 is said when packing for one.
#[test]
fn calls_that_an_old_kernel_does_not_know_are_counted() {
    let folder = Folder::new();
    for (release, calls) in [("5.5.0", 0), ("5.4.0", 8)] {
        let target = WHO.replace("6.1.0-test", release);
        let ran = folder.done(&format!("pack sample.bpf.o --target {target} -o out.pack --json"));
        assert_eq!(ran.json()["objects"][0]["targets"][0]["replaced_calls"], calls);
        let said = "on 5.4.0: kernels before 5.5 have no bpf_probe_read_kernel()";
        assert_eq!(ran.err.contains(said), calls > 0, "{}", ran.err);
    }
}

#[test]
fn a_pack_says_what_is_in_it() {
    let folder = Folder::new();
    folder.put("sample.toml", MANIFEST.as_bytes());
    let ran = folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack"));
    assert!(
        ran.err.contains("poisoned: sample on 6.1.0-test: sample.bpf.c:115: handle_switch"),
        "{}",
        ran.err
    );
    let document = folder.done("inspect sample.pack --json").json();
    assert_eq!(document["schema"], 1);
    let object = &document["objects"][0];
    assert_eq!((&object["name"], &object["spdx"]), (&"sample".into(), &"GPL-2.0-only".into()));
    assert_eq!(object["relocations"], 22);
    let names = |list: &str, key: &str| -> Vec<String> {
        let list = object[list].as_array().unwrap().iter();
        list.map(|v| v[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("programs", "name"), ["handle_open", "handle_switch", "handle_exit"]);
    assert_eq!(names("maps", "name"), ["counts", "events", ".rodata", ".bss"]);
    assert_eq!(names("results", "name"), ["opened"]);
    assert_eq!(object["events"][0]["map"], 1);
    let target = &document["targets"][0];
    assert_eq!(target["object"], object["digest"]);
    assert_eq!((&target["release"], &target["version"]), (&"6.1.0-test".into(), &"#1".into()));
    assert_eq!(target["build_id"], "00112233445566778899");
    assert_eq!((&target["arch"], &target["pointer_size"]), (&"aarch64".into(), &8.into()));
    assert_eq!(target["decisions"]["1"], "IfPresent");
    assert_eq!(target["decisions"]["2"]["Skip"], "NoAutoload");
    // instructions in RAM, and tables beside them that are smaller than the loader's
    let insns = document["sections"].as_array().unwrap().iter().find(|s| s["name"] == "INSNS").unwrap();
    let alone = target["relocation_bytes"].as_u64().unwrap() - insns["bytes"].as_u64().unwrap();
    assert!((832..2048).contains(&alone), "{alone}");
    assert_eq!(document["format"], "pack");
    let zones = target["subset"].as_array().unwrap().iter().find(|t| t["name"] == "zone_type").unwrap();
    assert_eq!(zones["members"], serde_json::json!(["ZONE_MOVABLE"]), "{zones}");
    let text = String::from_utf8(folder.done("inspect sample.pack").out).unwrap();
    assert!(text.contains("    enum zone_type (4 bytes): ZONE_MOVABLE\n"), "{text}");
    let relocates = format!("{} bytes to relocate only", target["relocation_bytes"]);
    assert!(text.contains(&relocates), "{text}");
    assert!(text.starts_with("sample.pack: ") && text.contains("build id 00112233445566778899"), "{text}");
}

/// What 0.31 does not have and another version does: a program, alone and in alternatives, a map, a variable, a result.
#[test]
fn what_only_other_versions_have_is_left_out_where_the_manifest_says_so() {
    let folder = Folder::new();
    let pack = format!("pack sample.bpf.o --target {WHO} -o sample.pack");
    folder.put("sample.toml", MANIFEST.as_bytes());
    folder.done(&pack);
    let expected = folder.get("sample.pack");
    let more = "[maps.later_map]\nmax_entries = 1\n[programs.later]\noptional = true\n\
                [[alternatives]]\nsets = [[\"later_fentry\"], [\"later_kprobe\"]]\n\
                [[alternatives]]\nsets = [[\"later_open\"], [\"handle_open\"]]\n\
                [[results]]\nname = \"x\"\nvariable = \"later_stats\"\nhow = \"entries\"\n";
    let more = MANIFEST.replace("targ_pid = -7", "targ_pid = -7\nlater_filter = 1") + more;
    let names =
        ["later_map", "later", "later_fentry", "later_kprobe", "later_open", "later_stats", "later_filter"];
    let varying = |without: &str| {
        let names: Vec<&str> = names.into_iter().filter(|name| *name != without).collect();
        more.replace("[object]", &format!("[object]\nvarying = {names:?}"))
    };
    folder.put("sample.toml", varying("").as_bytes());
    folder.done(&pack);
    assert!(folder.get("sample.pack") == expected, "the pack is another one");
    // one that is not called so must be there
    for name in names {
        folder.put("sample.toml", varying(name).as_bytes());
        folder.refused(&pack, 3, &[name]);
    }
}

/// Two versions of a tool may send events of one size: a program that only one of them has says which this is. Hints on the
/// other's event are no mistake.
#[test]
fn events_of_one_size_are_told_apart_by_a_program() {
    let folder = Folder::new();
    let packed = |program: &str| {
        let text = format!(
            "[maps.events]\nevent_decl = [\"struct early {{ __u64 a[5]; }};\", {{ program = \"{program}\", decl = \"struct late {{ \
             __u32 b[10]; }};\" }}]\n[hints.\"struct early\"]\na = \"hex\"\n[hints.\"struct late\"]\nb = \"hex\"\n"
        );
        folder.put("sample.toml", text.as_bytes());
        folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack"));
        let pack = folder.get("sample.pack");
        ["early", "late"]
            .map(|name| pack.windows(name.len() + 1).any(|w| w == [name.as_bytes(), &[0]].concat()))
    };
    assert_eq!(packed("handle_open"), [false, true]);
    assert_eq!(packed("handle_later"), [true, false]);
}

#[test]
fn the_size_of_values_is_the_objects_where_it_has_one() {
    let folder = Folder::new();
    folder.put("sample.toml", b"[maps.counts]\nvalue_size = 3\n");
    let pack = format!("pack sample.bpf.o --target {WHO} -o sample.pack");
    folder.refused(&pack, 3, &["value_size = 3: the object says 8"]);
}

#[test]
fn a_report_counts_what_relocation_did() {
    let folder = Folder::new();
    let report = folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack --json")).json();
    assert_eq!((&report["schema"], &report["bytes"]), (&1.into(), &folder.get("sample.pack").len().into()));
    let target = &report["objects"][0]["targets"][0];
    assert_eq!(
        [&target["patched"], &target["poisoned"], &target["failed"]],
        [&serde_json::json!(21), &1.into(), &0.into()]
    );
}

#[test]
fn same_input_same_bytes() {
    let folder = Folder::new();
    folder.put("sample.toml", MANIFEST.as_bytes());
    let other = Folder::new();
    other.put("sample.toml", MANIFEST.as_bytes());
    for words in [
        &*format!("pack sample.bpf.o unportable.bpf.o --target {WHO} -o out --lines"),
        &format!("pack sample.bpf.o --target {WHO} --target {},arch=riscv64 -o out", WHO),
        &format!("target sample.bpf.o --target {WHO} -o out"),
        "btf min --btf kernel.o sample.bpf.o -o out",
        "btf dump kernel.o -o out --asserts",
        "btf extract kernel.o -o out",
    ] {
        let outputs = [&folder, &other].map(|f| {
            let ran = f.run(words);
            (ran.code, ran.out, ran.err, f.files().into_values().collect::<Vec<_>>())
        });
        assert!(outputs[0] == outputs[1], "{words}: {} and {}", outputs[0].2, outputs[1].2);
    }
}

#[test]
fn a_target_file_holds_the_target_of_its_pack_alone() {
    let folder = Folder::new();
    folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack"));
    folder.done(&format!("target sample.bpf.o --target {WHO} -o sample.target"));
    let mut documents =
        ["sample.pack", "sample.target"].map(|f| folder.done(&format!("inspect {f} --json")).json());
    // what relocation takes depends on the object too, which is only in the pack
    let taken = documents.each_mut().map(|d| d["targets"][0]["relocation_bytes"].take());
    assert!(taken[0].is_u64() && taken[1].is_null(), "{taken:?}");
    assert_eq!(documents[0]["targets"], documents[1]["targets"]);
    assert_eq!(documents[1]["objects"], serde_json::json!([]));
    assert_eq!(documents[0]["targets"].as_array().unwrap().len(), 1);
}

/// A stream as a 64-bit little-endian device writes it: the header, the digest of the pack's object, events, the end.
fn stream(digest: &[u8], events: &[&[u8]]) -> Vec<u8> {
    let mut memory = [0; 1024];
    let mut out = Out::new(&mut memory);
    Header { endian: corelet_core::Endian::Little, pointer_size: 8, objects: 1 }.put(&mut out);
    out.put(digest);
    for event in events {
        put_event(&mut out, 0, 1, event);
    }
    put_end(&mut out, 2, 0);
    out.bytes().to_vec()
}

/// A `struct event` of `sample.bpf.c`.
fn event(pid: u32, comm: &[u8; 16]) -> Vec<u8> {
    let mut event = Vec::new();
    for word in [pid, 1, 2, 3] {
        event.extend(word.to_le_bytes());
    }
    event.extend(0x1fu64.to_le_bytes());
    event.extend(comm);
    event
}

#[test]
fn raw_records_are_printed_by_the_pack() {
    let folder = Folder::new();
    folder.put("sample.toml", MANIFEST.as_bytes());
    folder.done(&format!("pack sample.bpf.o --target {WHO} -o sample.pack"));
    let digest = folder.done("inspect sample.pack --json").json()["objects"][0]["digest"].clone();
    let hex = digest.as_str().unwrap();
    let digest: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
    let raw = stream(
        &digest,
        &[&event(17, b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), &event(18, b"a\"\x1b[2J\n\0\0\0\0\0\0\0\0\0")],
    );
    folder.put("events.raw", &raw);
    let ran = folder.done("decode --pack sample.pack --json events.raw");
    let lines: Vec<serde_json::Value> = ran
        .out
        .split(|&b| b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert_eq!(lines[0]["pid"], 17);
    assert_eq!((&lines[0]["zone"], &lines[0]["comm"]), (&3.into(), &"sh".into()));
    assert!(!ran.out.contains(&0x1b), "what a process can write is escaped");
    assert_eq!(lines.len(), 3, "two events, and what was lost");

    // cut anywhere: what is whole is printed, then the error
    for cut in [3, 20, 50, raw.len() - 1] {
        folder.put("events.raw", &raw[..cut]);
        let ran = folder.run("decode --pack sample.pack --json events.raw");
        assert_eq!(ran.code, Some(3), "{cut}");
        assert!(ran.err.starts_with("corelet: events.raw: ") && ran.err.lines().count() == 1, "{}", ran.err);
    }
    // and of another object
    folder.put("events.raw", &stream(&[9; 32], &[]));
    folder.refused("decode --pack sample.pack events.raw", 3, &["events.raw", "pack"]);
}

#[test]
fn events_that_no_manifest_gives_a_type_are_told() {
    let folder = Folder::new();
    let words = format!("pack sample.bpf.o --target {WHO} -o sample.pack");
    let ran = folder.done(&words);
    let said =
        "warning: sample: map events: carries events of 40 bytes (sent by handle_open), but no manifest";
    assert!(ran.err.contains(said) && ran.err.contains("[maps.events] event = "), "{}", ran.err);
    assert!(String::from_utf8(ran.out).unwrap().contains("  manifest: none\n"));
    let object = &folder.done(&format!("{words} --json")).json()["objects"][0];
    assert_eq!(object["manifest"], serde_json::Value::Null);
    let untyped = serde_json::json!([{ "map": "events", "sizes": [40], "programs": ["handle_open"] }]);
    assert_eq!(object["untyped_events"], untyped);

    folder.put("sample.toml", MANIFEST.as_bytes());
    let ran = folder.done(&words);
    assert!(!ran.err.contains("warning: "), "{}", ran.err);
    assert!(String::from_utf8(ran.out).unwrap().contains("  manifest: sample.toml\n"));
    let object = &folder.done(&format!("{words} --json")).json()["objects"][0];
    assert_eq!(
        (&object["manifest"], &object["untyped_events"]),
        (&"sample.toml".into(), &serde_json::json!([]))
    );
}

#[test]
fn events_of_one_object_among_several_have_its_name() {
    let folder = Folder::new();
    folder.put("sample.toml", MANIFEST.as_bytes());
    let mut other = folder.get("sample.bpf.o");
    other.push(0); // another file, the same object
    folder.put("other.bpf.o", &other);
    folder.put("other.toml", MANIFEST.as_bytes());
    let names = |objects: &str| -> Vec<serde_json::Value> {
        folder.done(&format!("pack {objects} --target {WHO} -o out"));
        let document = folder.done("inspect out --json").json();
        let objects = document["objects"].as_array().unwrap().iter();
        objects.map(|o| o["events"][0]["name"].clone()).collect()
    };
    assert_eq!(names("sample.bpf.o"), [""]);
    assert_eq!(names("sample.bpf.o other.bpf.o"), ["sample", "other"]);
}

#[test]
fn strict_takes_no_poisoned_instruction() {
    let folder = Folder::new();
    let before = folder.files();
    let words = format!("pack sample.bpf.o --target {WHO} -o sample.pack --strict");
    let ran = folder.run(&words);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("poisoned: sample on 6.1.0-test: "), "{}", ran.err);
    assert!(ran.err.contains("nothing was written: with --strict"), "{}", ran.err);
    assert!(!String::from_utf8(ran.out).unwrap().contains("sample.pack: "), "no size of what is not there");
    assert!(folder.files() == before);

    let report = folder.run(&format!("{words} --json")).json();
    assert_eq!(report["bytes"], serde_json::Value::Null);
    let target = &report["objects"][0]["targets"][0];
    assert_eq!((&target["version"], &target["arch"]), (&"#1".into(), &"aarch64".into()));
    assert_eq!(target["build_id"], "00112233445566778899");
    let unresolved = &target["unresolved"][0];
    assert_eq!(
        (&unresolved["program"], &unresolved["outcome"]),
        (&"handle_switch".into(), &"poisoned".into())
    );
    assert_eq!(unresolved["source"], "sample.bpf.c:115");

    // the program that has it is not loaded
    folder.put("sample.toml", b"[programs.handle_switch]\ndisabled = true");
    folder.done(&words);
}

/// What the loader looks for, DIGEST/BUILDID.target, with the bytes that `corelet target` gives for that kernel alone.
#[test]
fn targets_apart_are_named_by_digest_and_build_id() {
    let folder = Folder::new();
    let other = WHO.replace("00112233445566778899", "ffeeddccbbaa99887766");
    let both = format!("--target {WHO} --target {other}");
    let ran =
        folder.done(&format!("pack sample.bpf.o {both} -o sample.pack --targets-out pkg/targets --json"));
    let document = folder.done("inspect sample.pack --json").json();
    assert!(document["targets"].as_array().unwrap().is_empty(), "{document}");
    let digest = document["objects"][0]["digest"].as_str().unwrap();
    let more = ran.json()["more"].clone();
    for (at, (who, id)) in
        [(WHO, "00112233445566778899"), (&other, "ffeeddccbbaa99887766")].iter().enumerate()
    {
        let name = format!("pkg/targets/{digest}/{id}.target");
        assert_eq!(more[at]["file"], name.as_str());
        let file = folder.get(&name);
        assert_eq!(more[at]["bytes"], file.len());
        folder.done(&format!("target sample.bpf.o --target {who} -o alone.target"));
        assert_eq!(file, folder.get("alone.target"));
        let inside = folder.done(&format!("inspect {name} --json")).json();
        assert_eq!(inside["targets"][0]["build_id"], *id);
    }
    folder.done(&format!("target sample.bpf.o --target {WHO} --targets-out again"));
    let name = format!("{digest}/00112233445566778899.target");
    assert_eq!(folder.get(&format!("again/{name}")), folder.get(&format!("pkg/targets/{name}")));

    let ran = folder.run(&format!("target sample.bpf.o --target {WHO}"));
    assert_eq!((ran.code, ran.err.contains("--output")), (Some(2), true), "{}", ran.err);
    let nameless = WHO.replace(",build-id=00112233445566778899", "");
    assert_ne!(nameless, WHO);
    let ran = folder.run(&format!("target sample.bpf.o --target {nameless} --targets-out none"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("has no build id that its target could be found by"), "{}", ran.err);
    assert!(!folder.path().join("none").exists());
}

/// What a program takes for granted of pointers and `long`, packed for a kernel where both have 4 bytes.
#[test]
fn reads_that_are_too_wide_for_a_32_bit_kernel_are_named_with_the_remedy() {
    const NARROW: &str = "release=6.1.0-test,version=#1,build-id=00112233445566778899";
    let folder = Folder::new();
    for name in ["narrow.bpf.o", "narrow.kernel.o"] {
        folder.put(name, &input(name));
    }
    let ran =
        folder.done(&format!("pack narrow.bpf.o --target narrow.kernel.o,{NARROW},arch=arm -o out --json"));
    let target = &ran.json()["objects"][0]["targets"][0];
    let wide: Vec<_> = (target["wide_reads"].as_array().unwrap().iter())
        .map(|r| (r["program"].as_str().unwrap(), r["size"].as_u64().unwrap(), r["target"].as_u64().unwrap()))
        .collect();
    assert_eq!(wide, [("null_test", 8, 4), ("map_key", 8, 4), ("print", 8, 4)], "{}", ran.err);
    for (program, field) in
        [("null_test", "struct item.next"), ("map_key", "struct item.key"), ("print", "struct item.flags")]
    {
        let line =
            ran.err.lines().find(|l| l.starts_with("warning: ") && l.contains(&format!(" {program} insn #")));
        let line = line.unwrap_or_else(|| panic!("{program}: {}", ran.err));
        assert!(line.contains(field) && line.contains("narrow.bpf.c:"), "{line}");
        assert!(line.contains("bpf_core_field_size"), "the remedy: {line}");
    }

    let poisoned = target["unresolved"].as_array().unwrap();
    assert_eq!(poisoned.len(), 1, "{poisoned:?}");
    assert_eq!(
        (&poisoned[0]["program"], &poisoned[0]["outcome"]),
        (&"signed_long".into(), &"poisoned".into())
    );
    let line = ran.err.lines().find(|l| l.starts_with("poisoned: ")).unwrap();
    assert!(line.contains("struct item.state") && line.contains("corelet btf dump"), "{line}");

    // on a kernel of the object's own sizes there is nothing to say
    let ran = folder.done(&format!("pack narrow.bpf.o --target narrow.bpf.o,{NARROW},arch=aarch64 -o out"));
    assert!(!ran.err.contains("warning: ") && !ran.err.contains("poisoned"), "{}", ran.err);
}
