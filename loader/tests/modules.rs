//! Targets with types of modules: taken only where those very modules are loaded.

mod common;

use common::fake::Fake;
use common::pack::{RELEASE, Sample};
use common::run;
use corelet_loader::sys::Errno;

const ONE: [u8; 20] = [0x21; 20];
const TWO: [u8; 20] = [0x22; 20];
/// More than is read of one target, by one.
const MANY: &[(&str, &[u8])] = &[(LONG, ONE.as_slice()); 7];
/// A name of 55 bytes, the longest that the kernel takes.
const LONG: &str = "a_module_with_the_longest_name_that_the_kernel_will_take";

fn machine(sample: Sample, loaded: &[(&str, &[u8])]) -> Fake {
    let mut k = Fake::new(sample.pack());
    loaded.iter().for_each(|(name, id)| k.load_module(name, id));
    k
}

fn sample() -> Sample {
    Sample { modules: &[("ext4", &ONE), ("jbd2", &TWO)], ..Sample::default() }
}

/// Refused with `code` and all of `said`, and nothing left.
fn refused(k: &mut Fake, words: &[&str], code: i32, said: &[&str]) {
    assert_eq!(run(k, words), code, "{}", k.stderr);
    for part in said {
        assert!(k.stderr.contains(part), "{part} is missing in {}", k.stderr);
    }
    assert!(k.left().is_empty() && k.maps.is_empty(), "{:?}", k.left());
}

#[test]
fn the_very_modules_are_needed() {
    let verify = &["verify", "/p"];
    let mut k = machine(sample(), &[("jbd2", &TWO), ("ext4", &ONE), ("other", &ONE)]);
    assert_eq!(run(&mut k, verify), 0, "{}", k.stderr);
    assert!(k.stderr.contains("1 relocations patched"), "{}", k.stderr);

    let mut k = machine(sample(), &[("ext4", &ONE)]);
    let needed =
        "module jbd2: needs build id 2222222222222222222222222222222222222222, has none: modprobe jbd2";
    let said = [needed, "sample: modules differ"];
    assert!(!k.stderr.contains("ext4"));
    refused(&mut k, verify, 4, &said);
    // swapped: each is another build
    let mut k = machine(sample(), &[("ext4", &TWO), ("jbd2", &ONE)]);
    refused(
        &mut k,
        verify,
        1,
        &["module ext4: needs build id 2121", ", has 2222", "module jbd2: needs build id 2222", RELEASE],
    );
    // a prefix of the build id is another one, and so is no build id
    for id in [&ONE[..19], &[]] {
        let mut k = machine(sample(), &[("ext4", id), ("jbd2", &TWO)]);
        refused(&mut k, verify, 1, &["modules differ"]);
    }
    // what a pack without a build id asks for cannot be had
    let nameless = Sample { modules: &[("ext4", &[])], ..Sample::default() };
    refused(&mut machine(nameless, &[("ext4", &[])]), verify, 1, &["modules differ"]);
}

#[test]
fn a_target_by_release_needs_them_too() {
    let sample = || Sample { build_id: vec![1; 20], ..sample() };
    let allowed = &["verify", "/p", "--allow-release", "--only-targets"];
    let mut k = machine(sample(), &[("jbd2", &TWO), ("ext4", &ONE)]);
    assert_eq!(run(&mut k, allowed), 0, "{}", k.stderr);
    refused(&mut machine(sample(), &[("jbd2", &TWO)]), allowed, 4, &["modprobe ext4"]);
    // another kernel's target: of its modules nothing is asked
    refused(&mut machine(sample(), &[]), &["verify", "/p", "--only-targets"], 1, &["another build id"]);
}

#[test]
fn of_a_kernel_in_two_files_the_one_with_the_loaded_modules_is_taken() {
    let mut k = machine(sample(), &[("ext4", &TWO), ("jbd2", &TWO)]);
    let newer = Sample { modules: &[("ext4", &TWO), ("jbd2", &TWO)], ..Sample::default() };
    k.files.insert("/t".into(), common::pack::container(&newer.target()));
    assert_eq!(run(&mut k, &["verify", "/p", "--target", "/t"]), 0, "{}", k.stderr);
}

#[test]
fn damaged_lists_and_failing_calls_are_refused() {
    let mut k = machine(Sample { modules: MANY, ..Sample::default() }, &[]);
    refused(&mut k, &["verify", "/p"], 3, &["/p"]);
    let mut k = machine(Sample { modules: &MANY[..6], ..Sample::default() }, &[(LONG, &ONE)]);
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    let loaded: &[(&str, &[u8])] = &[("jbd2", &TWO), ("ext4", &ONE)];
    let mut k = machine(sample(), loaded);
    assert_eq!(run(&mut k, &["verify", "/p"]), 0);
    for n in 1..=k.calls {
        let mut k = machine(sample(), loaded);
        k.fail = Some((n, Errno::ENOMEM));
        let code = run(&mut k, &["verify", "/p"]);
        assert!(matches!(code, 0 | 5), "call {n}: {code}: {}", k.stderr);
        assert!(k.left().is_empty(), "call {n}");
    }
}

/// The modules of a kernel that does not run cannot be looked at, so they are named.
#[test]
fn preflight_names_the_modules_that_the_other_kernel_must_have() {
    let mut k = machine(sample(), &[]);
    let build_id: String = common::pack::BUILD_ID.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(run(&mut k, &["preflight", "/p", "--build-id", &build_id]), 0, "{}", k.stderr);
    for (name, id) in [("ext4", "21"), ("jbd2", "22")] {
        let said = format!("/p: module {name} of build id {} must be loaded there", id.repeat(20));
        assert!(k.stderr.contains(&said), "{said} is missing in {}", k.stderr);
    }
    assert!(k.stderr.contains("object 0 is ready") && k.left().is_empty());
}
