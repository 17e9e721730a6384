//! biolatency: requests of known number, direction and disk, on loop devices over files in memory.
//!
//! Direct I/O of one block each makes one request each. The second of two disks tells the filter's work from none.

use super::output::{Line, Output, number, show, within};
use super::{Case, Checked};
use serde_json::Value;
use std::collections::BTreeMap;

const DISKS: &str = r#"
    for n in 1 2; do
        truncate -s 1M disk$n
        losetup /dev/loop$n disk$n
    done
    dev=$((7 << 20 | 1))
    echo dev=$dev
"#;

const IO: &str = r#"
    dd if=/dev/loop1 of=/dev/null bs=4096 count=16 iflag=direct
    dd if=/dev/zero of=/dev/loop1 bs=4096 count=8 oflag=direct
    dd if=/dev/loop2 of=/dev/null bs=4096 count=5 iflag=direct
"#;

const FREE: &str = "losetup -d /dev/loop1; losetup -d /dev/loop2";

pub(super) const CASES: &[Case] = &[
    Case {
        tool: "biolatency",
        name: "biolatency",
        sets: &["targ_per_disk=true", "targ_per_flag=true"],
        prepare: DISKS,
        work: IO,
        clean: FREE,
        check,
    },
    Case {
        tool: "biolatency",
        name: "biolatency_disk",
        sets: &[
            "targ_per_disk=true",
            "targ_per_flag=true",
            "targ_queued=true",
            "filter_dev=true",
            "targ_dev=$dev",
        ],
        prepare: DISKS,
        work: IO,
        clean: FREE,
        check: check_disk,
    },
];

/// `enum req_op`, and the flag of a request that somebody waits for, of include/linux/blk_types.h.
const REQ_OP_READ: i64 = 0;
const REQ_OP_WRITE: i64 = 1;
const REQ_OP_MASK: i64 = 0xff;
const REQ_SYNC: i64 = 1 << 11;

fn check(output: &Output) -> Checked {
    let dev = output.fact("dev")?;
    counts(output, &[((dev, REQ_OP_READ), 16), ((dev, REQ_OP_WRITE), 8), ((dev + 1, REQ_OP_READ), 5)])
}

fn check_disk(output: &Output) -> Checked {
    let dev = output.fact("dev")?;
    counts(output, &[((dev, REQ_OP_READ), 16), ((dev, REQ_OP_WRITE), 8)])
}

/// Whether the histograms hold as many requests of each disk and operation as were made, and no others.
fn counts(output: &Output, want: &[((i64, i64), i64)]) -> Checked {
    let mut found: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for line in output.result("latency") {
        let key =
            line.get("key").and_then(Value::as_object).ok_or_else(|| format!("{}: no key", show(line)))?;
        let (dev, flags) = (number(key, "dev")?, number(key, "cmd_flags")?);
        let op = flags & REQ_OP_MASK;
        // somebody waits for any read; kernels before 6 do not mark it
        if op == REQ_OP_WRITE && flags & REQ_SYNC == 0 {
            return Err(format!("a direct write without REQ_SYNC: flags {flags:#x}"));
        }
        *found.entry((dev, op)).or_default() += requests(line)?;
    }
    let want = want.iter().copied().collect();
    if found == want { Ok(()) } else { Err(format!("requests by (dev, op) are {found:?}, not {want:?}")) }
}

/// The requests of one histogram. None took longer than these 8 seconds.
fn requests(line: &Line) -> Result<i64, String> {
    let slots =
        line.get("log2").and_then(Value::as_array).ok_or_else(|| format!("{}: no log2", show(line)))?;
    let mut sum = 0;
    for slot in slots.iter().filter_map(Value::as_object) {
        within("latency in us", number(slot, "from")?, 0, 1 << 23)?;
        sum += number(slot, "count")?;
    }
    Ok(sum)
}
