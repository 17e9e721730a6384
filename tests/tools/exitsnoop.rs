//! exitsnoop: an exit code, a signal, and a process of known age; with the parent's pid.

use super::output::{Line, Output, number, same, within};
use super::{Case, Checked};
use serde_json::{Value, json};

pub(super) const CASES: &[Case] = &[Case {
    tool: "exitsnoop",
    name: "exitsnoop",
    sets: &[],
    prepare: "",
    // Of `slept`, the second process lives for half a second more than the first.
    work: r#"
        sh -c 'echo coded=$$; echo coded_parent=$PPID; exit 7'
        sh -c 'echo killed=$$; echo killed_parent=$PPID; kill -TERM $$; sleep 1'
        sh -c 'echo slept=$$; echo slept_parent=$PPID; exec /bin/usleep 500000'
    "#,
    clean: "",
    check,
}];

const NS_PER_MS: i64 = 1_000_000;
/// A board's age in this test, above which a start is not believed.
const OLDEST_MS: i64 = 3_600_000;

fn check(output: &Output) -> Checked {
    ended(output, "coded", "sh", 7, 0)?;
    ended(output, "killed", "sh", 0, 15)?;
    let age = age_ms(ended(output, "slept", "usleep", 0, 0)?)?;
    within("age of the one that slept for 500 ms, in ms,", age, 500, 5_000)?;
    within(
        "age of the one that did nothing, in ms,",
        age_ms(output.one("pid", output.fact("coded")?)?)?,
        0,
        3_000,
    )
}

fn ended<'o>(
    output: &'o Output,
    which: &str,
    comm: &str,
    exit_code: i64,
    sig: i64,
) -> Result<&'o Line, String> {
    let (pid, ppid) = (output.fact(which)?, output.fact(&format!("{which}_parent"))?);
    let event = output.one("pid", pid)?;
    let any = Value::Null;
    same(
        event,
        &json!({"start_time": any, "exit_time": any, "pid": pid, "tid": pid, "ppid": ppid, "sig": sig,
            "exit_code": exit_code, "comm": comm}),
    )?;
    Ok(event)
}

fn age_ms(event: &Line) -> Result<i64, String> {
    let (start, exit) = (number(event, "start_time")?, number(event, "exit_time")?);
    within("start_time in ms", start / NS_PER_MS, 1, OLDEST_MS)?;
    within("exit_time in ms", exit / NS_PER_MS, start / NS_PER_MS, OLDEST_MS)?;
    Ok((exit - start) / NS_PER_MS)
}
