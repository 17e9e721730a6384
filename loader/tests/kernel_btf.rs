//! Loading against a fake kernel whose own types serve, since no target of the pack is for it.
#![cfg(feature = "kernel-btf")]

mod common;

use common::btf::Writer;
use common::fake::Fake;
use common::pack::Sample;
use common::run;
use corelet_core::limits::{KERNEL_BTF_MEMORY, MAX_CANDIDATE_MODULES};
use corelet_core::pack::Arch;
use corelet_loader::sys::Errno;

const BTF: &str = "/sys/kernel/btf";
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
/// Offset of `pid` in the running kernel's `task_struct`; the pack's target has another.
const PID: u32 = 52;

fn types(name: &str, pid: u32) -> Vec<u8> {
    let mut b = Writer::new();
    for i in 0..300 {
        b.int(&format!("other{i}"), 4, 1);
    }
    let int = b.int("int", 4, 1);
    b.structure(name, 64, &[("flags", int, 0), ("pid", int, pid)]);
    b.finish()
}

/// Split BTF over the strings and the ids of `types`, whose strings begin with a NUL of their own.
fn module(name: &str, pid: u32) -> Vec<u8> {
    let base = types("other", 0);
    let word = |at: usize| u32::from_le_bytes(base[at..at + 4].try_into().unwrap());
    let (str_off, str_len) = (word(16), word(20));
    assert_eq!((word(4), str_off + str_len + 24), (24, base.len() as u32));
    let mut b = Writer::new();
    // the kernel's 301 integers, the last of which is `int`, and its struct come before
    b.structure(name, 64, &[("pid", 301, pid)]);
    let mut out = b.finish();
    // names of its own begin behind the kernel's strings
    for at in [24, 36] {
        let own = u32::from_le_bytes(out[at..at + 4].try_into().unwrap());
        out[at..at + 4].copy_from_slice(&(own + str_len).to_le_bytes());
    }
    out
}

/// A kernel that no target of the pack is for, with BTF.
fn other_kernel(sample: &Sample) -> Fake {
    let mut k = Fake::new(Sample { build_id: vec![1; 20], ..clone(sample) }.pack());
    k.files.insert(BTF.into(), Vec::new());
    k.files.insert(VMLINUX.into(), types("task_struct", PID));
    k
}

fn clone(s: &Sample) -> Sample {
    Sample { build_id: s.build_id.clone(), ..*s }
}

fn offset(k: &Fake) -> i16 {
    i16::from_le_bytes(k.progs[0].insns[2..4].try_into().unwrap())
}

#[test]
fn the_kernels_own_types_serve_where_no_target_does() {
    let mut k = other_kernel(&Sample::default());
    assert_eq!(run(&mut k, &["run", "/p", "--for", "1"]), 0, "{}", k.stderr);
    assert_eq!(offset(&k), PID as i16);
    assert!(k.left().is_empty(), "{:?}", k.left());
    for part in [
        "sample: no target for this kernel; relocating with its own types",
        "2 types kept, 0 modules",
        "1 relocations patched",
    ] {
        assert!(k.stderr.contains(part), "{part} is missing in {}", k.stderr);
    }
    // a target by build id goes first, one by release where it is allowed
    let mut k = Fake::new(Sample::default().pack());
    k.files.insert(VMLINUX.into(), types("task_struct", PID));
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!(offset(&k), common::pack::TARGET_PID);
    let mut k = other_kernel(&Sample::default());
    assert_eq!(run(&mut k, &["verify", "/p", "--allow-release"]), 0, "{}", k.stderr);
    assert_eq!(offset(&k), common::pack::TARGET_PID);
}

#[test]
fn refused_where_they_are_forbidden_absent_or_of_no_use() {
    let mut k = other_kernel(&Sample::default());
    assert_eq!(run(&mut k, &["verify", "/p", "--only-targets"]), 1);
    assert!(k.stderr.contains("another build id") && !k.stderr.contains("own types"), "{}", k.stderr);
    let mut k = other_kernel(&Sample::default());
    k.files.remove(VMLINUX);
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    let said = "/sys/kernel/btf/vmlinux: ENOENT; the kernel's own types cannot serve either";
    assert!(k.stderr.contains(said) && k.stderr.contains("another build id"), "{}", k.stderr);
    for sample in [
        Sample { arch: Arch::Arm, ..Sample::default() },
        Sample { object_in_target: [1; 32], ..Sample::default() },
    ] {
        let mut k = other_kernel(&sample);
        assert_eq!(run(&mut k, &["verify", "/p"]), 1);
        assert!(!k.stderr.contains("own types") && k.maps.is_empty(), "{}", k.stderr);
    }
}

#[test]
fn a_missing_type_is_looked_for_in_modules_and_then_poisons() {
    let mut k = other_kernel(&Sample::default());
    k.files.insert(VMLINUX.into(), types("other_struct", PID));
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert!(k.stderr.contains("0 modules looked into") && k.stderr.contains("1 poisoned"), "{}", k.stderr);
    let mut k = other_kernel(&Sample::default());
    k.files.insert(VMLINUX.into(), types("other", PID));
    for i in 0..40 {
        k.files.insert(format!("{BTF}/a_module_with_a_name_that_is_long_{i}"), module("none", 8));
    }
    for i in 0..MAX_CANDIDATE_MODULES {
        k.files.insert(format!("{BTF}/has_it_{i}"), module("task_struct", 12));
    }
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!(offset(&k), 12);
    assert!(k.stderr.contains("44 modules looked into"), "{}", k.stderr);
    assert!(k.left().is_empty());
    k.files.insert(format!("{BTF}/has_it_too"), module("task_struct", 12));
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    assert!(k.left().is_empty());
    // two that differ: nothing is guessed
    let mut k = other_kernel(&Sample::default());
    k.files.insert(VMLINUX.into(), types("other", PID));
    for (name, pid) in [("one", 8), ("two", 16)] {
        k.files.insert(format!("{BTF}/{name}"), module("task_struct", pid));
    }
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    assert!(k.stderr.contains("ambiguous") && k.left().is_empty(), "{}", k.stderr);
}

#[test]
fn configuration_is_answered_taken_for_absent_or_refused() {
    let externs = &[
        ("LINUX_KERNEL_VERSION", 4, false),
        ("CONFIG_HZ", 4, true),
        ("LINUX_HAS_BPF_COOKIE", 1, false),
        ("LINUX_HAS_SYSCALL_WRAPPER", 1, false),
        ("LINUX_HAS_WHAT_NOBODY_KNOWS", 1, true),
    ];
    // the fake kernel is 6.12.0
    let mut k = other_kernel(&Sample { externs, ..Sample::default() });
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    let arm = u8::from(cfg!(target_arch = "arm"));
    let image = [0, 12, 6, 0, 0, 0, 0, 0, 1, 1 - arm, 0];
    assert!(k.contents.iter().any(|(_, bytes)| *bytes == image), "{:?}", k.contents);
    let taken = "is known from a target only: it is weak and taken for 0";
    for name in ["CONFIG_HZ", "LINUX_HAS_WHAT_NOBODY_KNOWS"] {
        assert!(k.stderr.contains(&format!("the value of {name} {taken}")), "{}", k.stderr);
    }
    assert_eq!(k.stderr.matches(taken).count(), 2);
    for (externs, name) in [
        (&[("CONFIG_HZ", 4, false)][..], "CONFIG_HZ"),
        (&[("LINUX_HAS_WHAT_NOBODY_KNOWS", 1, false)], "LINUX_HAS_WHAT_NOBODY_KNOWS"),
        // one weak extern does not make another so, and a version does not fit into a byte
        (&[("CONFIG_A", 1, true), ("CONFIG_B", 1, false)], "CONFIG_B"),
        (&[("LINUX_KERNEL_VERSION", 1, true)], "LINUX_KERNEL_VERSION"),
    ] {
        let mut k = other_kernel(&Sample { externs, ..Sample::default() });
        assert_eq!(run(&mut k, &["verify", "/p"]), 1);
        let refused = format!("the value of {name} is known from a target only; make a target");
        assert!(k.stderr.contains(&refused) && k.left().is_empty(), "{}", k.stderr);
    }
}

#[test]
fn every_failing_call_leaves_nothing() {
    let kernel = || {
        let mut k = other_kernel(&Sample::default());
        k.files.insert(VMLINUX.into(), types("other", PID));
        k.files.insert(format!("{BTF}/none"), module("none", 8));
        k.files.insert(format!("{BTF}/has_it"), module("task_struct", 12));
        k
    };
    let line = &["run", "/p", "--for", "1"];
    let mut k = kernel();
    assert_eq!(run(&mut k, line), 0, "{}", k.stderr);
    assert_eq!(offset(&k), 12);
    for e in [Errno::ENOMEM, Errno::EPERM, Errno::EINVAL, Errno::ENOENT, Errno::EINTR] {
        for n in 1..=k.calls {
            let mut k = kernel();
            k.fail = Some((n, e));
            let code = run(&mut k, line);
            assert!(k.left().is_empty(), "call {n} {e:?}: {:?} left open\n{}", k.left(), k.stderr);
            assert!(code == 0 || k.stderr.lines().count() > 0, "call {n} {e:?} says nothing");
            if e == Errno::ENOMEM && code != 0 {
                assert_eq!(code, 5, "call {n}: {}", k.stderr);
            }
            assert!(
                k.progs.is_empty() || offset(&k) == 12 || k.stderr.contains("poisoned, which"),
                "call {n} {e:?}"
            );
        }
    }
}

#[test]
fn damaged_types_are_refused_in_words() {
    let whole = types("task_struct", PID);
    for len in (0..whole.len()).step_by(11) {
        let mut k = other_kernel(&Sample::default());
        k.files.insert(VMLINUX.into(), whole[..len].to_vec());
        assert_eq!(run(&mut k, &["verify", "/p"]), 1, "{len}: {}", k.stderr);
        assert!(k.stderr.contains(VMLINUX) && k.stderr.contains("corelet target"), "{}", k.stderr);
        assert!(k.left().is_empty() && k.maps.is_empty());
    }
}

#[test]
fn ubuntus_version_is_the_signatures() {
    let externs = &[("LINUX_KERNEL_VERSION", 4, false)];
    let mut k = other_kernel(&Sample { externs, ..Sample::default() });
    k.files.insert("/proc/version_signature".into(), b"Ubuntu 6.8.0-31.31-generic 6.8.300\n".to_vec());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert!(k.contents.iter().any(|(_, c)| *c == 0x0006_08ffu32.to_le_bytes()), "{:?}", k.contents);
}

#[test]
fn memory_is_the_packs_formula_and_the_bound() {
    let asked = |k: &mut Fake| {
        assert_eq!(run(k, &["verify", "/p"]), 0, "{}", k.stderr);
        *k.regions.iter().max().unwrap()
    };
    let with_target = asked(&mut Fake::new(Sample::default().pack()));
    assert_eq!(asked(&mut other_kernel(&Sample::default())), with_target + KERNEL_BTF_MEMORY);
}

#[test]
fn with_another_build_of_a_module_the_kernels_own_types_serve() {
    let sample = Sample { modules: &[("one", &[1; 20])], ..Sample::default() };
    let mut k = Fake::new(sample.pack());
    k.load_module("one", &[2; 20]);
    k.files.insert(BTF.into(), Vec::new());
    k.files.insert(VMLINUX.into(), types("task_struct", PID));
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!(offset(&k), PID as i16);
    assert!(k.stderr.contains("module one: needs build id 0101"), "{}", k.stderr);
    // one that is not loaded has no types there either
    let mut k = Fake::new(sample.pack());
    k.files.insert(VMLINUX.into(), types("task_struct", PID));
    assert_eq!(run(&mut k, &["verify", "/p"]), 4, "{}", k.stderr);
}
