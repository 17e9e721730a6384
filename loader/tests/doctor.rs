//! `doctor` against a fake kernel that has everything, and one that lacks one thing after the other.

#![cfg(feature = "doctor")]

mod common;

use common::fake::{Fake, TRACING};
use common::pack::Sample;
use common::run;
use corelet_loader::sys::{Errno, Fd};

/// One that has everything.
fn machine() -> Fake {
    let mut k = Fake::new(Sample::default().pack());
    k.files.insert("/sys/kernel/btf/vmlinux".into(), Vec::new());
    k
}

#[test]
fn a_kernel_that_has_everything_is_told_of_in_lines() {
    let mut k = machine();
    assert_eq!(run(&mut k, &["doctor", "/p"]), 0, "{}\n{}", k.stdout, k.stderr);
    for line in [
        "yes  kernel: 6.12.0-test #1 SMP test ",
        "yes  build id: abababab",
        "yes  CPUs: 4\n",
        "yes  capabilities: effective set 000001ffffffffff\n",
        "yes  bpf(2): maps can be created\n",
        "yes  memlock: 8388608 bytes\n",
        "yes  BTF: /sys/kernel/btf/vmlinux\n",
        "yes  JIT: 1\n",
        "yes  tracefs: /sys/kernel/tracing\n",
        "yes  bpffs: /sys/fs/bpf\n",
        "yes  sample: has a target for this kernel\n",
        "yes  handle_open: tracepoint/syscalls/sys_enter_openat\n",
        "yes  handle_probe: kprobe/do_open\n",
    ] {
        assert!(k.stdout.contains(line), "{line}\nis missing in\n{}", k.stdout);
    }
    assert!(!k.stdout.contains("no   "), "{}", k.stdout);
    assert!(k.left().is_empty() && k.stderr.is_empty(), "{:?} {}", k.left(), k.stderr);
}

#[test]
fn what_is_missing_comes_with_what_to_do() {
    type Change = fn(&mut Fake);
    fn put(k: &mut Fake, path: &str, text: &[u8]) {
        k.files.insert(path.into(), text.to_vec());
    }
    let cases: [(Change, &str, &str); 11] = [
        (|k| put(k, "/sys/kernel/notes", b""), "build id", "--allow-release"),
        (
            |k| put(k, "/proc/self/status", b"CapEff:\t0000000000000000\n"),
            "capabilities",
            "CAP_BPF and CAP_PERFMON",
        ),
        (|k| k.no_bpf = true, "bpf(2)", "CONFIG_BPF_SYSCALL"),
        (|k| _ = k.files.remove("/sys/kernel/btf/vmlinux"), "BTF", "corelet pack --target"),
        (|k| put(k, "/proc/sys/net/core/bpf_jit_enable", b"0\n"), "JIT", "net.core.bpf_jit_enable=1"),
        (|k| _ = k.files.remove("/proc/sys/kernel/perf_event_paranoid"), "perf events", "CONFIG_PERF_EVENTS"),
        (|k| put(k, "/proc/sys/kernel/kptr_restrict", b"2\n"), "kptr_restrict", "kernel.kptr_restrict=1"),
        (|k| _ = k.files.remove("/proc/kallsyms"), "kallsyms", "CONFIG_KALLSYMS"),
        (|k| _ = k.files.remove(TRACING), "tracefs", "mount -t tracefs none"),
        (|k| put(k, "/proc/self/mounts", b"none /sys/fs/bpf2 bpf rw 0 0\n"), "bpffs", "mount -t bpf none"),
        (|k| _ = k.files.remove(common::fake::EVENT_ID), "handle_open", "optional"),
    ];
    for (change, name, advice) in cases {
        for json in [false, true] {
            let mut k = machine();
            change(&mut k);
            let line: &[&str] = if json { &["doctor", "/p", "--json"] } else { &["doctor", "/p"] };
            assert_eq!(run(&mut k, line), 4, "{name}: {}{}", k.stdout, k.stderr);
            let start =
                if json { format!("{{\"check\":\"{name}\",\"ok\":false,") } else { format!("no   {name}: ") };
            let found = k.stdout.lines().find(|l| l.starts_with(&start));
            let found = found.unwrap_or_else(|| panic!("{start} is missing in\n{}", k.stdout));
            assert!(found.contains(advice), "{found}");
            assert!(k.left().is_empty(), "{name}: {:?}", k.left());
        }
    }
}

#[test]
fn an_optional_program_lacks_nothing_and_a_needed_one_does() {
    for needed in [false, true] {
        let mut k = machine();
        k.files.insert("/p".into(), Sample { needed, ..Sample::default() }.pack());
        k.no_symbols = true;
        assert_eq!(run(&mut k, &["doctor", "/p"]), if needed { 4 } else { 0 }, "{}", k.stdout);
        let line = match needed {
            true => "no   handle_probe: kprobe/do_open: ENOENT; the pack's manifest can say",
            false => "yes  handle_probe: kprobe/do_open: ENOENT, but it is optional\n",
        };
        assert!(k.stdout.contains(line), "{}", k.stdout);
    }
}

#[test]
fn mounts_are_found_wherever_they_stand() {
    for pad in 440..560 {
        let mut k = machine();
        let text = format!("{}\nnone /sys/fs/bpf bpf rw 0 0\n", "x".repeat(pad));
        k.files.insert("/proc/self/mounts".into(), text.into_bytes());
        assert_eq!(run(&mut k, &["doctor"]), 0, "{pad}: {}", k.stdout);
    }
}

#[test]
fn json_is_json_whatever_the_kernel_calls_itself() {
    let mut k = machine();
    assert_eq!(run(&mut k, &["doctor", "--json"]), 0, "{}", k.stdout);
    for line in k.stdout.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(
            value["check"].is_string() && value["ok"].is_boolean() && value["value"].is_string(),
            "{line}"
        );
    }
    let mut said = Fake::new(Vec::new());
    corelet_loader::say::print(
        &mut said,
        Fd::STDOUT,
        "{\"a\":\"%\"}\n",
        &[corelet_loader::say::Arg::S("\"\\\n")],
    );
    assert_eq!(said.stdout, "{\"a\":\"'/?\"}\n");
}

#[test]
fn every_failing_call_leaves_nothing() {
    let mut k = machine();
    assert_eq!(run(&mut k, &["doctor", "/p"]), 0);
    for n in 1..=k.calls {
        let mut k = machine();
        k.fail = Some((n, Errno::ENOMEM));
        run(&mut k, &["doctor", "/p"]);
        assert!(k.left().is_empty(), "call {n}: {:?}", k.left());
    }
}
