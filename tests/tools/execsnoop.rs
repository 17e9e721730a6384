//! execsnoop: a program with arguments, and one that is not there; with the parent's pid.

use super::output::{Output, same};
use super::{Case, Checked};
use serde_json::{Value, json};

pub(super) const CASES: &[Case] = &[Case {
    tool: "execsnoop",
    name: "execsnoop",
    sets: &["ignore_failed=false"],
    prepare: "",
    work: r#"
        sh -c 'echo ok=$$; echo ok_parent=$PPID; exec /bin/true one "two words" corelet'
        sh -c 'echo failed=$$; echo failed_parent=$PPID; exec /tmp/case/absent three'
    "#,
    clean: "",
    check,
}];

fn check(output: &Output) -> Checked {
    let executed = |which: &str, comm: &str, retval: i64, count: u32, args: &str| -> Checked {
        let event = output.one("args", args)?;
        let (pid, ppid) = (output.fact(which)?, output.fact(&format!("{which}_parent"))?);
        // Version 0.37 has a member more.
        let mut want = json!({"pid": pid, "ppid": ppid, "uid": 0, "retval": retval, "args_count": count, "comm": comm,
            "args": args});
        if event.contains_key("mntns_id") {
            want["mntns_id"] = Value::Null;
        }
        same(event, &want)
    };
    executed("ok", "true", 0, 4, "/bin/true one two words corelet")?;
    executed("failed", "sh", -2, 2, "/tmp/case/absent three")
}
