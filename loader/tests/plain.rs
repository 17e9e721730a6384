//! The loader with none of its features: tracepoints and kprobes with raw records, relocated on the PC.
//! `cargo test -p corelet-loader --no-default-features --test plain`
#![cfg(not(feature = "engine"))]

mod common;

use common::fake::Fake;
use common::pack::{Sample, TARGET_PID};
use common::run;
use corelet_core::insn::POISON_IMM;
use corelet_core::pack::{Attach, MapFate};
use corelet_loader::sys::Errno;

const RUN: &[&str] = &["run", "/p", "--for", "1", "--raw"];

fn plain() -> Sample {
    Sample { needed: true, ..Sample::default() }
}

#[test]
fn loads_attaches_and_leaves_nothing() {
    let mut k = Fake::new(plain().pack());
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert!(k.left().is_empty(), "{:?}", k.left());
    assert_eq!(k.attached.len(), 2);
    assert_eq!(k.progs[0].insns[2..4], TARGET_PID.to_le_bytes());
    // linked as by every loader: the subprogram starts at 8, and a call counts from behind itself
    assert_eq!((k.progs[0].insns.len(), &k.progs[0].insns[8 * 5 + 4..8 * 6]), (80, &2i32.to_le_bytes()[..]));
    assert!(
        k.stderr.contains("2 programs, 3 maps, 0 skipped; 1 relocations patched, 0 poisoned"),
        "{}",
        k.stderr
    );
}

#[test]
fn what_this_kernel_does_not_have_is_poison() {
    let mut k = Fake::new(Sample { poison: true, ..plain() }.pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!((k.progs[0].insns[0], &k.progs[0].insns[4..8]), (0x85, &POISON_IMM.to_le_bytes()[..]));
    assert!(k.stderr.contains("0 relocations patched, 1 poisoned"), "{}", k.stderr);
}

#[test]
fn patches_are_for_one_build_of_a_kernel() {
    let mut k = Fake::new(Sample { build_id: vec![1; 20], ..plain() }.pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 1, "{}", k.stderr);
    assert!(k.stderr.contains("no target for this kernel"), "{}", k.stderr);
    assert!(k.progs.is_empty() && k.left().is_empty(), "{:?}", k.left());
    let mut k = Fake::new(Sample { no_patches: true, ..plain() }.pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 1, "{}", k.stderr);
    assert!(k.stderr.contains("built without the feature engine") && k.left().is_empty(), "{}", k.stderr);
}

#[test]
fn every_call_may_fail_and_nothing_is_left() {
    let mut k = Fake::new(plain().pack());
    assert_eq!(run(&mut k, RUN), 0);
    for fail_at in 1..=k.calls {
        let mut k = Fake::new(plain().pack());
        k.fail = Some((fail_at, Errno::EIO));
        run(&mut k, RUN);
        assert!(k.left().is_empty(), "call {fail_at}: {:?}", k.left());
    }
}

#[test]
fn what_a_pack_needs_is_refused_by_the_features_name() {
    let probe = |section, attach, prog_type| Some((section, attach, prog_type, 0));
    let uprobe = Attach::Uprobe { path: "/bin/sh", symbol: "main", offset: 0, ret: false };
    let cases = [
        ("alternatives", Sample::default()),
        ("alternatives", Sample { alternatives: true, ..plain() }),
        ("maps", Sample { pinned: true, ..plain() }),
        ("maps", Sample { holders: true, ..plain() }),
        ("maps", Sample { ring: Some(MapFate::Absent), ..plain() }),
        ("ksyms", Sample { ksym: Some(("jiffies", false)), ..plain() }),
        ("trace", Sample { kfunc: Some(("bpf_task_acquire", false)), ..plain() }),
        ("trace", Sample { probe: probe("raw_tp/x", Attach::RawTracepoint { name: "x" }, 17), ..plain() }),
        ("uprobe", Sample { probe: probe("uprobe/x", uprobe, 2), ..plain() }),
        ("targets", Sample { modules: &[("ext4", &[1; 20])], ..plain() }),
    ];
    for (feature, sample) in cases {
        let mut k = Fake::new(sample.pack());
        assert_eq!(run(&mut k, RUN), 1, "{feature}: {}", k.stderr);
        assert!(k.stderr.contains(&format!("the feature {feature}")), "{feature}: {}", k.stderr);
        assert!(k.left().is_empty(), "{feature}: {:?}", k.left());
    }
}

#[test]
fn what_a_command_line_needs_is_refused() {
    let without = "this loader was built without";
    for (words, said) in [
        (&["run", "/p"][..], without),
        (&["run", "/p", "--json"], without),
        (&["run", "/p", "--set", "pid=1"], without),
        (&["run", "/p", "--attach", "a=b"], without),
        (&["run", "/p", "--target", "/t"], without),
        (&["run", "/p", "--allow-release"], without),
        (&["run", "/p", "--output", "/o"], without),
        (&["run", "/p", "--interval", "1"], without),
        (&["verify", "/p", "--memory"], without),
        (&["load", "/p"], without),
        (&["preflight", "/p"], without),
        (&["doctor"], without),
        (&["run", "/p", "--none"], "unknown argument"),
    ] {
        let mut k = Fake::new(plain().pack());
        assert_eq!(run(&mut k, words), 2, "{words:?}: {}", k.stderr);
        assert!(k.stderr.contains(said), "{words:?}: {}", k.stderr);
        assert!(k.left().is_empty(), "{words:?}: {:?}", k.left());
    }
}
