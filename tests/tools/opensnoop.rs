//! opensnoop: a file that is there, one that is not, one that is created; by which process, and what came of it.

use super::output::{Output, number, same};
use super::{Case, Checked};
use serde_json::{Value, json};

pub(super) const CASES: &[Case] = &[Case {
    tool: "opensnoop",
    name: "opensnoop",
    sets: &[],
    prepare: "echo text >present",
    // The shell says its pid and becomes cat; the redirection of the third is the shell's own open.
    work: r#"
        sh -c 'echo present=$$; exec /bin/cat /tmp/case/present >/dev/null'
        sh -c 'echo absent=$$; exec /bin/cat /tmp/case/absent'
        sh -c 'echo created=$$; : >>/tmp/case/created; :'
    "#,
    clean: "",
    check,
}];

/// Bits of `flags` that the same on all architectures: access mode, O_CREAT, O_EXCL, O_TRUNC, O_APPEND.
const PORTABLE: i64 = 0o3303;
const O_WRONLY_CREAT_APPEND: i64 = 0o2101;

fn check(output: &Output) -> Checked {
    let opened = |path: &str, comm: &str, ret: Option<i64>, flags: i64| -> Checked {
        let event = output.one("fname", format!("/tmp/case/{path}"))?;
        let pid = output.fact(path)?;
        let any = Value::Null;
        let mut want = json!({"pid": pid, "uid": 0, "ret": ret, "flags": any, "callers": any, "comm": comm,
            "fname": format!("/tmp/case/{path}")});
        // From version 0.32 on.
        if event.contains_key("mode") {
            want["mode"] = if flags == O_WRONLY_CREAT_APPEND { json!("0x1b6") } else { json!("0x0") };
        }
        same(event, &want)?;
        match number(event, "flags")? & PORTABLE {
            f if f == flags => Ok(()),
            f => Err(format!("{path}: flags are {f:o}, not {flags:o}")),
        }
    };
    opened("present", "cat", Some(3), 0)?;
    opened("absent", "cat", Some(-2), 0)?;
    opened("created", "sh", Some(3), O_WRONLY_CREAT_APPEND)
}
