//! What a run keeps once everything is attached, tokens, and a pack in the executable's own image, against a fake kernel. The fake kernel
//! refuses to be called for what was given up, in every test of the loader.

#![cfg(all(feature = "privileges", feature = "embed"))]

mod common;

use common::fake::{Fake, Thing};
use common::pack::Sample;
use common::run;
use corelet_core::pack::{Attach, Place};
use corelet_loader::privileges::{CAP_BPF, CAP_DAC_OVERRIDE, CAP_NET_ADMIN, CAP_SYS_ADMIN};
use corelet_loader::sys::{Errno, calls};

fn ran(sample: &Sample, more: &[&str], change: impl FnOnce(&mut Fake)) -> Fake {
    let mut k = Fake::new(sample.pack());
    k.files.insert("/log".into(), Vec::new());
    change(&mut k);
    let args: Vec<&str> = ["run", "/p", "--for", "1"].into_iter().chain(more.iter().copied()).collect();
    assert_eq!(run(&mut k, &args), 0, "{}", k.stderr);
    assert!(k.left().is_empty(), "{:?}", k.left());
    k
}

#[test]
fn a_plain_run_keeps_no_capability_and_what_keeps_some_is_named() {
    let sample = Sample::default();
    let k = ran(&sample, &[], |_| {});
    assert_eq!((k.kept, k.confined), (Some(0), Some(calls::ALWAYS)));
    let k = ran(&sample, &["--keep-privileges"], |_| {});
    assert_eq!((k.kept, k.confined), (None, None));
    let k = ran(&sample, &["--output", "/log"], |_| {});
    assert_eq!((k.kept, k.confined), (Some(0), Some(calls::ALWAYS)));
    let k = ran(&sample, &["--output", "/log", "--rotate", "4K"], |_| {});
    assert_eq!(k.kept, Some(CAP_DAC_OVERRIDE));
    assert_eq!(k.confined, Some(calls::ALWAYS | calls::FILES | calls::NAMES));
    let k = ran(&sample, &["--output", "udp:127.0.0.1:9"], |_| {});
    assert_eq!((k.kept, k.confined), (Some(0), Some(calls::ALWAYS | calls::SOCKETS)));
    let k = ran(&sample, &["--output", "unix:/x"], |_| {});
    assert_eq!((k.kept, k.confined), (Some(CAP_DAC_OVERRIDE), Some(calls::ALWAYS | calls::SOCKETS)));
    let service = calls::ALWAYS | calls::FILES | calls::NAMES | calls::SERVICE;
    let k = ran(&sample, &["--name", "x"], |k| _ = k.files.insert("/proc/self".into(), Vec::new()));
    assert_eq!((k.kept, k.confined), (Some(CAP_DAC_OVERRIDE), Some(service)));
    // what counts is written to a map, which kernels of those years let nobody else do
    for (release, more) in [("5.10.0", CAP_BPF), ("5.4.0", CAP_SYS_ADMIN)] {
        let k = ran(&sample, &["--name", "x", "--allow-release"], |k| {
            k.files.insert("/proc/self".into(), Vec::new());
            k.release = Some(release);
        });
        assert_eq!(k.kept, Some(CAP_DAC_OVERRIDE | more), "{release}");
    }
}

#[test]
fn what_has_no_link_keeps_what_undoing_it_takes() {
    let attach = Attach::Place { kind: Place::Cgroup, path: "/sys/fs/cgroup/app", hook: "" };
    let sample = Sample { probe: Some(("place", attach, 8, 0)), needed: true, ..Sample::default() };
    let there = |k: &mut Fake| _ = k.files.insert("/sys/fs/cgroup/app".into(), Vec::new());
    let k = ran(&sample, &[], there);
    assert_eq!((k.kept, k.confined), (Some(0), Some(calls::ALWAYS)));
    let k = ran(&sample, &[], |k| {
        there(k);
        k.no_place_links = true;
    });
    assert_eq!(k.kept, Some(CAP_NET_ADMIN | CAP_BPF));
    assert_eq!(k.confined, Some(calls::ALWAYS | calls::HELD));
    assert!(k.by_place.is_empty());
}

#[test]
fn only_a_run_gives_anything_up_and_a_kernel_without_seccomp_is_told_of_once() {
    for line in [&["verify", "/p"][..], &["load", "/p", "--name", "x"]] {
        let mut k = Fake::new(Sample::default().pack());
        assert_eq!(run(&mut k, line), 0, "{}", k.stderr);
        assert_eq!((k.kept, k.confined), (None, None), "{line:?}");
    }
    let k = ran(&Sample::default(), &[], |k| k.no_seccomp = true);
    assert_eq!((k.kept, k.confined), (Some(0), None));
    assert_eq!(k.stderr.matches("this kernel lacks CONFIG_SECCOMP_FILTER").count(), 1, "{}", k.stderr);
}

#[test]
fn a_token_is_made_before_anything_is_loaded_and_its_want_is_said() {
    let line = ["verify", "/p", "--token", "/sys/fs/bpf"];
    let machine = |token| {
        let mut k = Fake::new(Sample::default().pack());
        k.files.insert("/sys/fs/bpf".into(), Vec::new());
        k.token = Some(token);
        k
    };
    let mut k = machine(Ok(()));
    assert_eq!(run(&mut k, &line), 0, "{}", k.stderr);
    assert!(k.has_token && k.left().is_empty());
    assert!(k.things.values().next_back().is_some() && k.things.values().any(|t| *t == Thing::Token));
    for (e, words) in [
        (Errno::EINVAL, "it is not the place where a bpffs is mounted"),
        (Errno::ENOENT, "nothing is delegated there"),
        (Errno::EPERM, "it takes CAP_BPF in the user namespace"),
        (Errno::EOPNOTSUPP, "a token is for a user namespace of its own"),
    ] {
        let mut k = machine(Err(e));
        assert_eq!(run(&mut k, &line), 4, "{}", k.stderr);
        assert!(
            k.stderr.contains("--token /sys/fs/bpf: no token: ") && k.stderr.contains(words),
            "{}",
            k.stderr
        );
        assert!(k.left().is_empty() && k.maps.is_empty() && k.progs.is_empty());
    }
    let mut k = machine(Err(Errno::EINVAL));
    k.release = Some("6.1.0");
    assert_eq!(run(&mut k, &line), 1, "{}", k.stderr);
    assert!(k.stderr.contains("tokens came with Linux 6.9"), "{}", k.stderr);
    assert_eq!(run(&mut k, &["verify", "/p", "--token", "/nowhere"]), 4, "{}", k.stderr);
    assert!(k.stderr.contains("--token /nowhere: ENOENT"), "{}", k.stderr);
}

#[test]
fn what_a_token_does_not_allow_is_named_by_the_bits_of_the_mount() {
    let mut k = Fake::new(Sample::default().pack());
    k.files.insert("/sys/fs/bpf".into(), Vec::new());
    k.token = Some(Ok(()));
    k.refuse = Some(("handle_open".into(), Errno::EPERM, String::new()));
    assert_eq!(run(&mut k, &["verify", "/p", "--token", "/sys/fs/bpf"]), 4, "{}", k.stderr);
    let said = "the token may lack delegate_cmds=0x20 (prog_load), delegate_progs=0x0000000000000020 or \
                delegate_attachs=0x0000000000000001";
    assert!(k.stderr.contains(said), "{}", k.stderr);
    // without one it is the process that lacks something
    assert_eq!(run(&mut k, &["verify", "/p"]), 4);
    assert!(k.stderr.contains("needs root, or CAP_BPF and CAP_PERFMON"), "{}", k.stderr);
}

/// The fake machine runs an executable of this name with the pack inside.
fn inside(name: &str, line: &[&str]) -> (i32, Fake) {
    let mut k = Fake::new(Sample::default().pack());
    k.embedded = true;
    k.files.insert("/proc/self".into(), Vec::new());
    let code = common::run_as(&mut k, name, line);
    (code, k)
}

#[test]
fn an_executable_with_a_pack_inside_names_none() {
    for line in [&["--for", "1"][..], &["run", "--for", "1"], &["--for", "1", "--json"]] {
        let (code, k) = inside("/usr/bin/opens", line);
        assert_eq!(code, 0, "{line:?}: {}", k.stderr);
        assert!(k.stderr.contains("ready: 2 programs") && k.left().is_empty(), "{}", k.stderr);
        assert_eq!(k.kept, Some(0));
    }
    let (code, k) = inside("./opens", &["verify"]);
    assert_eq!(code, 0, "{}", k.stderr);
    assert!(k.stderr.contains("verified: 2 programs"), "{}", k.stderr);
    let (code, mut k) = inside("./opens", &["load"]);
    assert_eq!(code, 0, "{}", k.stderr);
    assert!(k.pinned().contains(&"corelet/opens/state"), "{:?}", k.pinned());
    for line in [&["status"][..], &["status", "opens"], &["status", "--json"]] {
        assert_eq!(common::run_as(&mut k, "/x/opens", line), 0, "{}", k.stderr);
    }
    assert_eq!(common::run_as(&mut k, "/x/opens", &["status", "other"]), 1, "{}", k.stderr);
    assert_eq!(common::run_as(&mut k, "/x/opens", &["unload"]), 0, "{}", k.stderr);
    assert!(k.pinned().is_empty(), "{:?}", k.pinned());
    for (line, said) in [
        (&["run", "other.pack"][..], "takes no pack but the one inside, and not other.pack"),
        (&["verify", "other.pack"], "takes no pack but the one inside, and not other.pack"),
        (&["other.pack"], "unknown command other.pack"),
    ] {
        let (code, k) = inside("./opens", line);
        assert_eq!(code, 2, "{line:?}: {}", k.stderr);
        assert!(k.stderr.contains(said), "{}", k.stderr);
        assert!(k.progs.is_empty());
    }
    for line in [["--help"], ["--version"]] {
        let (code, k) = inside("./opens", &line);
        assert_eq!(code, 0);
        assert!(k.stdout.contains("corelet-loader") && k.progs.is_empty(), "{}", k.stdout);
    }
    // a damaged one is named by the executable's own name
    let mut k = Fake::new(Sample::default().pack());
    k.embedded = true;
    let pack = k.files.get_mut("/p").unwrap();
    pack[30] ^= 1;
    assert_eq!(common::run_as(&mut k, "/x/opens", &["verify"]), 3, "{}", k.stderr);
    assert!(k.stderr.contains("corelet-loader: opens: "), "{}", k.stderr);
}
