//! Packs that are no packs, damaged, or change while they are read; and wrong command lines.

mod common;

use common::fake::Fake;
use common::pack::Sample;
use common::run;

#[test]
fn every_cut_is_refused() {
    let pack = Sample::default().pack();
    for len in (0..pack.len()).step_by(7) {
        let mut k = Fake::new(pack[..len].to_vec());
        assert_eq!(run(&mut k, &["verify", "/p"]), 3, "{len}: {}", k.stderr);
        assert_eq!(k.stderr.lines().count(), 1, "{}", k.stderr);
        assert!(k.left().is_empty() && k.maps.is_empty());
    }
}

#[test]
fn every_changed_byte_is_refused_or_harmless() {
    let pack = Sample::default().pack();
    for at in (0..pack.len()).step_by(3) {
        let mut changed = pack.clone();
        changed[at] ^= 0x55;
        let mut k = Fake::new(changed);
        let code = run(&mut k, &["verify", "/p"]);
        // padding is covered by no checksum
        assert!(code == 3 || code == 0, "byte {at}: {code} {}", k.stderr);
        assert!(k.left().is_empty());
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let pack = Sample::default().pack();
    let mut k = Fake::new(pack.clone());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0);
    let calls = k.calls;
    let other = vec![0xee; pack.len()];
    let (mut cut, mut rewritten) = (0, 0);
    for n in 1..calls {
        for (bytes, count) in [(Vec::new(), &mut cut), (other.clone(), &mut rewritten)] {
            let mut k = Fake::new(pack.clone());
            k.rewrite = Some((n, "/p".into(), bytes));
            let code = run(&mut k, &["verify", "/p"]);
            // once everything is copied, the file does not matter any more
            assert!(code == 0 || code == 3, "call {n}: {code} {}", k.stderr);
            *count += u32::from(code == 3);
            assert!(k.left().is_empty());
        }
    }
    assert!(cut > 20 && rewritten > 20, "{cut} {rewritten}");
}

#[test]
fn wrong_command_lines_are_usage() {
    for line in [
        &["fly"][..],
        &["run"],
        &["verify", "/p", "/q"],
        &["status", "a", "b"],
        &["unload"],
        &["load"],
        &["verify", "/p", "--name", "x"],
        &["run", "/p", "--replace"],
        &["run", "/p", "--for"],
        &["run", "/p", "--for", "soon"],
        &["run", "/p", "--set", "x"],
        &["run", "/p", "--interval", "0"],
        &["run", "/p", "--rotate", "0"],
        &["run", "/p", "--output", ""],
        &["run", "/p", "--fast"],
    ] {
        let mut k = Fake::new(Vec::new());
        assert_eq!(run(&mut k, line), 2, "{line:?}");
        assert!(k.stderr.ends_with("(see --help)\n"), "{}", k.stderr);
    }
    let mut k = Fake::new(Vec::new());
    assert_eq!(run(&mut k, &["--help"]), 0);
    assert!(k.stdout.contains("Exit codes"));
    assert_eq!(run(&mut k, &["verify", "/missing"]), 3);
    assert!(k.stderr.contains("cannot open /missing: ENOENT"), "{}", k.stderr);
}
