//! Programs of cgroups, network namespaces, maps of sockets and sockets, against a fake kernel: what it is asked, by a link and without,
//! that everything is undone, and what is said where a place is not there or taken.

mod common;

use common::fake::{Fake, Known, Thing};
use common::pack::Sample;
use common::run;
use corelet_core::pack::{Attach, Place};
use corelet_loader::sys::Errno;

const CGROUP: &str = "/sys/fs/cgroup/app";
const NETNS: &str = "/run/netns/blue";

/// A pack whose second program is attached to a place.
fn at(kind: Place, path: &'static str, (prog_type, expected): (u32, u32)) -> Sample {
    let attach = Attach::Place { kind, path, hook: "" };
    Sample { probe: Some(("place", attach, prog_type, expected)), needed: true, ..Sample::default() }
}

const INGRESS: (u32, u32) = (8, 0);

fn machine(sample: &Sample) -> Fake {
    let mut k = Fake::new(sample.pack());
    for path in [CGROUP, NETNS, "/proc/self/ns/net", "/dev/lirc0"] {
        k.files.insert(path.to_owned(), Vec::new());
    }
    k.files.insert("/sys/class/net/eth0/ifindex".to_owned(), b"7\n".to_vec());
    k
}

/// Runs the pack; nothing may be left open or attached.
fn ran(sample: &Sample, more: &[&str], code: i32, change: impl Fn(&mut Fake)) -> Fake {
    let mut k = machine(sample);
    change(&mut k);
    let args: Vec<&str> = ["run", "/p", "--for", "1"].into_iter().chain(more.iter().copied()).collect();
    assert_eq!(run(&mut k, &args), code, "{}", k.stderr);
    assert!(
        k.left().is_empty() && k.by_place.is_empty() && k.registered.is_empty(),
        "{:?} {:?}\n{}",
        k.left(),
        k.by_place,
        k.stderr
    );
    k
}

/// Whatever call fails, nothing stays.
fn fails_cleanly(sample: &Sample, more: &[&str], change: impl Fn(&mut Fake)) {
    let calls = ran(sample, more, 0, &change).calls;
    for e in [Errno::ENOMEM, Errno::EPERM, Errno::EINVAL, Errno::ENOENT] {
        for n in 1..=calls {
            let mut k = machine(sample);
            change(&mut k);
            k.fail = Some((n, e));
            let args: Vec<&str> =
                ["run", "/p", "--for", "1"].into_iter().chain(more.iter().copied()).collect();
            let code = run(&mut k, &args);
            assert!(
                k.left().is_empty() && k.by_place.is_empty() && k.registered.is_empty(),
                "call {n} {e:?}: {:?} {:?}",
                k.left(),
                k.by_place
            );
            assert!(code == 0 || k.stderr.lines().count() > 0, "call {n} {e:?} says nothing");
        }
    }
}

fn file(path: &str) -> Thing {
    Thing::File { path: path.to_owned(), at: 0 }
}

fn prog() -> Thing {
    Thing::Prog("handle_probe".to_owned())
}

#[test]
fn a_cgroup_by_a_link_and_without() {
    let sample = at(Place::Cgroup, CGROUP, INGRESS);
    let k = ran(&sample, &[], 0, |_| ());
    let last = format!("{:?} to {:?} by 0", prog(), file(CGROUP));
    assert_eq!(k.attached.last(), Some(&last));
    fails_cleanly(&sample, &[], |_| ());
    // before 5.7, beside what others attached
    let k = ran(&sample, &[], 0, |k| k.no_place_links = true);
    assert_eq!(k.attached.last(), Some(&format!("{last} held, multi true")));
    fails_cleanly(&sample, &[], |k| k.no_place_links = true);
}

#[test]
fn the_command_line_says_which() {
    let sample = at(Place::Cgroup, "/sys/fs/cgroup/other", INGRESS);
    for more in [["--cgroup", CGROUP], ["--attach", "handle_probe=/sys/fs/cgroup/app"]] {
        let k = ran(&sample, &more, 0, |_| ());
        assert_eq!(k.attached.last(), Some(&format!("{:?} to {:?} by 0", prog(), file(CGROUP))));
    }
    // the one program's word is the stronger
    let both = ["--cgroup", "/nowhere", "--attach", "handle_probe=/sys/fs/cgroup/app"];
    ran(&sample, &both, 0, |_| ());
    let k = ran(&at(Place::Cgroup, "", INGRESS), &[], 2, |_| ());
    let said = "nobody has said where: --attach handle_probe=CGROUP, or --cgroup CGROUP for all programs";
    assert!(k.stderr.contains(said), "{}", k.stderr);
    // a namespace's option is none of a cgroup's
    ran(&at(Place::Cgroup, "", INGRESS), &["--netns", NETNS], 2, |_| ());
}

#[test]
fn what_keeps_a_program_from_a_cgroup_is_said() {
    let sample = at(Place::Cgroup, CGROUP, INGRESS);
    let said = |e, code: i32, words: &str| {
        let k = ran(&sample, &[], code, |k| k.place_refuses = Some(e));
        assert!(k.stderr.contains(words), "{}", k.stderr);
    };
    said(Errno::EPERM, 4, "without BPF_F_ALLOW_MULTI takes no other beside it (bpftool cgroup tree)");
    said(Errno::EBADF, 4, "to /sys/fs/cgroup/app: EBADF; that is no cgroup of version 2");
    said(Errno::EINVAL, 1, "this kernel lacks such programs, or CONFIG_CGROUP_BPF");
    let k = ran(&at(Place::Cgroup, "/sys/fs/cgroup/gone", INGRESS), &[], 4, |_| ());
    assert!(k.stderr.contains("to /sys/fs/cgroup/gone: ENOENT; there is no such cgroup"), "{}", k.stderr);
    // an optional program is left out for that
    let optional = Sample { needed: false, ..at(Place::Cgroup, "/sys/fs/cgroup/gone", INGRESS) };
    let k = ran(&optional, &[], 0, |_| ());
    assert!(k.stderr.contains("skipped handle_probe (place)"), "{}", k.stderr);
    // what it would answer there counts for nothing: it is tried by loading alone
    let there = Sample { needed: false, ..sample };
    let k = ran(&there, &[], 0, |_| ());
    assert!(k.progs.iter().any(|p| p.name == "corelet_try") && !k.attached.iter().any(|a| a.contains("try")));
    fails_cleanly(&there, &[], |_| ());
}

#[test]
fn a_hook_in_a_cgroup_is_looked_up() {
    let attach = Attach::Place { kind: Place::Cgroup, path: CGROUP, hook: "socket_bind" };
    let sample = Sample { probe: Some(("lsm", attach, 29, 43)), needed: true, ..Sample::default() };
    let known = |k: &mut Fake| k.types.push(("bpf_lsm_socket_bind".to_owned(), Known::Own(31)));
    let k = ran(&sample, &[], 0, known);
    assert_eq!(k.progs.last().unwrap().attach_btf_id, 31);
    assert!(k.attached.last().unwrap().ends_with("by 43"));
    fails_cleanly(&sample, &[], known);
}

#[test]
fn namespaces() {
    let lookup = (30, 36);
    for (path, more, to) in
        [("", &[][..], "/proc/self/ns/net"), ("", &["--netns", NETNS][..], NETNS), (NETNS, &[][..], NETNS)]
    {
        let sample = at(Place::Netns, path, lookup);
        let k = ran(&sample, more, 0, |_| ());
        assert_eq!(k.attached.last(), Some(&format!("{:?} to {:?} by 36", prog(), file(to))));
    }
    let k = ran(&at(Place::Netns, NETNS, lookup), &[], 5, |k| k.place_refuses = Some(Errno::EEXIST));
    assert!(k.stderr.contains("another program is attached there"), "{}", k.stderr);
    let k = ran(&at(Place::Netns, "/run/netns/red", lookup), &[], 4, |_| ());
    assert!(k.stderr.contains("there is no such network namespace"), "{}", k.stderr);
    fails_cleanly(&at(Place::Netns, NETNS, lookup), &[], |k| k.no_place_links = true);
}

#[test]
fn maps_of_sockets_are_the_objects() {
    let sample = at(Place::SockMap, "start", (14, 5));
    let k = ran(&sample, &[], 0, |_| ());
    assert!(k.attached.last().unwrap().contains("to Map("), "{:?}", k.attached);
    fails_cleanly(&sample, &[], |_| ());
    // before 6.10; not one of many
    let k = ran(&sample, &[], 0, |k| k.no_place_links = true);
    assert!(k.attached.last().unwrap().ends_with("held, multi false"), "{:?}", k.attached);
    fails_cleanly(&sample, &[], |k| k.no_place_links = true);
    let k = ran(&at(Place::SockMap, "other", (14, 5)), &[], 1, |_| ());
    assert!(k.stderr.contains("the object has no such map of sockets"), "{}", k.stderr);
}

#[test]
fn sockets_of_the_loader_and_of_processes() {
    let filter = (1, 0);
    for (path, number) in [("", 0), ("eth0", 7)] {
        let sample = at(Place::Socket, path, filter);
        let k = ran(&sample, &[], 0, |_| ());
        assert_eq!(k.attached.last(), Some(&format!("packet socket on {number}")));
        assert_eq!(k.options, [(50, Some(prog()))]);
        fails_cleanly(&sample, &[], |_| ());
    }
    let sample = at(Place::Socket, "120/4", filter);
    let k = ran(&sample, &[], 0, |_| ());
    assert_eq!(k.attached.last().unwrap(), "4 of 120");
    assert_eq!(k.options.iter().map(|o| o.0).collect::<Vec<_>>(), [50, 27]);
    fails_cleanly(&sample, &[], |_| ());
    let sample = at(Place::Reuseport, "120/4", (21, 39));
    let k = ran(&sample, &[], 0, |_| ());
    assert_eq!(k.options.iter().map(|o| o.0).collect::<Vec<_>>(), [52, 68]);
    let k = ran(&at(Place::Socket, "eth9", filter), &[], 4, |_| ());
    assert!(k.stderr.contains("to eth9: ENOENT; there is no such interface"), "{}", k.stderr);
    for path in ["", "here", "a/1", "1/b"] {
        let k = ran(&at(Place::Reuseport, path, (21, 39)), &[], 2, |_| ());
        assert!(k.stderr.contains("--attach handle_probe=PID/FD, a process and its socket"), "{}", k.stderr);
    }
}

#[test]
fn receivers_have_no_links() {
    let sample = at(Place::Lirc, "/dev/lirc0", (20, 16));
    let k = ran(&sample, &[], 0, |_| ());
    assert!(k.attached.last().unwrap().ends_with("by 16 held, multi false"), "{:?}", k.attached);
    fails_cleanly(&sample, &[], |_| ());
    let k = ran(&at(Place::Lirc, "/dev/lirc1", (20, 16)), &[], 4, |_| ());
    assert!(k.stderr.contains("there is no such receiver"), "{}", k.stderr);
}

/// A struct of the kernel's with a program as its member.
fn ops(link: bool) -> Sample {
    let program = ("struct_ops/begin", Attach::None, 27, 0);
    Sample { struct_ops: Some(link), probe: Some(program), needed: true, ..Sample::default() }
}

#[test]
fn structs_of_the_kernel_are_registered_and_no_longer() {
    for link in [true, false] {
        let k = ran(&ops(link), &[], 0, |_| ());
        let map = k.maps.iter().find(|map| map.map_type == 26).unwrap();
        assert_eq!((map.value_size, map.kernel_value_type, map.map_flags), (24, 502, u32::from(link) << 13));
        // without the object's types the kernel does not make it
        assert!(map.btf.is_some() && map.value_type == 0);
        let program = k.progs.last().unwrap();
        assert_eq!((program.attach_btf_id, program.expected_attach_type), (501, 3));
        let (_, key, value) = k.updates.iter().find(|update| update.0 == "ops").unwrap();
        let fd = i32::from_ne_bytes(value[16..20].try_into().unwrap());
        assert_eq!((key, &value[..16], &value[20..]), (&vec![0; 4], &[7; 16][..], &[7; 4][..]));
        assert_eq!(k.things[&fd], prog());
        assert_eq!(k.attached.last().unwrap().ends_with("by 44"), link, "{:?}", k.attached);
        fails_cleanly(&ops(link), &[], |_| ());
    }
    // nothing is registered by looking whether it loads
    let mut k = machine(&ops(false));
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert!(!k.updates.iter().any(|update| update.0 == "ops"));
}

#[test]
fn structs_of_modules_are_found_by_name() {
    let sample = Sample { of_module: true, ..ops(true) };
    let there = |k: &mut Fake| {
        k.types.push(("task_struct".to_owned(), Known::OfModule(9001)));
        k.types.push(("bpf_struct_ops_task_struct".to_owned(), Known::OfModule(9002)));
    };
    let k = ran(&sample, &[], 0, there);
    let map = k.maps.iter().find(|map| map.map_type == 26).unwrap();
    assert_eq!((map.kernel_value_type, map.value_type, map.map_flags), (9002, 0, 1 << 13 | 1 << 15));
    assert!(map.module.is_some());
    let program = k.progs.iter().find(|program| program.prog_type == 27).unwrap();
    assert_eq!((program.attach_btf_id, program.expected_attach_type), (9001, 3));
    fails_cleanly(&sample, &[], there);
    // the first program of the load is the one that asks
    let limited = |k: &mut Fake| {
        there(k);
        k.small_memlock = true;
    };
    assert_eq!(ran(&sample, &[], 0, limited).progs.len(), k.progs.len());
    let k = ran(&sample, &[], 1, |_| ());
    assert!(k.stderr.contains("map ops of struct_ops: no module has its struct: ENOENT"), "{}", k.stderr);
}

#[test]
fn structs_of_the_kernel_need_a_target_of_it() {
    let other = Sample { build_id: vec![9; 20], ..ops(true) };
    let k = ran(&other, &["--allow-release"], 1, |_| ());
    assert!(
        k.stderr.contains("map ops of struct_ops: the pack needs a target of this very kernel"),
        "{}",
        k.stderr
    );
    let mut k = machine(&ops(true));
    assert_eq!(run(&mut k, &["load", "/p"]), 1, "{}", k.stderr);
    assert!(k.stderr.contains("corelet-loader run holds it"), "{}", k.stderr);
    assert!(k.left().is_empty());
}

#[test]
fn a_link_is_pinned_and_what_has_none_is_not() {
    let sample = at(Place::Cgroup, CGROUP, INGRESS);
    let mut k = machine(&sample);
    assert_eq!(run(&mut k, &["load", "/p", "--name", "app"]), 0, "{}", k.stderr);
    let links: Vec<_> =
        k.bpffs.keys().filter(|path| path.contains("/app/links/sample-handle_probe")).collect();
    assert_eq!(links.len(), 1, "{:?}", k.bpffs);
    assert!(k.left().is_empty(), "{:?}", k.left());
    let mut k = machine(&sample);
    k.no_place_links = true;
    assert_eq!(run(&mut k, &["load", "/p", "--name", "app"]), 1, "{}", k.stderr);
    assert!(k.stderr.contains("cannot pin the attachment of handle_probe"), "{}", k.stderr);
    assert!(k.left().is_empty() && k.by_place.is_empty());
}
