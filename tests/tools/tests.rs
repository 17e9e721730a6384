//! The checks on outputs as a board prints them, good ones and ones that a wrong offset would make.

use super::output::{Output, parse};
use super::script::{Run, script};
use super::survivors::survivors;
use super::{CASES, Case, cases, ext4sync, tools};
use serde_json::Value;
use std::collections::BTreeSet;

/// A good output of each case, as on the console, and the members that may have any value.
const GOOD: &[(&str, &str, &[&str])] = &[
    ("biolatency", include_str!("samples/biolatency.txt"), &["from", "to"]),
    ("biolatency_disk", include_str!("samples/biolatency_disk.txt"), &["from", "to"]),
    ("execsnoop", include_str!("samples/execsnoop.txt"), &[]),
    ("exitsnoop", include_str!("samples/exitsnoop.txt"), &["start_time", "exit_time"]),
    ("ext4sync", include_str!("samples/ext4sync.txt"), &[]),
    ("opensnoop", include_str!("samples/opensnoop.txt"), &["callers"]),
    ("runqslower", include_str!("samples/runqslower.txt"), &["delta_us"]),
    ("runqslower_process", include_str!("samples/runqslower_process.txt"), &["delta_us"]),
    ("sigsnoop", include_str!("samples/sigsnoop.txt"), &[]),
    ("syscount", include_str!("samples/syscount.txt"), &["key", "comm", "count"]),
    ("syscount_errno", include_str!("samples/syscount_errno.txt"), &["total_ns", "comm"]),
    ("syscount_process", include_str!("samples/syscount_process.txt"), &["total_ns", "count"]),
    ("tcpconnect", include_str!("samples/tcpconnect.txt"), &["ts_us"]),
    ("tcpconnect_count", include_str!("samples/tcpconnect_count.txt"), &[]),
    ("vfsstat", include_str!("samples/vfsstat.txt"), &["read", "write", "open"]),
];

fn all_cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().copied().flatten().chain(ext4sync::CASES)
}

fn good(case: &Case) -> (Output, &'static [&'static str]) {
    let (_, text, free) = GOOD.iter().find(|(name, ..)| *name == case.name).expect("each case has a sample");
    let mut runs = parse(text.lines());
    assert_eq!(runs.len(), 1, "{}", case.name);
    (runs.remove(0), free)
}

#[test]
fn tools_and_cases_have_names_of_their_own() {
    assert_eq!(tools().count(), 9);
    assert!(tools().is_sorted());
    let mut names = BTreeSet::new();
    for tool in tools() {
        assert!(corelet_host_tools::manifest::Manifest::builtin(tool).is_some(), "{tool}");
        for case in cases(tool) {
            assert_eq!(case.tool, tool);
            assert!(
                names.insert(case.name) && case.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            );
        }
    }
    assert_eq!(GOOD.len(), all_cases().count());
}

#[test]
fn good_outputs_pass() {
    for case in all_cases() {
        assert_eq!(case.verdict(&good(case).0), Ok(()), "{}", case.name);
    }
}

/// Changes one value inside `value`, the `n`th that is not free, and says whether there was one.
fn change(value: &mut Value, free: &[&str], n: &mut usize) -> bool {
    match value {
        Value::Object(members) => members
            .iter_mut()
            .filter(|(name, _)| !free.contains(&name.as_str()))
            .any(|(_, v)| change(v, free, n)),
        Value::Array(elements) => elements.iter_mut().any(|v| change(v, free, n)),
        _ if *n > 0 => {
            *n -= 1;
            false
        }
        Value::Number(number) => {
            let wrong = number.as_i64().unwrap_or(0) + 8;
            *value = wrong.into();
            true
        }
        Value::String(text) => {
            text.push('?');
            true
        }
        _ => false,
    }
}

#[test]
fn each_value_that_counts_is_checked() {
    for case in all_cases() {
        let (output, free) = good(case);
        let mut changed = 0;
        for n in 0.. {
            let mut wrong = output.clone();
            let lines = wrong.events.iter_mut().chain(&mut wrong.results);
            let mut left = n;
            let hit = lines.into_iter().any(|line| {
                let mut value = Value::Object(std::mem::take(line));
                let hit = change(&mut value, free, &mut left);
                if let Value::Object(back) = value {
                    *line = back;
                }
                hit
            });
            if !hit {
                break;
            }
            changed += 1;
            assert!(case.verdict(&wrong).is_err(), "{}: value {n} is not checked: {wrong:?}", case.name);
        }
        assert!(changed > 0, "{}", case.name);
    }
}

#[test]
fn no_output_and_other_ends_fail() {
    for case in all_cases() {
        let (output, _) = good(case);
        let silent = Output { events: Vec::new(), results: Vec::new(), ..output.clone() };
        assert!(case.verdict(&silent).is_err(), "{}", case.name);
        let lazy = Output { facts: Default::default(), ..output.clone() };
        assert!(case.verdict(&lazy).is_err(), "{}", case.name);
        for rc in [None, Some(1)] {
            assert!(case.verdict(&Output { rc, ..output.clone() }).is_err(), "{}", case.name);
        }
        let noisy = Output { unreadable: vec!["{".into()], ..output };
        assert!(case.verdict(&noisy).is_err(), "{}", case.name);
    }
}

#[test]
fn runs_are_told_apart() {
    let text = "boot\n@case begin a\nF x=1\nO {\"pid\":1}\nO {\"result\":\"r\"}\nO junk\nE why\n@case end a 0\n\
        @case begin b\n@case end b \n@case begin c\n@case end d 0\n@case begin cut\nF x=2\n";
    let runs = parse(text.lines());
    assert_eq!(
        runs.iter().map(|r| (r.label.as_str(), r.rc)).collect::<Vec<_>>(),
        [("a", Some(0)), ("b", None)]
    );
    let a = &runs[0];
    assert_eq!((a.fact("x"), a.events.len(), a.results.len()), (Ok(1), 1, 1));
    assert_eq!(
        (a.unreadable.as_slice(), a.errors.as_slice()),
        (&["junk".to_string()][..], &["why".to_string()][..])
    );
    assert!(a.fact("y").is_err());
}

#[test]
fn scripts_define_each_case_once() {
    let case = &cases("runqslower")[1];
    let run = |label| Run { label, case, pack: "/corelet/runqslower.pack", program: None };
    let text = script(&[run("first"), run("second")]);
    assert_eq!(text.matches("\nwork_runqslower_process() {").count(), 1);
    assert!(text.contains("\nsets=\"--set min_us=500 --set targ_tgid=$a\"\n"));
    let last = text.lines().last().unwrap();
    assert_eq!(last.trim_end(), "one 'second' 'runqslower_process' '/corelet/runqslower.pack' ''");
}

/// Every script is one that a POSIX shell can parse.
#[test]
fn scripts_are_sound_shell() {
    let all = all_cases().chain(ext4sync::UNLOADED).chain(ext4sync::OWN_TYPES);
    let runs: Vec<Run<'_>> =
        all.map(|case| Run { label: case.name, case, pack: "/p", program: None }).collect();
    let said = std::process::Command::new("sh").args(["-n", "-c", &script(&runs)]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn survivors_have_reasons() {
    for survivor in survivors().unwrap() {
        assert!(tools().any(|tool| tool == survivor.tool), "{survivor:?}");
        assert!(survivor.reason.len() > 20 && survivor.field.contains('.'), "{survivor:?}");
    }
}
