//! The loader inside a program: what it gives, what it says, and that it gives everything back.

#![allow(clippy::result_large_err, reason = "an error carries its words: it has no heap")]

mod common;

use common::fake::{Fake, PMU};
use common::pack::Sample;
use corelet_loader::api::{Exit, Loaded, Pack};
use corelet_loader::sys::Errno;
use std::ffi::CStr;

/// A load by the fake kernel of the file that it has.
fn load(fake: Fake, options: &[&'static CStr]) -> corelet_loader::api::Result<Loaded<'static, Fake>> {
    Loaded::load_with(fake, Pack::at(c"/p"), options)
}

fn fake() -> Fake {
    let mut fake = Fake::new(Sample::default().pack());
    fake.inside = true;
    fake
}

#[test]
fn loads_attaches_detaches_and_gives_everything_back() {
    let fake = fake();
    let seen = fake.seen.clone();
    let mut loaded = load(fake, &[]).unwrap();
    let before = seen.get().1;
    assert!(loaded.epoll().is_none());
    assert_eq!(loaded.poll(Some(0), &mut |_| panic!("an event")).unwrap().events, 0);
    loaded.attach().unwrap();
    let attached = seen.get().1;
    assert!(attached > before && loaded.epoll().is_some());
    loaded.attach().unwrap();
    assert_eq!(seen.get().1, attached, "attached twice");
    loaded.poll(Some(0), &mut |_| panic!("an event")).unwrap();
    loaded.detach();
    let detached = seen.get().1;
    assert!(detached < attached);
    loaded.attach().unwrap();
    assert_eq!(seen.get().1, attached);
    loaded.detach();
    assert_eq!(seen.get().1, detached);
    drop(loaded);
    assert_eq!(seen.get().1, 0);
}

#[test]
fn what_names_nothing_is_said() {
    let mut loaded = load(fake(), &[c"--set", c"targ_pid=7"]).unwrap();
    let open = loaded.program("handle_open").unwrap();
    let probe = loaded.program("handle_probe").unwrap();
    assert!(open.0 > 2 && probe.0 > 2 && open != probe);
    let error = loaded.program("handle").unwrap_err();
    assert_eq!(
        (error.kind(), error.text()),
        (Exit::Usage, "corelet-loader: handle: no such program is loaded")
    );
    let error = loaded.map("nothing").map(drop).unwrap_err();
    assert!(error.text().contains("nothing: the pack has no such map here"), "{error}");
    assert_eq!(loaded.map("sample/start").unwrap().name(), "start");
    assert!(loaded.map("other/start").is_err());
    let mut map = loaded.map("start").unwrap();
    let (key, value) = (map.key_len(), map.value_len());
    let error = map.lookup(&vec![0; key + 1], &mut vec![0; value]).unwrap_err();
    assert!(
        error.text().contains(&format!("keys have {key} bytes and values {value}, not {}", key + 1)),
        "{error}"
    );
    assert!(!map.lookup(&vec![0; key], &mut vec![0; value]).unwrap());
    assert!(!map.delete(&vec![0; key]).unwrap());
    map.update(&vec![1; key], &vec![2; value]).unwrap();
    let mut global = loaded.global("targ_pid").unwrap();
    assert_eq!(global.len(), 4);
    let error = global.set(&7u32).unwrap_err();
    assert!(error.text().contains("targ_pid: a constant; the option --set"), "{error}");
    let error = global.get::<u64>().unwrap_err();
    assert!(error.text().contains("targ_pid: a variable of 4 bytes, not 8"), "{error}");
    assert!(loaded.global("targ").is_err());
}

#[test]
fn every_failing_call_leaves_nothing_and_has_words() {
    let whole = fake();
    let seen = whole.seen.clone();
    let mut loaded = load(whole, &[]).unwrap();
    loaded.attach().unwrap();
    let calls = seen.get().0;
    drop(loaded);
    assert!(calls > 40, "{calls}");
    for tracefs in [false, true] {
        for e in [Errno::ENOMEM, Errno::EPERM, Errno::EINVAL, Errno::ENOENT] {
            for n in 1..=calls {
                let mut fake = fake();
                if tracefs {
                    fake.files.remove(PMU);
                }
                fake.fail = Some((n, e));
                let seen = fake.seen.clone();
                let error = match load(fake, &[]) {
                    Ok(mut loaded) => {
                        let loaded_only = seen.get().1;
                        let error = loaded.attach().err();
                        if error.is_some() {
                            let left = seen.get().1;
                            // the buffers of events stay where they were opened
                            assert!(
                                left <= loaded_only + 2,
                                "call {n} {e:?}: {left} open, {loaded_only} before"
                            );
                        }
                        error
                    }
                    Err(error) => Some(error),
                };
                assert_eq!(seen.get().1, 0, "call {n} {e:?}: left open");
                if let Some(error) = error {
                    assert!(!error.text().is_empty(), "call {n} {e:?} says nothing");
                    if e == Errno::ENOMEM {
                        assert_eq!(error.kind(), Exit::Again, "call {n}: {error}");
                    }
                }
            }
        }
    }
}

/// By the kernel that runs here, which is asked for nothing but who it is.
mod here {
    use super::*;

    #[test]
    fn a_pack_in_memory_that_is_none_is_refused_in_words() {
        let mut heard = Vec::new();
        let mut hear = |words: &[u8]| heard.extend_from_slice(words);
        let error =
            Loaded::load(Pack::of(c"mine", b"no pack at all"), &[], Some(&mut hear)).map(drop).unwrap_err();
        assert_eq!(error.kind(), Exit::BadInput);
        assert!(error.text().starts_with("mine: "), "{error}");
        assert_eq!(String::from_utf8(heard).unwrap(), format!("corelet-loader: {error}\n"));
    }

    #[test]
    fn a_pack_for_another_kernel_is_refused_in_lines() {
        let pack = Sample::default().pack();
        let options: [&CStr; 1] = [c"--only-targets"];
        let error = Loaded::load(Pack::of(c"mine", &pack), &options, None).map(drop).unwrap_err();
        assert_eq!(error.kind(), Exit::NotPortable);
        let lines: Vec<&str> = error.text().lines().collect();
        assert!(lines.len() > 2 && lines[0].starts_with("sample: "), "{error}");
        assert!(error.text().contains("  running: "), "{error}");
    }

    #[test]
    fn options_are_the_command_lines() {
        for (option, words) in [
            (c"--nonsense", "unknown argument --nonsense (see --help)"),
            (c"--set", "no value for --set (see --help)"),
        ] {
            let error = Loaded::load(Pack::of(c"mine", b""), &[option], None).map(drop).unwrap_err();
            assert_eq!((error.kind(), error.text()), (Exit::Usage, words));
        }
        let error = Loaded::load(Pack::at(c"/nowhere/at/all"), &[], None).map(drop).unwrap_err();
        assert_eq!((error.kind(), error.text()), (Exit::BadInput, "cannot open /nowhere/at/all: ENOENT"));
    }
}
