//! Maps that are pinned, that hold maps and programs from the start, or whose type the kernel lacks, against a fake kernel.

mod common;

use common::fake::{Fake, Thing};
use common::pack::Sample;
use common::run;
use corelet_core::pack::MapFate;
use corelet_loader::sys::{Errno, MapSpec};

const RUN: &[&str] = &["run", "/p", "--for", "1"];
const PIN: &str = "/sys/fs/bpf/start";

fn pinned() -> Vec<u8> {
    Sample { pinned: true, ..Sample::default() }.pack()
}

/// What the sample asks of the kernel for its hash.
fn hash() -> MapSpec {
    MapSpec { map_type: 1, key_size: 4, value_size: 8, max_entries: 10, ..MapSpec::default() }
}

#[test]
fn a_new_map_is_pinned_once_everything_runs_and_stays() {
    let mut k = Fake::new(pinned());
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert_eq!(k.pins(), [PIN]);
    assert!(k.left().is_empty(), "{:?}", k.left());
    // what only tries leaves none
    let mut k = Fake::new(pinned());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert!(k.pins().is_empty());
}

#[test]
fn a_pinned_map_of_the_same_definition_is_used() {
    let mut k = Fake::new(pinned());
    k.pin(PIN, hash());
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert_eq!((k.maps.len(), k.pins().len()), (2, 1));
    assert!(k.stderr.contains("ready: 2 programs, 2 maps"), "{}", k.stderr);
}

#[test]
fn another_map_under_the_name_is_refused_and_stays() {
    for (other, words) in [
        (MapSpec { map_type: 2, ..hash() }, "has type 2, the pack's 1"),
        (MapSpec { key_size: 8, ..hash() }, "has key size 8, the pack's 4"),
        (MapSpec { value_size: 4, ..hash() }, "has value size 4, the pack's 8"),
        (MapSpec { max_entries: 11, ..hash() }, "has max_entries 11, the pack's 10"),
        (MapSpec { map_flags: 1, ..hash() }, "has flags 1, the pack's 0"),
        (MapSpec { map_extra: 1, ..hash() }, "has map_extra 1, the pack's 0"),
    ] {
        let mut k = Fake::new(pinned());
        k.pin(PIN, other);
        assert_eq!(run(&mut k, RUN), 1, "{}", k.stderr);
        assert!(k.stderr.contains(words) && k.stderr.contains(PIN), "{}", k.stderr);
        assert_eq!(k.pins().len(), 1);
        assert!(k.left().is_empty() && k.progs.is_empty());
    }
}

/// Whatever call fails: no pin is left that this run made, unless the run got as far as to stream; none is removed that was there.
#[test]
fn what_fails_leaves_no_pin_and_removes_none() {
    for there in [false, true] {
        let new = || {
            let mut k = Fake::new(pinned());
            if there {
                k.pin(PIN, hash());
            }
            k
        };
        let mut k = new();
        assert_eq!(run(&mut k, RUN), 0);
        for n in 1..=k.calls {
            let mut k = new();
            k.fail = Some((n, Errno::ENOMEM));
            let code = run(&mut k, RUN);
            let ran = code == 0 || k.stderr.contains("ready:");
            assert_eq!(k.pins().len(), usize::from(there || ran), "call {n}: {}", k.stderr);
            assert!(k.left().is_empty(), "call {n}: {:?}", k.left());
        }
    }
}

#[test]
fn where_nothing_can_be_pinned_it_is_said() {
    let mut calls = Fake::new(pinned());
    assert_eq!(run(&mut calls, RUN), 0);
    let failed: Vec<String> = (1..=calls.calls)
        .map(|n| {
            let mut k = Fake::new(pinned());
            k.fail = Some((n, Errno::EPERM));
            run(&mut k, RUN);
            k.stderr
        })
        .filter(|said| said.contains("mount -t bpf none /sys/fs/bpf"))
        .collect();
    // looking for the pin, its description, pinning
    assert_eq!(failed.len(), 2, "{failed:?}");
}

#[test]
fn maps_and_programs_are_held_from_the_start() {
    let mut k = Fake::new(Sample { holders: true, ..Sample::default() }.pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    let name = |m: &MapSpec| String::from_utf8_lossy(&m.name).trim_end_matches('\0').to_string();
    let made: Vec<(String, u32, bool)> =
        k.maps.iter().map(|m| (name(m), m.map_type, m.inner.is_some())).collect();
    let made: Vec<(&str, u32, bool)> = made.iter().map(|(n, t, i)| (n.as_str(), *t, *i)).collect();
    let ours = [("events", 27, false), ("start", 1, false), ("sample.rodata", 2, false)];
    assert_eq!(made[..3], ours);
    assert_eq!(made[3..], [("outer.inner", 1, false), ("outer", 12, true), ("calls", 3, false)]);
    let updates: Vec<(&str, u8)> =
        k.updates.iter().skip(1).map(|(name, key, _)| (name.as_str(), key[0])).collect();
    assert_eq!(updates, [("outer", 1), ("calls", 0), ("calls", 2)]);
    // a program that is skipped leaves its key empty
    let mut k = Fake::new(Sample { holders: true, ..Sample::default() }.pack());
    k.no_symbols = true;
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!(k.updates.iter().filter(|(name, ..)| name == "calls").count(), 1);
    assert!(k.left().is_empty());
}

#[test]
fn every_failing_call_closes_the_patterns_of_maps_of_maps() {
    let pack = || Sample { holders: true, ..Sample::default() }.pack();
    let mut k = Fake::new(pack());
    assert_eq!(run(&mut k, RUN), 0);
    for n in 1..=k.calls {
        let mut k = Fake::new(pack());
        k.fail = Some((n, Errno::ENOMEM));
        run(&mut k, RUN);
        assert!(k.left().is_empty(), "call {n}: {:?}\n{}", k.left(), k.stderr);
    }
}

#[test]
fn a_map_that_the_kernel_lacks_is_not_created_or_is_another() {
    let pack = |fate| Sample { ring: Some(fate), ..Sample::default() }.pack();
    let mut k = Fake::new(pack(MapFate::Absent));
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!(k.maps.iter().map(|m| m.map_type).collect::<Vec<_>>(), [1, 2]);
    // both halves of the load became calls of libbpf's number for map 0
    let refused = [&[0x85, 0, 0, 0][..], &2_001_000_000i32.to_le_bytes()].concat();
    assert_eq!(k.progs[0].insns[8..24], [&refused[..], &refused].concat());

    // and its events are no reason to fail
    let mut running = Fake::new(pack(MapFate::Absent));
    assert_eq!(run(&mut running, RUN), 0, "{}", running.stderr);

    // where a program uses it after all, the verifier's words are made plain
    let mut k = Fake::new(pack(MapFate::Absent));
    let log = "1: (85) call unknown#2001000000\ninvalid func unknown#2001000000\n";
    k.refuse = Some(("handle_open".into(), Errno::EINVAL, log.into()));
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    assert!(
        k.stderr.contains("uses map events, which was not created: this kernel has no maps of type 27"),
        "{}",
        k.stderr
    );

    let mut k = Fake::new(pack(MapFate::PerfBuffer));
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    let m = k.maps[0];
    assert_eq!((m.map_type, m.key_size, m.value_size, m.max_entries), (4, 4, 4, 4));
    // a buffer for each CPU is read
    assert_eq!(k.perf.iter().filter(|(kind, config, _)| (*kind, *config) == (1, 10)).count(), 4);
    assert!(!k.left().iter().any(|t| matches!(t, Thing::Map(_))));
}
