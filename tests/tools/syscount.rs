//! syscount: known numbers of calls by number, by process, and by errno.
//!
//! Numbers of system calls are those of include/uapi/asm-generic/unistd.h, which 64-bit boards use, or of
//! arch/arm/tools/syscall.tbl.

use super::output::{Line, Output, number, within};
use super::{Case, Checked};

/// Numbers of the calls that are counted, and the ranges that numbers are in.
struct Numbers {
    mkdir: i64,
    openat: i64,
    read: i64,
    write: i64,
    all: &'static [(i64, i64)],
}

const GENERIC: Numbers = Numbers { mkdir: 34, openat: 56, read: 63, write: 64, all: &[(0, 600)] };

/// With the calls of its own that ARM has, from `__ARM_NR_BASE` on.
const ARM: Numbers =
    Numbers { mkdir: 39, openat: 322, read: 3, write: 4, all: &[(0, 600), (0xf_0000, 0xf_0006)] };

/// What a case says of the machine before it begins.
const MACHINE: &str = "echo machine=$(uname -m)";

fn numbers(output: &Output) -> Numbers {
    let machine = output.facts.get("machine");
    if machine.is_some_and(|machine| machine.starts_with("armv")) { ARM } else { GENERIC }
}

const ENOTDIR_CALLS: i64 = 6;

pub(super) const CASES: &[Case] = &[
    Case {
        tool: "syscount",
        name: "syscount",
        sets: &[],
        prepare: MACHINE,
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
        prepare: ": >file; echo machine=$(uname -m)",
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
    let nr = numbers(output);
    let counted = |nr, least, most| {
        let value = entry(output, nr)?;
        within(&format!("count of call {nr}"), number(value, "count")?, least, most)?;
        within("time that was not measured", number(value, "total_ns")?, 0, 0)
    };
    counted(nr.mkdir, 7, 7)?;
    counted(nr.read, 2_000, 4_000)?;
    counted(nr.write, 2_000, 4_000)?;
    output.result("syscalls").try_for_each(|line| {
        let key = number(line, "key")?;
        let known = nr.all.iter().any(|(first, last)| (first..=last).contains(&&key));
        if known { Ok(()) } else { Err(format!("key {key} is no number of a call")) }
    })
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
    within(
        "count of openat",
        number(entry(output, numbers(output).openat)?, "count")?,
        ENOTDIR_CALLS,
        ENOTDIR_CALLS,
    )
}
