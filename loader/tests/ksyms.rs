//! Kernel symbols by `/proc/kallsyms`, against a fake kernel.

mod common;

use common::fake::Fake;
use common::pack::Sample;
use common::run;
use corelet_loader::sys::Errno;

const FILE: &str = "/proc/kallsyms";

/// A kernel with `symbols` among thousands of others, and a pack that loads the address of `name`.
fn kernel(name: &'static str, weak: bool, symbols: &str) -> Fake {
    let mut k = Fake::new(Sample { ksym: Some((name, weak)), ..Sample::default() }.pack());
    let mut text: String = (0..3000).map(|i| format!("{:016x} t other_symbol_{i}\n", 0x1000 + i)).collect();
    text.push_str(symbols);
    (0..500).for_each(|i| text.push_str(&format!("{:016x} b bss_{i}\t[module]\n", 0x9000 + i)));
    k.files.insert(FILE.into(), text.into_bytes());
    k
}

/// The address that the loaded program has.
fn address(k: &Fake) -> u64 {
    let half = |at: usize| u32::from_ne_bytes(k.progs[0].insns[at..at + 4].try_into().unwrap());
    assert_eq!(k.progs[0].insns[25] >> 4, 0, "a source register says that it is no plain number");
    u64::from(half(3 * 8 + 4)) | u64::from(half(4 * 8 + 4)) << 32
}

#[test]
fn addresses_are_found_wherever_the_line_lies_in_the_window() {
    for pad in 0..80 {
        let line = format!("{:016x} t {}\nffff800081234568 D runqueues\n", 1, "x".repeat(pad + 1));
        let mut k = kernel("runqueues", false, &line);
        assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
        assert_eq!(address(&k), 0xffff_8000_8123_4568);
        assert!(k.left().is_empty());
    }
}

#[test]
fn names_are_compared_whole_and_modules_count() {
    let near = "11 T runqueue\n12 T runqueuess\n13 T srunqueues\n14 d runqueues.llvm.77\t[m]\n";
    let mut k = kernel("runqueues", false, near);
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!(address(&k), 0x14);
    // of functions the suffix is part of the name
    let mut k = kernel("runqueues", false, "14 t runqueues.llvm.77\n");
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
}

#[test]
fn a_symbol_that_is_missing_is_named_with_its_program_or_is_zero() {
    let mut k = kernel("no_such_symbol", false, "");
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    assert!(k.stderr.contains("program handle_open needs the symbol no_such_symbol"), "{}", k.stderr);
    assert!(k.progs.is_empty() && k.left().is_empty());
    let mut k = kernel("no_such_symbol", true, "");
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    assert_eq!(address(&k), 0);
    k.files.remove(FILE);
    k.progs.clear();
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
}

#[test]
fn hidden_and_ambiguous_addresses_are_refused() {
    for weak in [false, true] {
        let mut k = kernel("runqueues", weak, "0000000000000000 D runqueues\n");
        assert_eq!(run(&mut k, &["verify", "/p"]), 4);
        assert!(k.stderr.contains("hides the address of runqueues"), "{}", k.stderr);
        assert!(k.stderr.contains("kernel.kptr_restrict"), "{}", k.stderr);
        let mut k = kernel("runqueues", weak, "10 D runqueues\n20 d runqueues\t[m]\n");
        assert_eq!(run(&mut k, &["verify", "/p"]), 1);
        assert!(
            k.stderr.contains("two symbols runqueues, at 0000000000000010 and 0000000000000020"),
            "{}",
            k.stderr
        );
    }
    // twice the same is once
    let mut k = kernel("runqueues", false, "10 D runqueues\n10 D runqueues\n");
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
}

#[test]
fn a_line_longer_than_the_window_is_passed_over() {
    for len in [2000, 2030, 2048, 5000] {
        let line = format!("10 t {}\n20 D runqueues\n", "y".repeat(len));
        let mut k = kernel("runqueues", false, &line);
        assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{len}: {}", k.stderr);
        assert_eq!(address(&k), 0x20);
    }
    // and its end is no line
    let line = format!("10 t {} 30 D runqueues\n", "y".repeat(3000));
    assert_eq!(run(&mut kernel("runqueues", false, &line), &["verify", "/p"]), 1);
}

#[test]
fn every_failing_call_leaves_nothing() {
    let mut k = kernel("runqueues", false, "10 D runqueues\n");
    assert_eq!(run(&mut k, &["verify", "/p"]), 0);
    for n in (1..=k.calls).rev().take(60).chain(1..40) {
        let mut k = kernel("runqueues", false, "10 D runqueues\n");
        k.fail = Some((n, Errno::ENOMEM));
        run(&mut k, &["verify", "/p"]);
        assert!(k.left().is_empty(), "call {n}: {:?}\n{}", k.left(), k.stderr);
    }
}
