//! Services against a fake kernel: load, unload, status, replacement, what killed loaders leave, signs of life.

mod common;

use common::fake::{Fake, Killed, Node, PMU, Thing};
use common::pack::Sample;
use common::run;
use corelet_loader::sys::Errno;
use std::panic::{AssertUnwindSafe, catch_unwind};

const LOAD: &[&str] = &["load", "/p", "--name", "x"];
const REPLACE: &[&str] = &["load", "/p", "--name", "x", "--replace"];
const NAMED: &[&str] = &["run", "/p", "--name", "x", "--for", "1"];

fn machine() -> Fake {
    let mut k = Fake::new(Sample::default().pack());
    k.files.insert("/proc/self".into(), Vec::new());
    k
}

/// All that a load of the sample pins.
const PINNED: [&str; 13] = [
    "corelet",
    "corelet/x",
    "corelet/x/links",
    "corelet/x/links/sample-handle_open",
    "corelet/x/links/sample-handle_probe",
    "corelet/x/maps",
    "corelet/x/maps/sample-_rodata",
    "corelet/x/maps/sample-events",
    "corelet/x/maps/sample-start",
    "corelet/x/progs",
    "corelet/x/progs/sample-handle_open",
    "corelet/x/progs/sample-handle_probe",
    "corelet/x/state",
];

#[test]
fn a_load_pins_everything_and_an_unload_removes_it() {
    let mut k = machine();
    assert_eq!(run(&mut k, LOAD), 0, "{}", k.stderr);
    assert!(k.left().is_empty(), "{:?}", k.left());
    assert_eq!(k.pinned(), PINNED);
    for (path, node) in &k.bpffs {
        if let Node::Pin(fd) = node {
            let right = match &k.things[fd] {
                Thing::Link => path.contains("/links/"),
                Thing::Prog(name) => path.ends_with(&format!("/progs/sample-{name}")),
                Thing::Map(_) => path.contains("/maps/") || path.ends_with("/state"),
                _ => false,
            };
            assert!(right, "{path}: {:?}", k.things[fd]);
        }
    }
    assert!(k.stderr.contains("loaded: 2 programs, 3 maps"), "{}", k.stderr);
    assert_eq!(run(&mut k, &["unload", "x"]), 0, "{}", k.stderr);
    assert_eq!(k.pinned(), [""; 0]);
    assert!(k.stderr.contains("x: unloaded"), "{}", k.stderr);
    assert_eq!(run(&mut k, &["unload", "x"]), 0, "{}", k.stderr);
    assert!(k.stderr.contains("x: nothing is loaded by that name"), "{}", k.stderr);
    assert!(k.left().is_empty(), "{:?}", k.left());
}

#[test]
fn the_name_is_that_of_the_file() {
    let mut k = machine();
    let pack = k.files["/p"].clone();
    k.files.insert("/etc/some-tool.pack".into(), pack.clone());
    assert_eq!(run(&mut k, &["load", "/etc/some-tool.pack"]), 0, "{}", k.stderr);
    assert!(k.bpffs.contains_key("/sys/fs/bpf/corelet/some-tool/state"));
    k.files.insert("/etc/some.tool".into(), pack);
    for (name, more) in [("/etc/some.tool", &[][..]), ("/p", &["--name", "a/b"]), ("/p", &["--name", ""])] {
        assert_eq!(run(&mut k, &[&["load", name], more].concat()), 2, "{}", k.stderr);
        assert!(k.stderr.contains("is no name of a service"), "{}", k.stderr);
    }
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let mut k = machine();
    assert_eq!(run(&mut k, LOAD), 0, "{}", k.stderr);
    for line in [LOAD, NAMED] {
        assert_eq!(run(&mut k, line), 2, "{}", k.stderr);
        assert!(k.stderr.ends_with("x is loaded already: corelet-loader unload x, or load --replace\n"));
        assert_eq!(k.pinned(), PINNED);
        assert!(k.left().is_empty());
    }
    // of another loader that is at it now
    let mut k = machine();
    k.bpffs.insert("/sys/fs/bpf/corelet".into(), Node::Folder);
    k.bpffs.insert("/sys/fs/bpf/corelet/x".into(), Node::Folder);
    k.locked.push("/sys/fs/bpf/corelet/x".into());
    for line in [LOAD, REPLACE, NAMED, &["unload", "x"]] {
        assert_eq!(run(&mut k, line), 5, "{}", k.stderr);
        assert!(
            k.stderr.ends_with("x is being loaded by another corelet-loader; try again\n"),
            "{}",
            k.stderr
        );
        assert_eq!(k.pinned(), ["corelet", "corelet/x"]);
    }
    k.locked[0] = "/sys/fs/bpf".into();
    assert_eq!(run(&mut k, LOAD), 5, "{}", k.stderr);
    assert!(k.stderr.contains("another corelet-loader has locked it"), "{}", k.stderr);
    assert!(k.left().is_empty());
}

#[test]
fn without_a_bpffs_it_is_said_how_to_mount_one() {
    let mut k = machine();
    k.bpffs.clear();
    assert_eq!(run(&mut k, LOAD), 4);
    assert!(k.stderr.contains("mount -t bpf bpf /sys/fs/bpf"), "{}", k.stderr);
    assert!(k.left().is_empty());
    assert_eq!(run(&mut k, &["status"]), 0, "{}", k.stderr);
    assert_eq!(run(&mut k, &["run", "/p", "--for", "1"]), 0, "{}", k.stderr);
}

#[test]
fn what_cannot_be_pinned_is_named_and_nothing_is_left() {
    // before 5.15
    let mut k = machine();
    k.no_links = true;
    assert_eq!(run(&mut k, LOAD), 1);
    let words = "sample: cannot pin the attachment of handle_open (tracepoint/syscalls/sys_enter_openat)";
    assert!(k.stderr.contains(words) && k.stderr.contains("corelet-loader run"), "{}", k.stderr);
    assert_eq!((k.pinned(), k.left().len()), (vec![], 0));
    // a probe in tracefs ends with its process, whatever its link
    let mut k = machine();
    k.files.remove(PMU);
    assert_eq!(run(&mut k, LOAD), 1);
    assert!(k.stderr.contains("cannot pin the attachment of handle_probe"), "{}", k.stderr);
    assert_eq!((k.pinned(), k.left().len(), k.tracefs_probes.len()), (vec![], 0, 0));
}

#[test]
fn every_failing_call_leaves_nothing() {
    for (line, before) in [(LOAD, &[][..]), (REPLACE, LOAD), (NAMED, &[])] {
        let fresh = || {
            let mut k = machine();
            assert!(before.is_empty() || run(&mut k, before) == 0, "{}", k.stderr);
            k.calls = 0;
            k
        };
        let mut k = fresh();
        assert_eq!(run(&mut k, line), 0, "{}", k.stderr);
        let (calls, after) = (k.calls, k.pinned().join(" "));
        for e in [Errno::ENOMEM, Errno::EPERM, Errno::EINVAL] {
            for n in 1..=calls {
                let mut k = fresh();
                k.fail = Some((n, e));
                let code = run(&mut k, line);
                assert!(k.left().is_empty(), "{line:?} {n} {e:?}: {:?}\n{}", k.left(), k.stderr);
                assert!(code == 0 || !k.stderr.is_empty(), "{line:?} {n} {e:?} says nothing");
                // of a replacement what was there is there, or the new one is complete
                let found = k.pinned().join(" ");
                let whole = match before {
                    [] => found.is_empty() || (code == 0 && found == after),
                    _ => found == after || k.bpffs.contains_key("/sys/fs/bpf/corelet/x+new/state"),
                };
                // a folder that cannot be removed is said, and removed by the next one
                let said = k.stderr.contains("cannot remove");
                assert!(whole || said || code == 0, "{line:?} {n} {e:?}: {found}\n{}", k.stderr);
                k.fail = None;
                assert_eq!(run(&mut k, &["unload", "x"]), 0, "{line:?} {n} {e:?}: {}", k.stderr);
                assert_eq!(k.pinned(), [""; 0], "{line:?} {n} {e:?}: {}", k.stderr);
            }
        }
    }
}

/// Ends a loader at call number `n`, as SIGKILL does.
fn kill(k: &mut Fake, line: &[&str], n: usize) -> bool {
    k.calls = 0;
    k.killed = Some(n);
    let ended = catch_unwind(AssertUnwindSafe(|| run(k, line)));
    let killed = ended.is_err_and(|why| why.is::<Killed>());
    k.bury();
    killed
}

#[test]
fn killed_at_any_moment_the_next_start_leaves_nothing_stale() {
    for (line, before) in [(LOAD, &[][..]), (REPLACE, LOAD), (NAMED, &[]), (&["unload", "x"], LOAD)] {
        for n in 1.. {
            let mut k = machine();
            assert!(before.is_empty() || run(&mut k, before) == 0, "{}", k.stderr);
            if !kill(&mut k, line, n) {
                assert!(n > 10, "{line:?}");
                break;
            }
            // what status calls stale is removed by the next one of any name; what it calls loaded is whole
            k.stdout.clear();
            assert_eq!(run(&mut k, &["status", "--json"]), 0, "{line:?} {n}: {}", k.stderr);
            let was_loaded = k.stdout.contains(r#""state":"loaded""#);
            assert_eq!(run(&mut k, &["load", "/p", "--name", "y"]), 0, "{line:?} {n}: {}", k.stderr);
            let of_x: Vec<&str> = k.pinned().into_iter().filter(|p| p.starts_with("corelet/x")).collect();
            let whole: &[&str] = if was_loaded { &PINNED[1..] } else { &[] };
            assert_eq!(of_x, whole, "{line:?} {n}: {}", k.stderr);
            assert!(k.left().is_empty(), "{line:?} {n}: {:?}", k.left());
            assert!(before != LOAD || line != REPLACE || was_loaded, "call {n}: a gap");
        }
    }
}

#[test]
fn pins_of_others_stay() {
    let mut k = machine();
    for path in ["corelet", "corelet/x", "corelet/another-tool", "other"] {
        k.bpffs.insert(format!("/sys/fs/bpf/{path}"), Node::Folder);
    }
    for path in ["corelet/x/theirs", "corelet/another-tool/map", "other/map"] {
        k.bpffs.insert(format!("/sys/fs/bpf/{path}"), Node::Pin(1));
    }
    let before = k.bpffs.clone();
    assert_eq!(run(&mut k, &["unload", "x"]), 1, "{}", k.stderr);
    assert!(k.stderr.contains("something else may be pinned there"), "{}", k.stderr);
    assert_eq!(run(&mut k, &["unload", "y"]), 0, "{}", k.stderr);
    assert_eq!(k.bpffs, before);
}

#[test]
fn a_replacement_takes_the_place_of_the_old() {
    let mut k = machine();
    assert_eq!(run(&mut k, LOAD), 0, "{}", k.stderr);
    let old: Vec<Node> = k.bpffs.values().cloned().collect();
    assert_eq!(run(&mut k, REPLACE), 0, "{}", k.stderr);
    assert_eq!(k.pinned(), PINNED);
    assert!(k.bpffs.values().all(|node| *node == Node::Folder || !old.contains(node)));
    assert!(k.stderr.contains("x: replaced; the new programs were attached before the old ones went"));
    // and one that cannot be leaves the old
    let old = k.bpffs.clone();
    k.no_links = true;
    assert_eq!(run(&mut k, REPLACE), 1, "{}", k.stderr);
    assert_eq!(k.bpffs, old);
    // where nothing is to be replaced it is a load
    assert_eq!(run(&mut k, &["unload", "x"]), 0, "{}", k.stderr);
    k.no_links = false;
    assert_eq!(run(&mut k, REPLACE), 0, "{}", k.stderr);
    assert_eq!(k.pinned(), PINNED);
}

#[test]
fn status_tells_of_programs_maps_and_age() {
    let mut k = machine();
    assert_eq!(run(&mut k, LOAD), 0, "{}", k.stderr);
    k.stdout.clear();
    assert_eq!(run(&mut k, &["status", "x", "--json"]), 0, "{}", k.stderr);
    let digest = "07".repeat(32);
    let id = |name: &str| match k.bpffs[&format!("/sys/fs/bpf/corelet/x/{name}")] {
        Node::Pin(fd) => fd,
        Node::Folder => panic!("{name}"),
    };
    let [open, probe] = ["progs/sample-handle_open", "progs/sample-handle_probe"].map(id);
    let [events, start, rodata] = ["maps/sample-events", "maps/sample-start", "maps/sample-_rodata"].map(id);
    let whole = [
        r#"{"service":"x","state":"loaded","pid":7,"age_s":0,"counted":true"#.to_owned(),
        format!(r#","objects":[{{"name":"sample","digest":"{digest}"}}]"#),
        format!(r#","programs":[{{"name":"handle_open","id":{open},"bytes":8192,"runs":5,"run_ns":500}}"#),
        format!(r#",{{"name":"handle_probe","id":{probe},"bytes":8192,"runs":5,"run_ns":500}}]"#),
        format!(r#","maps":[{{"name":"events","id":{events},"bytes":4096}}"#),
        format!(r#",{{"name":"start","id":{start},"bytes":4096}}"#),
        format!(r#",{{"name":"sample.rodata","id":{rodata},"bytes":4096}}]}}"#),
    ];
    assert_eq!(k.stdout, whole.concat() + "\n");
    k.files.insert("/proc/sys/kernel/bpf_stats_enabled".into(), b"0\n".to_vec());
    k.stdout.clear();
    assert_eq!(run(&mut k, &["status"]), 0, "{}", k.stderr);
    for words in [
        "x: loaded\n  by process 7, 0 s ago; runs are not counted: sysctl kernel.bpf_stats_enabled=1\n",
        "  object sample 0707",
        &format!("  program handle_open, id {open}, 8192 bytes, 5 runs in 500 ns\n"),
        &format!("  map start, id {start}, 4096 bytes\n"),
    ] {
        assert!(k.stdout.contains(words), "{words}\nis missing in\n{}", k.stdout);
    }
    assert!(k.left().is_empty(), "{:?}", k.left());
    assert_eq!(run(&mut k, &["status", "y"]), 1);
    assert!(k.stderr.ends_with("y: nothing is loaded by that name\n"), "{}", k.stderr);
}

#[test]
fn a_run_is_shown_while_it_lives_and_gone_when_it_ends() {
    let mut k = machine();
    assert_eq!(run(&mut k, NAMED), 0, "{}", k.stderr);
    assert_eq!(k.pinned(), [""; 0]);
    assert!(k.left().is_empty());
    // the state of one that does not end: its process has the lock
    let last = k.calls;
    let left = (1..last).rev().map(|n| {
        let mut k = machine();
        kill(&mut k, NAMED, n);
        k
    });
    let mut left = left.filter(|k| k.bpffs.contains_key("/sys/fs/bpf/corelet/x/state"));
    let mut k = left.next().expect("none left its state");
    k.locked.push("/sys/fs/bpf/corelet/x".into());
    k.stdout.clear();
    assert_eq!(run(&mut k, &["status", "--json"]), 0, "{}", k.stderr);
    let words = r#"{"service":"x","state":"running","pid":7,"age_s":"#;
    assert!(k.stdout.starts_with(words), "{}", k.stdout);
    assert!(k.stdout.contains(r#","events":0,"lost":0,"dropped":0,"objects":[{"#), "{}", k.stdout);
    for line in [NAMED, LOAD, REPLACE, &["unload", "x"]] {
        assert_eq!(run(&mut k, line), 5, "{}", k.stderr);
        assert!(k.stderr.ends_with("x runs in process 7: stop that first\n"), "{}", k.stderr);
    }
    k.locked.clear();
    k.stdout.clear();
    assert_eq!(run(&mut k, &["status"]), 0, "{}", k.stderr);
    assert_eq!(k.stdout, "x: stale, left by a loader that was killed; the next one removes it\n");
    // without a name too
    assert_eq!(run(&mut k, &["run", "/p", "--for", "1"]), 0, "{}", k.stderr);
    assert!(k.stderr.contains("removed /sys/fs/bpf/corelet/x, which a killed loader left"), "{}", k.stderr);
    assert_eq!(k.pinned(), [""; 0]);
}

#[test]
fn probes_of_killed_loaders_go_and_those_of_the_living_stay() {
    let list =
        "p:mine/p_1_0 do_x\nr:corelet/p_41_0 do_open\np:corelet/p_42_0 do_open\np:corelet/p_41_1 do_y\n";
    let mut k = machine();
    k.files.insert("/proc/42".into(), Vec::new());
    k.files.insert("/sys/kernel/tracing/kprobe_events".into(), list.into());
    k.tracefs_probes = list.lines().map(Into::into).collect();
    k.lists_probes = true;
    assert_eq!(run(&mut k, &["run", "/p", "--for", "1"]), 0, "{}", k.stderr);
    assert_eq!(k.tracefs_probes, ["p:mine/p_1_0 do_x", "p:corelet/p_42_0 do_open"]);
    assert_eq!(k.stderr.matches("removed the probe corelet/p_41_").count(), 2, "{}", k.stderr);
    // without a /proc nobody knows who lives
    let mut k = machine();
    k.files.remove("/proc/self");
    k.files.insert("/sys/kernel/tracing/kprobe_events".into(), list.into());
    k.tracefs_probes = list.lines().map(Into::into).collect();
    k.lists_probes = true;
    assert_eq!(run(&mut k, &["run", "/p", "--for", "1"]), 0, "{}", k.stderr);
    assert_eq!(k.tracefs_probes.len(), 4);
}

#[test]
fn a_supervisor_is_told() {
    for address in ["/run/notify", "@corelet"] {
        let mut k = machine();
        let long = "x".repeat(500);
        let environ = format!(
            "LONG={long}\0NOTIFY_SOCKET_NOT=/no\0WATCHDOG_USEC=400000\0NOTIFY_SOCKET={address}\0A=b\0"
        );
        k.files.insert("/proc/self/environ".into(), environ.clone().into());
        k.heard.insert(address.into(), Vec::new());
        assert_eq!(run(&mut k, &["run", "/p", "--for", "2"]), 0, "{}", k.stderr);
        let heard = &k.heard[address];
        let beats = heard.iter().filter(|h| *h == "WATCHDOG=1").count();
        // half of 0.4 s in two seconds
        assert!((9..=11).contains(&beats), "{heard:?}");
        assert_eq!(heard.first().map(String::as_str), Some("READY=1\nSTATUS=attached"));
        assert_eq!(heard.last().map(String::as_str), Some("STOPPING=1"));
        assert_eq!(heard.len(), beats + 2, "{heard:?}");
        assert!(k.left().is_empty(), "{:?}", k.left());
        // of another process the watchdog waits
        k.files.insert("/proc/self/environ".into(), (environ.clone() + "WATCHDOG_PID=8\0").into());
        k.heard.insert(address.into(), Vec::new());
        assert_eq!(run(&mut k, &["run", "/p", "--for", "2"]), 0, "{}", k.stderr);
        assert_eq!(k.heard[address].len(), 2);
        // nobody listens
        k.heard.clear();
        assert_eq!(run(&mut k, &["run", "/p", "--for", "2"]), 0, "{}", k.stderr);
        assert!(k.stderr.contains("NOTIFY_SOCKET: ENOENT; going on without it"), "{}", k.stderr);
    }
}

#[test]
fn several_packs_run_together_or_not_at_all() {
    let mut k = machine();
    k.files.insert("/q".into(), Sample { name: "other", ..Sample::default() }.pack());
    assert_eq!(run(&mut k, &["run", "/p", "/q", "--for", "1"]), 0, "{}", k.stderr);
    assert!(k.stderr.contains("ready: 4 programs, 6 maps"), "{}", k.stderr);
    assert!(k.left().is_empty());
    k.files.insert("/q".into(), b"no pack".to_vec());
    let attached = k.attached.len();
    assert_eq!(run(&mut k, &["run", "/p", "/q", "--for", "1"]), 3, "{}", k.stderr);
    assert!(k.left().is_empty() && k.attached.len() == attached);
    let many: Vec<&str> = std::iter::once("run").chain(["/p"; 9]).chain(["--for", "1"]).collect();
    assert_eq!(run(&mut k, &many), 2, "{}", k.stderr);
    let eight = [&many[..9], &many[10..]].concat();
    assert_eq!(run(&mut k, &eight), 0, "{}", k.stderr);
}
