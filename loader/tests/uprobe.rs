//! Attaching in user space against a fake kernel, in the programs of `tests/uprobe`; and `--attach`.

mod common;

use common::fake::{Fake, PMU};
use common::pack::Sample;
use common::run;
use corelet_core::pack::Attach;
use corelet_loader::sys::Errno;

const PROBED: &[u8] = if cfg!(target_arch = "aarch64") {
    include_bytes!("../../tests/uprobe/probed-aarch64")
} else {
    include_bytes!("../../tests/uprobe/probed-x86_64")
};
const OTHER: &[u8] = include_bytes!("../../tests/uprobe/probed-armv7a");
const FILE: &str = "/opt/probed";
const UPROBE_PMU: &str = "/sys/bus/event_source/devices/uprobe/type";
const REF_CTR: &str = "/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset";
const CONTROL: &str = "/sys/kernel/tracing/uprobe_events";
const RUN: &[&str] = &["run", "/p", "--for", "1"];

/// Offsets in `PROBED`, as readelf tells them: `probed_add`, both places of the probe, its semaphore, addresses of the places.
const ADD: u64 = if cfg!(target_arch = "aarch64") { 0x1a0 } else { 0x1b0 };
const TICKS: [u64; 2] = if cfg!(target_arch = "aarch64") { [0x18c, 0x198] } else { [0x193, 0x1a3] };
const SEMAPHORE: u64 = if cfg!(target_arch = "aarch64") { 0x310 } else { 0x322 };
const ADDRESSES: u64 = 0x20_1000;

fn machine(sample: Sample) -> Fake {
    let mut k = Fake::new(Sample { needed: true, ..sample }.pack());
    for (path, bytes) in [
        (FILE, PROBED),
        ("/lib/libother.so.6", OTHER),
        (UPROBE_PMU, b"8\n"),
        ("/sys/bus/event_source/devices/uprobe/format/retprobe", b"config:0\n"),
        (REF_CTR, b"config:32-63\n"),
        (CONTROL, b""),
    ] {
        k.files.insert(path.into(), bytes.to_vec());
    }
    k
}

fn uprobe(symbol: &'static str, offset: u64, ret: bool) -> Sample {
    let attach = Attach::Uprobe { path: FILE, symbol, offset, ret };
    Sample { probe: Some(("uprobe//opt/probed:…", attach, 2, 0)), ..Sample::default() }
}

fn multi(symbol: &'static str, expected: u32) -> Sample {
    let attach = Attach::Uprobe { path: FILE, symbol, offset: 0, ret: false };
    Sample { probe: Some(("uprobe.multi//opt/probed:…", attach, 2, expected)), ..Sample::default() }
}

fn usdt(name: &'static str) -> Sample {
    let attach = Attach::Usdt { path: FILE, provider: "corelet", name };
    Sample { probe: Some(("usdt//opt/probed:…", attach, 2, 0)), usdt_specs: 2, ..Sample::default() }
}

fn done(k: &mut Fake, line: &[&str]) {
    assert_eq!(run(k, line), 0, "{}", k.stderr);
    assert!(k.left().is_empty() && k.tracefs_probes.is_empty(), "{:?}", k.left());
}

fn refused(k: &mut Fake, line: &[&str], code: i32, words: &str) {
    assert_eq!(run(k, line), code, "{}", k.stderr);
    assert!(k.stderr.contains(words), "{words}\nis missing in\n{}", k.stderr);
    assert!(k.left().is_empty() && k.tracefs_probes.is_empty(), "{:?}", k.left());
}

#[test]
fn a_function_is_probed_where_the_file_has_it() {
    for (sample, config, offset) in [
        (uprobe("probed_add", 0, false), 0, ADD),
        (uprobe("probed_add", 4, false), 0, ADD + 4),
        (uprobe("probed_add", 0, true), 1, ADD),
        (uprobe("", 0x123, false), 0, 0x123),
    ] {
        let mut k = machine(sample);
        done(&mut k, RUN);
        assert_eq!(k.perf.last(), Some(&(8, config, Some(FILE.into()))));
        assert_eq!(k.spots, [(offset, None)]);
        assert!(k.attached.iter().any(|a| a.contains("handle_probe") && a.ends_with("by link")));
    }
    let mut k = machine(uprobe("probed_add", 0, false));
    done(&mut k, &["run", "/p", "--for", "1", "--pid", "17"]);
    assert_eq!(k.spots, [(ADD, Some(17))]);
}

#[test]
fn by_tracefs_where_there_is_no_pmu() {
    let mut k = machine(uprobe("probed_add", 0, true));
    k.files.remove(UPROBE_PMU);
    k.no_links = true;
    k.keep_probes = true;
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert_eq!(k.tracefs_probes, [format!("r:corelet/u_7_0 {FILE}:{ADD}"), "-:corelet/u_7_0".into()]);
    let mut k = machine(usdt("tick"));
    k.files.remove(UPROBE_PMU);
    k.keep_probes = true;
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert_eq!(k.tracefs_probes[1], format!("p:corelet/u_7_1 {FILE}:{}({SEMAPHORE})", TICKS[1]));
}

#[test]
fn many_functions_by_one_link_or_one_by_one() {
    let mut k = machine(multi("many_*", 48));
    done(&mut k, RUN);
    let link = k.attached.iter().find(|a| a.contains("MultiSpec")).unwrap();
    assert!(link.contains("/opt/probed") && link.contains("attach_type: 48") && link.contains("ret: false"));
    let offsets = link.split_once("offsets: [").unwrap().1.split_once(']').unwrap().0;
    assert_eq!(offsets.split(", ").count(), 2, "the alias is no third place: {link}");
    let mut k = machine(multi("many_*", 48));
    k.no_multi = true;
    done(&mut k, RUN);
    assert_eq!(k.spots.len(), 2);
    let mut k = machine(multi("many_*", 57));
    k.no_multi = true;
    refused(&mut k, RUN, 1, "cannot attach handle_probe (uprobe.multi//opt/probed:…): EINVAL");
}

#[test]
fn every_place_of_a_probe_gets_its_spec() {
    let mut k = machine(usdt("tick"));
    done(&mut k, RUN);
    assert_eq!(k.spots, TICKS.map(|t| (t, None)));
    assert!(k.perf.iter().filter(|p| p.0 == 8).all(|p| p.1 == SEMAPHORE << 32));
    // the first attachment is the tracepoint's
    assert_eq!(k.cookies, [0, 0, 1]);
    let specs: Vec<_> = k.contents.iter().zip(&k.keys).filter(|((_, v), _)| v.len() == 208).collect();
    let keys: Vec<_> = specs.iter().map(|(_, key)| key[0]).collect();
    assert_eq!(keys, [0, 1]);
    let constants: Vec<_> =
        specs.iter().map(|((_, v), _)| i64::from_ne_bytes(v[..8].try_into().unwrap())).collect();
    assert_eq!(constants, [-9, 77]);
    assert!(specs.iter().all(|((_, v), _)| v[200] == 3));
    assert!(k.contents.iter().all(|(_, v)| v.len() != 4), "cookies serve, addresses need not");
}

#[test]
fn before_cookies_the_address_tells_the_spec() {
    let mut k = machine(usdt("tick"));
    k.release = Some("5.10.0");
    k.no_links = true;
    done(&mut k, &["run", "/p", "--for", "1"]);
    let ips: Vec<_> = k.contents.iter().zip(&k.keys).filter(|((_, v), _)| v.len() == 4).collect();
    let keys: Vec<_> = ips.iter().map(|(_, k)| u64::from_ne_bytes(k[..].try_into().unwrap())).collect();
    assert_eq!(keys, TICKS.map(|t| ADDRESSES + t));
    assert_eq!(ips.iter().map(|((_, v), _)| v[0]).collect::<Vec<_>>(), [0, 1]);
    // what the kernel chooses the place of has no address beforehand
    let mut moved = PROBED.to_vec();
    moved[16] = 3;
    k.files.insert(FILE.into(), moved);
    refused(&mut k, RUN, 1, "/opt/probed is position-independent; before 5.15");
}

#[test]
fn what_is_missing_is_named() {
    type Change = fn(&mut Fake);
    let stripped: Change = |k| {
        let file = k.files.get_mut(FILE).unwrap();
        // no sections: what sstrip leaves
        file[40..48].fill(0);
        file[60..64].fill(0);
    };
    let no_change: Change = |_| {};
    let cases: &[(Sample, Change, i32, &str)] = &[
        (
            uprobe("nothing", 0, false),
            no_change,
            1,
            "nothing is none of the functions of /opt/probed: 8 looked at",
        ),
        (multi("x*", 48), no_change, 1, "x* is none of the functions of /opt/probed: 8 looked at"),
        (
            uprobe("probed_add", 0, false),
            stripped,
            1,
            "0 looked at; it is stripped of all symbols: name an offset",
        ),
        (
            uprobe("probed_add", 0, false),
            |k| _ = k.files.remove(FILE),
            1,
            "/opt/probed is not there: --attach handle_probe=PATH",
        ),
        (
            uprobe("probed_add", 0, false),
            |k| _ = k.files.insert(FILE.into(), b"#!/bin/sh\n".to_vec()),
            1,
            "/opt/probed: ELF begins with",
        ),
        (usdt("other"), no_change, 1, "corelet:other is none of the USDT probes of /opt/probed: 2 looked at"),
        (usdt("tick"), stripped, 1, "/opt/probed has no USDT probes (.note.stapsdt)"),
        (
            usdt("tick"),
            |k| _ = k.files.insert(FILE.into(), OTHER.to_vec()),
            1,
            "/opt/probed is of another machine (40)",
        ),
        (
            Sample { usdt_specs: 1, ..usdt("tick") },
            no_change,
            1,
            "map __bpf_usdt_specs has room for 1 places",
        ),
        (
            Sample { usdt_spec_size: 200, ..usdt("tick") },
            no_change,
            1,
            "no map __bpf_usdt_specs as this loader fills it",
        ),
        (
            usdt("tick"),
            |k| _ = k.files.remove(REF_CTR),
            1,
            "EOPNOTSUPP; this kernel does not count the semaphores",
        ),
        (
            uprobe("probed_add", 0, false),
            |k| k.files.retain(|path, _| !path.contains("uprobe")),
            4,
            "ENOENT; this kernel lacks CONFIG_UPROBE_EVENTS, for probes of programs in user space as events",
        ),
    ];
    for (sample, change, code, words) in cases {
        let mut k = Fake::new(Vec::new());
        k.files = machine(Sample { ..clone(sample) }).files;
        change(&mut k);
        refused(&mut k, RUN, *code, words);
    }
}

fn clone(s: &Sample) -> Sample {
    Sample { probe: s.probe, usdt_specs: s.usdt_specs, usdt_spec_size: s.usdt_spec_size, ..Sample::default() }
}

#[test]
fn a_probe_whose_program_asks_for_no_argument_needs_no_map() {
    let mut k = machine(Sample { usdt_specs: 0, ..usdt("tick") });
    done(&mut k, RUN);
    assert_eq!(k.spots, TICKS.map(|t| (t, None)));
    assert!(k.contents.iter().all(|(_, v)| v.len() != 208));
}

#[test]
fn an_optional_program_is_left_out_with_the_reason() {
    let mut k = machine(Sample::default());
    k.files.insert("/p".into(), uprobe("nothing", 0, false).pack());
    done(&mut k, RUN);
    assert!(
        k.stderr.contains("sample: skipped handle_probe (uprobe//opt/probed:…): nothing is none"),
        "{}",
        k.stderr
    );
    assert!(k.stderr.contains("1 skipped"), "{}", k.stderr);
}

#[test]
fn bare_names_are_looked_for_where_they_lie() {
    let at = |path: &'static str, name: &'static str| {
        let attach = Attach::Uprobe { path: name, symbol: "probed_add", offset: 0, ret: false };
        let mut k = machine(Sample { probe: Some(("uprobe", attach, 2, 0)), ..Sample::default() });
        k.files.insert(path.into(), PROBED.to_vec());
        done(&mut k, RUN);
        assert_eq!(k.perf.last().unwrap().2.as_deref(), Some(path));
    };
    at("/usr/bin/probed", "probed");
    at("/sbin/probed", "probed");
    at("/usr/lib/libprobed.so.1", "libprobed.so.1");
    if cfg!(target_arch = "x86_64") {
        at("/lib/x86_64-linux-gnu/libprobed.so", "libprobed.so");
    }
}

#[test]
fn thumb_is_said() {
    let attach = Attach::Uprobe { path: "libother.so.6", symbol: "probed_add", offset: 0, ret: false };
    let mut k = machine(Sample { probe: Some(("uprobe", attach, 2, 0)), ..Sample::default() });
    let file = k.files.get_mut("/lib/libother.so.6").unwrap();
    // what stands for the function in the table of symbols: its address, odd
    let entries = (0..file.len() - 4).filter(|&at| file[at..at + 4] == 0x0001_1174u32.to_le_bytes());
    let entries: Vec<usize> = entries.collect();
    entries.into_iter().for_each(|at| file[at] |= 1);
    refused(
        &mut k,
        RUN,
        1,
        "probed_add of /lib/libother.so.6 is of Thumb instructions, which Linux cannot probe",
    );
}

#[test]
fn the_command_line_overrides_the_pack() {
    let line = |what: &'static str| ["run", "/p", "--for", "1", "--attach", what];
    for (sample, what, perf, spot) in [
        (Sample::default(), "handle_probe=vfs_read+8", (6, 0, "vfs_read"), 8),
        (Sample::default(), "handle_probe=/opt/probed:probed_add", (8, 0, FILE), ADD),
        (uprobe("nothing", 0, false), "handle_probe=/opt/probed:0x10", (8, 0, FILE), 0x10),
    ] {
        let mut k = machine(sample);
        done(&mut k, &line(what));
        let (kind, config, name) = perf;
        assert_eq!(k.perf.last(), Some(&(kind, config, Some(name.to_owned()))));
        assert_eq!(k.spots.last(), Some(&(spot, None)));
    }
    let mut k = machine(usdt("other"));
    done(&mut k, &line("handle_probe=/opt/probed:corelet:tick"));
    assert_eq!(k.spots.len(), 2);
    for (what, words) in [
        ("nobody=vfs_read", "--attach nobody=vfs_read: the pack has no such program"),
        (
            "handle_open=vfs_read",
            "handle_open (tracepoint/syscalls/sys_enter_openat) cannot be attached to that",
        ),
        ("handle_probe=/opt/probed:a:b", "handle_probe (kprobe/do_open) cannot be attached to that"),
        ("handle_probe=:x", "cannot be attached to that"),
        ("handle_probe=f+x", "cannot be attached to that"),
        ("handle_probe", "bad value for --attach"),
    ] {
        let mut k = machine(Sample::default());
        refused(&mut k, &line(what), 2, words);
    }
    let mut k = machine(Sample::default());
    refused(&mut k, &["run", "/p", "--pid", "0"], 2, "bad value for --pid");
}

#[test]
fn every_failing_call_leaves_nothing() {
    for (sample, tracefs) in [
        (uprobe("probed_add", 0, false), true),
        (multi("many_*", 48), false),
        (usdt("tick"), false),
        (usdt("tick"), true),
    ] {
        let fresh = || {
            let mut k = machine(clone(&sample));
            if tracefs {
                k.files.remove(UPROBE_PMU);
                k.files.remove(PMU);
            }
            k
        };
        let mut k = fresh();
        assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
        // removing a probe from tracefs takes two calls, after which nothing can be done
        let calls = k.calls - if tracefs { 2 * k.perf.iter().filter(|p| p.1 == 9).count() } else { 0 };
        for e in [Errno::ENOMEM, Errno::EACCES, Errno::EINVAL, Errno::ENOENT] {
            for n in 1..=calls {
                let mut k = fresh();
                k.fail = Some((n, e));
                let code = run(&mut k, RUN);
                assert!(k.left().is_empty(), "call {n} {e:?}: {:?} left open\n{}", k.left(), k.stderr);
                assert!(k.tracefs_probes.is_empty(), "call {n} {e:?}: {:?}", k.tracefs_probes);
                assert!(code == 0 || k.stderr.lines().count() > 0, "call {n} {e:?} says nothing");
                if e == Errno::ENOMEM && code != 0 {
                    assert_eq!(code, 5, "call {n}: {}", k.stderr);
                }
            }
        }
    }
}
