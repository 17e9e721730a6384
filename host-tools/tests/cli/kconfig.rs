//! `kconfig`, and what `pack` says of a configuration that lacks something.

use crate::common::{Folder, WHO, input};

const WHOLE: &str = "CONFIG_BPF_SYSCALL=y\nCONFIG_BPF_EVENTS=y\nCONFIG_EVENT_TRACING=y\nCONFIG_TRACEPOINTS=y\n\
                     CONFIG_FTRACE_SYSCALLS=y\nCONFIG_PERF_EVENTS=y\nCONFIG_KPROBES=y\nCONFIG_KPROBE_EVENTS=y\n";

#[test]
fn options_are_named_with_programs_and_reasons() {
    let folder = Folder::new();
    let text = String::from_utf8(folder.done("kconfig sample.bpf.o").out).unwrap();
    for line in [
        "  CONFIG_BPF_SYSCALL: the object: for the bpf(2) system call (Linux 3.18; kernel/bpf/Kconfig)",
        "  CONFIG_FTRACE_SYSCALLS: handle_open: for a tracepoint for each system call (Linux 4.7; kernel/trace/Kconfig)",
        "  CONFIG_TRACEPOINTS: handle_switch: for tracepoints (Linux 4.17; init/Kconfig)",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nis missing in\n{text}");
    }
    // the program of `?kprobe/do_exit` is not loaded unless somebody asks
    assert!(!text.contains("KPROBES"), "{text}");
    folder.put(
        "sample.toml",
        b"[programs.handle_exit]\noptional = true\n[programs.handle_open]\ndisabled = true\n",
    );
    let text = String::from_utf8(folder.done("kconfig sample.bpf.o").out).unwrap();
    assert!(!text.contains("FTRACE_SYSCALLS"), "{text}");
}

#[test]
fn what_a_configuration_lacks_is_told_by_the_exit_code() {
    let folder = Folder::new();
    folder.put("whole", WHOLE.as_bytes());
    let document = folder.done("kconfig sample.bpf.o --against whole --json").json();
    assert_eq!((&document["schema"], &document["lacking"]), (&1.into(), &0.into()));
    let states = document["objects"][0]["options"].as_array().unwrap().iter();
    assert!(states.clone().count() > 4 && states.clone().all(|o| o["state"] == "y"), "{document}");

    let less = WHOLE.replace("CONFIG_FTRACE_SYSCALLS=y", "# CONFIG_FTRACE_SYSCALLS is not set");
    folder.put("less", less.replace("CONFIG_TRACEPOINTS=y\n", "").as_bytes());
    let ran = folder.run("kconfig sample.bpf.o --against less");
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("less: lacks 2 of the options"), "{}", ran.err);
    let text = String::from_utf8(ran.out).unwrap();
    assert!(text.contains("  LACKING  CONFIG_FTRACE_SYSCALLS: handle_open: for"), "{text}");
    assert!(text.contains("  LACKING  CONFIG_TRACEPOINTS: handle_switch: for"), "{text}");
    assert!(text.contains("  ok       CONFIG_PERF_EVENTS: handle_open: for"), "{text}");
    // what only an optional program needs is no failure
    folder.put(
        "sample.toml",
        b"[programs.handle_open]\noptional = true\n[programs.handle_switch]\noptional = true\n",
    );
    let ran = folder.done("kconfig sample.bpf.o --against less --json").json();
    let options = ran["objects"][0]["options"].as_array().unwrap();
    let of = |name: &str| options.iter().find(|o| o["any_of"][0] == name).unwrap();
    assert_eq!(of("CONFIG_FTRACE_SYSCALLS")["state"], "n");
    assert_eq!(of("CONFIG_TRACEPOINTS")["state"], "absent");
    assert_eq!(of("CONFIG_TRACEPOINTS")["optional"], true);
}

#[test]
fn helpers_need_options_for_certain_or_behind_a_condition() {
    let folder = Folder::new();
    folder.put("helpers.bpf.o", &input("helpers.bpf.o"));
    let helpers = ["CGROUPS", "BPF_KPROBE_OVERRIDE", "STACKTRACE", "DEBUG_INFO_BTF"];
    let without = |left_out: &[&str]| {
        let set = helpers.iter().filter(|option| !left_out.contains(option));
        let set: String = set.map(|option| format!("CONFIG_{option}=y\n")).collect();
        let off: String = left_out.iter().map(|option| format!("# CONFIG_{option} is not set\n")).collect();
        folder.put("config", (WHOLE.to_owned() + &set + &off).as_bytes());
        folder.run("kconfig helpers.bpf.o --against config")
    };
    assert_eq!(without(&[]).code, Some(0));
    for (option, why) in [
        ("CGROUPS", "the control group of a task (Linux 4.9; init/Kconfig)"),
        // called by a function of the program that nothing decides about
        ("BPF_KPROBE_OVERRIDE", "bpf_override_return() (Linux 4.16; kernel/trace/Kconfig)"),
    ] {
        let ran = without(&[option]);
        let line = format!("  LACKING  CONFIG_{option}: handle_open: for {why}");
        assert_eq!(ran.code, Some(1), "{option}");
        assert!(String::from_utf8_lossy(&ran.out).lines().any(|l| l == line), "{ran:?}");
    }
    let ran = without(&["STACKTRACE", "DEBUG_INFO_BTF"]);
    let text = String::from_utf8_lossy(&ran.out);
    assert_eq!(ran.code, Some(0), "{text}");
    let line = "  lacking  CONFIG_STACKTRACE: handle_open: for bpf_get_task_stack(), behind a condition (Linux 5.9; lib/Kconfig.debug)";
    assert!(text.lines().any(|l| l == line), "{text}");
    assert!(text.contains("  lacking  CONFIG_DEBUG_INFO_BTF: handle_open: for helpers that go by"), "{text}");

    let pack = format!("pack helpers.bpf.o --target {WHO},config=config -o helpers.pack");
    let ran = folder.done(&pack);
    let said = "does not set CONFIG_STACKTRACE: handle_open: for bpf_get_task_stack(), behind a condition";
    assert!(ran.err.contains(said), "{}", ran.err);
    without(&["CGROUPS"]);
    let said = ["configured without CONFIG_CGROUPS: handle_open: for the control group of a task"];
    folder.refused(&pack.replace("helpers.pack", "other.pack"), 1, &said);
}

#[test]
fn bad_configurations_and_objects_are_refused() {
    let folder = Folder::new();
    folder.put("odd", b"CONFIG_X=y\nthis is no option\n");
    folder.refused("kconfig sample.bpf.o --against odd", 3, &["odd: line 2"]);
    folder.refused("kconfig sample.bpf.o --against missing", 3, &["missing"]);
    folder.refused("kconfig sample.bpf.o --against kernel.o", 3, &["kernel.o", "CONFIG_IKCONFIG is off"]);
    folder.refused("kconfig odd", 3, &["odd"]);
    let words = "kconfig sample.bpf.o unportable.bpf.o --manifest m.toml";
    folder.refused(words, 2, &["--manifest is for one object"]);
}

#[test]
fn pack_refuses_what_is_switched_off_and_warns_of_what_is_not_said() {
    let folder = Folder::new();
    let pack = |config: &str| format!("pack sample.bpf.o --target {WHO},config={config} -o sample.pack");
    folder.put("whole", WHOLE.as_bytes());
    let ran = folder.done(&pack("whole"));
    assert!(!ran.err.contains("configuration"), "{}", ran.err);
    folder.put("off", WHOLE.replace("CONFIG_PERF_EVENTS=y", "# CONFIG_PERF_EVENTS is not set").as_bytes());
    let said = ["on 6.1.0-test", "configured without CONFIG_PERF_EVENTS: handle_open: for the perf event"];
    folder.refused(&pack("off"), 1, &said);
    folder.put("part", WHOLE.replace("CONFIG_PERF_EVENTS=y\n", "").as_bytes());
    let ran = folder.done(&pack("part"));
    let said = "warning: sample on 6.1.0-test: the configuration given does not set CONFIG_PERF_EVENTS: handle_open: for";
    assert!(ran.err.contains(said), "{}", ran.err);
    let json = folder.done(&(pack("part") + " --json")).json();
    let lacking = json["objects"][0]["targets"][0]["lacking_options"].as_array().unwrap();
    assert_eq!(lacking.len(), 1, "{json}");
    // a program that may be missing is no reason to refuse
    folder.put("sample.toml", b"[programs.handle_open]\noptional = true\n");
    let ran = folder.done(&pack("off"));
    assert!(ran.err.contains("does not set CONFIG_PERF_EVENTS"), "{}", ran.err);
}
