//! vfsstat: known numbers of folders made and removed, files removed, bytes read and written one by one.

use super::output::{Output, number, within};
use super::{Case, Checked};
use serde_json::Value;

pub(super) const CASES: &[Case] = &[Case {
    tool: "vfsstat",
    name: "vfsstat",
    sets: &[],
    prepare: "for n in 1 2 3; do : >file$n; done",
    work: r#"
        /bin/mkdir d1 d2 d3 d4 d5
        /bin/rmdir d1 d2 d3 d4
        /bin/rm file1 file2 file3
        /bin/dd if=/dev/zero of=/dev/null bs=1 count=2000
        echo done=1
    "#,
    clean: "",
    check,
}];

/// Calls that the shell, the loader and the driver's own polling add.
const OTHERS: i64 = 1_500;

fn check(output: &Output) -> Checked {
    output.fact("done")?;
    let mut lines = output.result("calls");
    let line = lines.next().ok_or("no result `calls`")?;
    let calls = line.get("counters").and_then(Value::as_object).ok_or("no counters")?;
    within("number of counters", calls.len() as i64, 8, 8)?;
    let counted = |name: &str, least, most| within(name, number(calls, name)?, least, most);
    counted("mkdir", 5, 5)?;
    counted("unlink", 3, 3)?;
    counted("read", 2_000, 2_000 + OTHERS)?;
    counted("write", 2_000, 2_000 + OTHERS)?;
    counted("open", 4, OTHERS)?;
    // Neither is called: open(2) creates files by itself, and nothing was synchronised.
    counted("create", 0, 0)?;
    counted("fsync", 0, 0)?;
    // last, since one board is excepted from it
    counted("rmdir", 4, 4)
}
