//! Programs on network devices, against a fake kernel: links, rtnetlink where there are none, what is refused and what is left.

mod common;

use common::fake::Fake;
use common::pack::Sample;
use common::rtnetlink::{Interface, Net};
use common::run;
use corelet_core::pack::Attach;
use corelet_loader::sys::Errno;

const RUN: &[&str] = &["run", "/p", "--for", "1"];
const XDP: (u32, u32) = (6, 37);
const TC: (u32, u32) = (3, 0);
const ACTION: (u32, u32) = (4, 0);

fn with(place: &'static str, (prog_type, attach_type): (u32, u32)) -> Sample {
    let probe = Some(("probe", Attach::Device { place }, prog_type, attach_type));
    Sample { probe, needed: true, ..Sample::default() }
}

fn machine(sample: &Sample) -> Fake {
    let mut k = Fake::new(sample.pack());
    k.net = Net::with(&["lo", "eth0", "eth1"]);
    k
}

/// Runs a pack; the kernel afterwards, of which nothing may be left open or attached.
fn ran(sample: &Sample, line: &[&str], code: i32, change: impl Fn(&mut Fake)) -> Fake {
    let mut k = machine(sample);
    change(&mut k);
    assert_eq!(run(&mut k, line), code, "{}", k.stderr);
    assert!(k.left().is_empty(), "{:?}\n{}", k.left(), k.stderr);
    assert!(k.pinned().is_empty(), "{:?}", k.pinned());
    k
}

fn old(k: &mut Fake) {
    k.net.no_links = true;
}

/// Any failing call ends with everything undone.
fn fails_cleanly(sample: &Sample, line: &[&str], change: impl Fn(&mut Fake)) {
    let calls = ran(sample, line, 0, &change).calls;
    for e in [Errno::ENOMEM, Errno::EPERM, Errno::EINVAL, Errno::ENODEV] {
        for n in 1..=calls {
            let mut k = machine(sample);
            change(&mut k);
            k.fail = Some((n, e));
            let code = run(&mut k, line);
            assert!(k.left().is_empty(), "call {n} {e:?}: {:?} left open\n{}", k.left(), k.stderr);
            assert!(k.net.is_clean(), "call {n} {e:?}: {:?}\n{}", k.net.interfaces, k.stderr);
            assert!(code == 0 || k.stderr.lines().count() > 0, "call {n} {e:?} says nothing");
        }
    }
}

#[test]
fn links_are_made_of_what_the_place_says() {
    let spec = |target, attach_type, flags, rest: [u32; 4]| {
        format!(
            "Prog(\"handle_probe\") to LinkSpec {{ target: {target}, attach_type: {attach_type}, flags: {flags}, rest: {rest:?} }}"
        )
    };
    let zero = [0; 4];
    let priority = -10i32 as u32;
    for (place, types, expected) in [
        ("eth0", XDP, spec(8, 37, 0, zero)),
        ("eth0,generic", XDP, spec(8, 37, 2, zero)),
        ("eth1,native", XDP, spec(9, 37, 4, zero)),
        ("eth0,ingress", TC, spec(8, 46, 0, zero)),
        ("eth0,egress,first", TC, spec(8, 47, 8, zero)),
        ("eth0", (3, 47), spec(8, 47, 0, zero)),
        ("eth0,after=12", (3, 46), spec(8, 46, 0x30, [12, 0, 0, 0])),
        ("eth0,before=12", (3, 54), spec(8, 54, 0x28, [12, 0, 0, 0])),
        ("ipv6,forward,prio=-10,defrag", (32, 45), spec(0, 45, 0, [10, 2, priority, 1])),
    ] {
        let k = ran(&with(place, types), RUN, 0, |_| ());
        assert!(k.attached.contains(&expected), "{place}: {:?}", k.attached);
        assert!(k.net.is_clean());
    }
    fails_cleanly(&with("eth0", XDP), RUN, |_| ());
}

#[test]
fn the_command_line_says_where() {
    let device = |k: &Fake| k.attached.iter().filter(|a| a.contains("LinkSpec")).count();
    let k = ran(
        &with("", XDP),
        &["run", "/p", "--for", "1", "--interface", "eth0", "--interface", "eth1"],
        0,
        |_| (),
    );
    assert_eq!(device(&k), 2, "{:?}", k.attached);
    let line = ["run", "/p", "--for", "1", "--attach", "handle_probe=eth1,generic"];
    let k = ran(&with("eth0", XDP), &line, 0, |_| ());
    assert!(
        k.attached.iter().any(|a| a.contains("target: 9, attach_type: 37, flags: 2")),
        "{:?}",
        k.attached
    );
    let k = ran(&with("", XDP), RUN, 2, |_| ());
    assert!(k.stderr.contains("say --interface IF, or --attach handle_probe=IF"), "{}", k.stderr);
    let k = ran(&with("", (32, 45)), RUN, 2, |_| ());
    assert!(k.stderr.contains("say --attach handle_probe=FAMILY,HOOK"), "{}", k.stderr);
    let line = ["run", "/p", "--for", "1", "--interface", "no/name"];
    assert!(ran(&with("", XDP), &line, 2, |_| ()).stderr.contains("bad value for --interface"));
    let line = ["load", "/p", "--follow"];
    assert!(ran(&with("", XDP), &line, 2, |_| ()).stderr.contains("bad value for --follow"));
}

#[test]
fn old_kernels_are_asked_by_rtnetlink() {
    let k = ran(&with("eth0,generic", XDP), RUN, 0, old);
    assert!(k.net.is_clean(), "{:?}", k.net.interfaces);
    for (place, types) in [("eth0,ingress", TC), ("eth1,egress", ACTION), ("eth0,ingress,prio=7", TC)] {
        let sample = with(place, types);
        let k = ran(&sample, RUN, 0, old);
        assert!(k.net.is_clean(), "{:?}", k.net.interfaces);
        fails_cleanly(&sample, RUN, old);
    }
    fails_cleanly(&with("eth0,netlink", XDP), RUN, |_| ());
    // an order is tcx's alone
    let k = ran(&with("eth0,ingress,first", TC), RUN, 1, old);
    assert!(k.stderr.contains("an order among programs came with tcx"), "{}", k.stderr);
}

#[test]
fn what_others_attached_stays() {
    // a clsact and a filter of somebody else
    let theirs = (0xffff_fff2, 1, 0x0001_0300, "other".to_owned());
    let change = |k: &mut Fake| {
        old(k);
        let eth0 = &mut k.net.interfaces[1];
        (eth0.clsact, eth0.filters) = (true, vec![theirs.clone()]);
    };
    let k = ran(&with("eth0,ingress", TC), RUN, 0, change);
    let Interface { clsact, filters, .. } = &k.net.interfaces[1];
    assert_eq!((*clsact, &filters[..]), (true, &[theirs.clone()][..]));
    // and a program of somebody else
    let xdp = |k: &mut Fake| {
        old(k);
        k.net.interfaces[1].xdp = Some((99, 0));
    };
    let k = ran(&with("eth0", XDP), RUN, 5, xdp);
    assert!(k.stderr.contains("to eth0: EBUSY; eth0 has the program 99"), "{}", k.stderr);
    assert_eq!(k.net.interfaces[1].xdp, Some((99, 0)));
}

#[test]
fn what_cannot_be_attached_is_said() {
    let k = ran(&with("eth9", XDP), RUN, 4, |_| ());
    assert!(k.stderr.contains("to eth9: ENODEV; there is no interface eth9 here"), "{}", k.stderr);
    let optional = Sample { needed: false, ..with("eth9", XDP) };
    let k = ran(&optional, RUN, 0, |_| ());
    assert!(k.stderr.contains("skipped handle_probe: there is no interface eth9"), "{}", k.stderr);
    let k = ran(&with("eth0,sideways", XDP), RUN, 2, |_| ());
    assert!(k.stderr.contains("to eth0,sideways: `sideways` cannot stand there"), "{}", k.stderr);
    let k = ran(&with("eth0", TC), RUN, 2, |_| ());
    assert!(k.stderr.contains("say a direction: eth0,ingress or eth0,egress"), "{}", k.stderr);
    // the kernel's own words
    let k = ran(&with("eth0,netlink", XDP), RUN, 1, |k| k.net.refuse = Some((19, 22, "XDP is too large")));
    assert!(k.stderr.contains("EINVAL (the kernel: XDP is too large)"), "{}", k.stderr);
    let k = ran(&with("eth0,ingress", TC), RUN, 4, |k| {
        old(k);
        k.net.refuse = Some((44, 2, "TC classifier not found"));
    });
    assert!(k.stderr.contains("(the kernel: TC classifier not found)"), "{}", k.stderr);
    assert!(k.net.is_clean());
}

#[test]
fn what_a_killed_loader_left_is_removed() {
    for (place, types) in [("eth0,netlink", XDP), ("eth0,ingress", TC), ("eth0,egress", ACTION)] {
        let sample = with(place, types);
        let mut k = machine(&sample);
        old(&mut k);
        k.patience = 1000;
        // it is killed when everything runs: at the first wait for events
        let calls = ran(&sample, RUN, 0, old).calls;
        let mut found = false;
        for n in (1..=calls).rev() {
            let mut k = machine(&sample);
            old(&mut k);
            k.killed = Some(n);
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| ()));
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut k, RUN)));
            std::panic::set_hook(hook);
            assert!(ended.is_err());
            k.bury();
            if k.net.is_clean() {
                continue;
            }
            found = true;
            k.stderr.clear();
            // its number is another process's by now, then nobody's
            k.files.insert("/proc/self".into(), Vec::new());
            assert_eq!(run(&mut k, RUN), 0, "{place}, killed at {n}: {}", k.stderr);
            assert!(k.stderr.contains("which a killed loader left"), "{place}: {}", k.stderr);
            assert!(k.net.is_clean() && k.left().is_empty(), "{:?}", k.net.interfaces);
            assert!(k.pinned().is_empty(), "{:?}", k.pinned());
            break;
        }
        assert!(found, "{place}");
    }
}

#[test]
fn a_load_pins_links_and_nothing_else() {
    let mut k = machine(&with("eth0", XDP));
    assert_eq!(run(&mut k, &["load", "/p", "--name", "net"]), 0, "{}", k.stderr);
    assert!(k.pinned().contains(&"corelet/net/links/sample-handle_probe"), "{:?}", k.pinned());
    let k = ran(&with("eth0,netlink", XDP), &["load", "/p", "--name", "net"], 1, |_| ());
    assert!(k.stderr.contains("is attached by rtnetlink, which cannot be pinned"), "{}", k.stderr);
    assert!(k.net.is_clean());
}
