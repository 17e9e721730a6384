//! Target files that a kernel's package installed, and `preflight`: found by digest and build id, refused when they are not
//! what their name says.

mod common;

use common::fake::Fake;
use common::pack::{BUILD_ID, DIGEST, RELEASE, Sample, container};
use common::run;
use corelet_loader::sys::Errno;

const OTHER: [u8; 20] = [0xcd; 20];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn place(folder: &str, build_id: &[u8]) -> String {
    format!("{folder}/{}/{}.target", hex(&DIGEST), hex(build_id))
}

/// A target file for the kernel of `build_id`.
fn target(build_id: &[u8]) -> Vec<u8> {
    container(&Sample { build_id: build_id.to_vec(), ..Sample::default() }.target())
}

/// A machine whose pack has no target for its kernel.
fn without() -> Fake {
    Fake::new(Sample { build_id: OTHER.to_vec(), ..Sample::default() }.pack())
}

#[test]
fn an_installed_target_is_taken() {
    let mut k = without();
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    assert!(k.stderr.contains(&format!("not there: {}", place("/lib/corelet", &BUILD_ID))), "{}", k.stderr);
    k.files.insert(place("/lib/corelet", &BUILD_ID), target(&BUILD_ID));
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!(run(&mut k, &["verify", "/p", "--targets", "/elsewhere"]), 1);
    k.files.insert(place("/elsewhere", &BUILD_ID), target(&BUILD_ID));
    assert_eq!(run(&mut k, &["verify", "/p", "--targets", "/elsewhere"]), 0, "{}", k.stderr);
    assert!(k.left().is_empty());
}

#[test]
fn objects_without_targets_are_a_pack() {
    let mut k = Fake::new(container(&Sample::default().object()));
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    assert!(k.stderr.contains("the pack has no target for this object"), "{}", k.stderr);
    k.files.insert(place("/lib/corelet", &BUILD_ID), target(&BUILD_ID));
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
}

#[test]
fn a_file_that_is_not_what_its_name_says_is_refused() {
    let stray = Sample { object_in_target: [1; 32], ..Sample::default() };
    let good = target(&BUILD_ID);
    for (bytes, words) in [
        (target(&OTHER), "not what its name says: it has no target of sample for that build id"),
        (container(&stray.target()), "not what its name says"),
        (good[..good.len() - 1].to_vec(), ""),
        (good[..30].to_vec(), ""),
        (Vec::new(), ""),
        (b"a text that somebody put here, long enough".to_vec(), ""),
    ] {
        let mut k = without();
        let path = place("/lib/corelet", &BUILD_ID);
        k.files.insert(path.clone(), bytes);
        for line in [&["verify", "/p"][..], &["preflight", "/p", "--build-id", &hex(&BUILD_ID)]] {
            k.stderr.clear();
            assert_eq!(run(&mut k, line), 3, "{}", k.stderr);
            assert!(k.stderr.contains(&path) && k.stderr.contains(words), "{}", k.stderr);
            assert_eq!(k.stderr.lines().count(), 1, "{}", k.stderr);
            assert!(k.left().is_empty() && k.maps.is_empty());
        }
    }
}

#[test]
fn every_changed_byte_of_a_target_file_is_refused_or_harmless() {
    let good = target(&BUILD_ID);
    for at in (0..good.len()).step_by(3) {
        let mut changed = good.clone();
        changed[at] ^= 0x55;
        for line in [&["verify", "/p"][..], &["preflight", "/p", "--build-id", &hex(&BUILD_ID)]] {
            let mut k = without();
            k.files.insert(place("/lib/corelet", &BUILD_ID), changed.clone());
            let code = run(&mut k, line);
            // padding is covered by no checksum
            assert!(code == 3 || code == 0, "byte {at}: {code} {}", k.stderr);
            assert!(k.left().is_empty());
        }
    }
}

#[test]
fn preflight_asks_for_another_kernel() {
    let mut k = Fake::new(Sample::default().pack());
    let ask = ["preflight", "/p", "--build-id", &hex(&OTHER)];
    // neither the running kernel's target nor its types serve
    k.files.insert("/sys/kernel/btf/vmlinux".into(), vec![0; 64]);
    assert_eq!(run(&mut k, &ask), 1);
    for part in [
        "no target for this kernel",
        &format!("asked for: {}, build id {}", std::env::consts::ARCH, hex(&OTHER)),
        &place("/lib/corelet", &OTHER),
    ] {
        assert!(k.stderr.contains(part), "{part} is missing in {}", k.stderr);
    }
    assert_eq!(run(&mut k, &[&ask[..], &["--allow-release"]].concat()), 1);
    k.files.insert(place("/lib/corelet", &OTHER), target(&OTHER));
    assert_eq!(run(&mut k, &ask), 0, "{}", k.stderr);
    let said = format!("{}: object 0 is ready for {RELEASE} #1 SMP test", place("/lib/corelet", &OTHER));
    assert!(k.stderr.contains(&said), "{}", k.stderr);
    assert!(k.maps.is_empty() && k.progs.is_empty() && k.left().is_empty());
    assert_eq!(run(&mut k, &[&ask[..], &["--max-kernel-mem", "1K"]].concat()), 1);
    // and the running kernel goes on, whatever lies there for it, which its pack makes nobody read
    k.files.insert(place("/lib/corelet", &BUILD_ID), Vec::new());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
}

#[test]
fn preflight_by_the_pack_itself_or_a_named_file() {
    let mut k = without();
    assert_eq!(run(&mut k, &["preflight", "/p", "--build-id", &hex(&OTHER)]), 0, "{}", k.stderr);
    assert!(k.stderr.contains("/p: object 0 is ready for 6.12.0-test #1 SMP test"), "{}", k.stderr);
    k.files.insert("/t".into(), target(&BUILD_ID));
    let line = ["preflight", "/p", "--build-id", &hex(&BUILD_ID).to_uppercase(), "--target", "/t"];
    assert_eq!(run(&mut k, &line), 0, "{}", k.stderr);
    assert!(k.stderr.contains("/t: object 0 is ready"), "{}", k.stderr);
}

#[test]
fn wrong_command_lines_are_usage() {
    let mut k = without();
    let long = "ab".repeat(33);
    for line in [
        &["preflight", "/p"][..],
        &["preflight", "/p", "--build-id", ""],
        &["preflight", "/p", "--build-id", "abc"],
        &["preflight", "/p", "--build-id", "xx"],
        &["preflight", "/p", "--build-id", &long],
        &["verify", "/p", "--build-id", "ab"],
    ] {
        assert_eq!(run(&mut k, line), 2, "{line:?}");
    }
    let deep = "/deep".repeat(40);
    assert_eq!(run(&mut k, &["verify", "/p", "--targets", &deep]), 1);
    assert!(k.stderr.contains("targets in /deep/"), "{}", k.stderr);
}

#[test]
fn every_failing_call_leaves_nothing() {
    let machine = || {
        let mut k = without();
        k.files.insert(place("/lib/corelet", &BUILD_ID), target(&BUILD_ID));
        k
    };
    for line in [&["run", "/p", "--for", "1"][..], &["preflight", "/p", "--build-id", &hex(&BUILD_ID)]] {
        let mut k = machine();
        assert_eq!(run(&mut k, line), 0, "{}", k.stderr);
        let calls = k.calls;
        for n in 1..=calls {
            for e in [Errno::ENOMEM, Errno::EPERM, Errno::ENOENT] {
                let mut k = machine();
                k.fail = Some((n, e));
                let code = run(&mut k, line);
                assert!(k.left().is_empty(), "call {n} {e:?}: {:?}\n{}", k.left(), k.stderr);
                assert!(e != Errno::ENOMEM || code == 0 || code == 5, "call {n}: {code} {}", k.stderr);
            }
        }
    }
}
