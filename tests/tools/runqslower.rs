//! runqslower: two tasks that take turns on one CPU wait for each other.

use super::output::{Line, Output, number, same, show, within};
use super::{Case, Checked};
use serde_json::{Value, json};

/// Two loops bound to one CPU, each under a name of its own, that begin when the file `go` is there.
const SPIN: &str = r#"
    spin='printf %s "$1" >/proc/$$/comm; until [ -e go ]; do usleep 20000; done; while [ -e go ]; do :; done'
    taskset 1 sh -c "$spin" sh corelet-turn-a & a=$!
    taskset 1 sh -c "$spin" sh corelet-turn-b & b=$!
    until grep -q corelet-turn /proc/$a/comm && grep -q corelet-turn /proc/$b/comm; do usleep 10000; done
    echo a=$a
    echo b=$b
"#;

pub(super) const CASES: &[Case] = &[
    Case {
        tool: "runqslower",
        name: "runqslower",
        sets: &["min_us=500"],
        prepare: SPIN,
        // a kernel of 100 Hz has long slices, and the loader takes turns too
        work: "touch go; usleep 1400000; rm go",
        clean: "rm -f go; kill $a $b",
        check,
    },
    Case {
        tool: "runqslower",
        name: "runqslower_process",
        sets: &["min_us=500", "targ_tgid=$a"],
        prepare: SPIN,
        work: "touch go; usleep 700000; rm go",
        clean: "rm -f go; kill $a $b",
        check: check_process,
    },
];

/// Turns that each task must have waited for the other: a slice is a few milliseconds.
const TURNS: usize = 5;

fn check(output: &Output) -> Checked {
    let (a, b) = (output.fact("a")?, output.fact("b")?);
    waited(output, (a, "corelet-turn-a"), (b, "corelet-turn-b"))?;
    waited(output, (b, "corelet-turn-b"), (a, "corelet-turn-a"))
}

fn check_process(output: &Output) -> Checked {
    let (a, b) = (output.fact("a")?, output.fact("b")?);
    if let Some(event) = output.events.iter().find(|e| e.get("pid").is_none_or(|p| *p != a)) {
        return Err(format!("{} is not of process {a}", show(event)));
    }
    waited(output, (a, "corelet-turn-a"), (b, "corelet-turn-b"))
}

/// Whether the first task waited for the second, as often and as long as it must.
fn waited(output: &Output, (pid, task): (i64, &str), (prev_pid, prev_task): (i64, &str)) -> Checked {
    let is = |event: &Line| number(event, "pid") == Ok(pid) && number(event, "prev_pid") == Ok(prev_pid);
    let waits: Vec<&Line> = output.events.iter().filter(|event| is(event)).collect();
    if waits.len() < TURNS {
        let (n, all) = (waits.len(), output.events.len());
        return Err(format!("{task} ({pid}) waited {n} times for {prev_task} ({prev_pid}), of {all} events"));
    }
    for event in waits {
        let want = json!({"task": task, "prev_task": prev_task, "delta_us": Value::Null, "pid": pid, "prev_pid": prev_pid});
        same(event, &want)?;
        within("delta_us", number(event, "delta_us")?, 501, 2_000_000)?;
    }
    Ok(())
}
