//! sigsnoop: a signal from one known process to another, and the kernel's own to the parent of one that ended.

use super::output::{Output, same};
use super::{Case, Checked};
use serde_json::json;

pub(super) const CASES: &[Case] = &[Case {
    tool: "sigsnoop",
    name: "sigsnoop",
    sets: &[],
    prepare: "/bin/sleep 60 & target=$!; echo target=$target",
    work: r#"
        export target
        sh -c 'echo sender=$$; echo parent=$PPID; kill -USR1 $target'
    "#,
    clean: "kill $target",
    check,
}];

fn check(output: &Output) -> Checked {
    let (sender, parent, target) = (output.fact("sender")?, output.fact("parent")?, output.fact("target")?);
    let sent = |sig: &str, to: i64, name: &str| -> Checked {
        let from_sender: Vec<_> =
            output.events.iter().filter(|e| e.get("pid").is_some_and(|p| *p == sender)).collect();
        let event = from_sender.into_iter().find(|e| e.get("tpid").is_some_and(|p| *p == to));
        let event = event.ok_or_else(|| format!("no signal from {sender} to {to}: {:?}", output.events))?;
        let mut want = json!({"pid": sender, "tpid": to, "sig": sig, "ret": 0, "comm": "sh"});
        // From some version after 0.31 on; without the kernel function that it asks (6.2, and types), the target has no name.
        if let Some(tcomm) = event.get("tcomm") {
            want["tcomm"] = json!(if *tcomm == "N/A" { "N/A" } else { name });
        }
        same(event, &want)
    };
    sent("SIGUSR1", target, "sleep")?;
    sent("SIGCHLD", parent, "sh")
}
