//! syscount: known numbers of calls by number, by process, and by errno.
//!
//! Numbers of system calls are those of include/uapi/asm-generic/unistd.h, which both boards use.

use super::output::{Line, Output, number, within};
use super::{Case, Checked};

const NR_MKDIRAT: i64 = 34;
const NR_OPENAT: i64 = 56;
const NR_READ: i64 = 63;
const NR_WRITE: i64 = 64;
const ENOTDIR_CALLS: i64 = 6;

pub(super) const CASES: &[Case] = &[
    Case {
        tool: "syscount",
        name: "syscount",
        sets: &[],
        prepare: "",
        work: "/bin/dd if=/dev/zero of=/dev/null bs=1 count=2000; /bin/mkdir d1 d2 d3 d4 d5 d6 d7; echo done=1",
        clean: "",
        check: by_number,
    },
    Case {
        tool: "syscount",
        name: "syscount_process",
        sets: &["count_by_process=true", "measure_latency=true"],
        prepare: "",
        work: "sh -c 'echo dd=$$; exec /bin/dd if=/dev/zero of=/dev/null bs=1 count=2000'",
        clean: "",
        check: by_process,
    },
    Case {
        tool: "syscount",
        name: "syscount_errno",
        sets: &["filter_failed=true", "filter_errno=20"],
        prepare: ": >file",
        work: "/bin/cat file/1 file/2 file/3 file/4 file/5 file/6; echo done=1",
        clean: "",
        check: by_errno,
    },
];

/// The entry of a key.
fn entry(output: &Output, key: i64) -> Result<&Line, String> {
    let mut found = output.result("syscalls").filter(|line| number(line, "key") == Ok(key));
    let line = found.next().ok_or_else(|| format!("no entry for {key}"))?;
    line.get("value").and_then(|v| v.as_object()).ok_or_else(|| format!("the entry for {key} has no value"))
}

fn by_number(output: &Output) -> Checked {
    output.fact("done")?;
    let counted = |nr, least, most| {
        let value = entry(output, nr)?;
        within(&format!("count of call {nr}"), number(value, "count")?, least, most)?;
        within("time that was not measured", number(value, "total_ns")?, 0, 0)
    };
    counted(NR_MKDIRAT, 7, 7)?;
    counted(NR_READ, 2_000, 4_000)?;
    counted(NR_WRITE, 2_000, 4_000)?;
    // The keys are numbers of calls: there are fewer than 600.
    output.result("syscalls").try_for_each(|line| within("key", number(line, "key")?, 0, 600))
}

fn by_process(output: &Output) -> Checked {
    let pid = output.fact("dd")?;
    let value = entry(output, pid)?;
    within("calls of dd", number(value, "count")?, 4_000, 4_300)?;
    within("their time in us", number(value, "total_ns")? / 1000, 100, 60_000_000)?;
    match value.get("comm") {
        Some(comm) if comm == "dd" => Ok(()),
        comm => Err(format!("process {pid} is called {comm:?}, not dd")),
    }
}

/// A file is no folder: opening what is in it gives ENOTDIR, which nobody else meets.
fn by_errno(output: &Output) -> Checked {
    output.fact("done")?;
    let lines: Vec<_> = output.result("syscalls").collect();
    within("number of calls that fail so", lines.len() as i64, 1, 1)?;
    within("count of openat", number(entry(output, NR_OPENAT)?, "count")?, ENOTDIR_CALLS, ENOTDIR_CALLS)
}
