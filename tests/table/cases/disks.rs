//! Tools of disks and files: requests of known number and size on a loop device, calls on an ext4 that lies on one.

use super::ask::Want::{Has, Is, Least, Number, Text};
use super::ask::{counted, lines, some};
use super::{CASE, Case};
use crate::tools::output::within;

/// A disk over a file in memory. `dev` is the kernel's number of it.
const DISK: &str = r#"
    truncate -s 4M disk
    losetup /dev/loop1 disk
    echo dev=$((7 << 20 | 1))
"#;

/// The same as people write it.
const DEV: &str = "7:1";

/// 16 requests of one block each, which direct I/O makes of as many reads.
const READS: &str =
    "sh -c 'echo pid=$$; exec /bin/dd if=/dev/loop1 of=/dev/null bs=4096 count=16 iflag=direct'";
const BYTES: i64 = 16 * 4096;

const FREE: &str = "losetup -d /dev/loop1";

/// A file of 64 pages that are not in memory: the file system is mounted anew. `drop_caches` would do that too, and would take from
/// every page of an executable in the initramfs that the kernel maps it with its neighbours: it marks dirty ones for reclaim,
/// by the flag that is elsewhere that of readahead. What is measured after that is less than it is.
const EXT4: &str = r#"
    truncate -s 9M disk
    losetup /dev/loop1 disk
    mke2fs -F -b 1024 -I 256 /dev/loop1 >/dev/null
    mkdir mnt
    mount -t ext4 /dev/loop1 mnt
    dd if=/dev/zero of=mnt/known bs=4096 count=64
    umount mnt
    mount -t ext4 -o noatime /dev/loop1 mnt
"#;

/// 64 files of a page, not in memory.
const SMALL_FILES: &str = r#"
    truncate -s 9M disk
    losetup /dev/loop1 disk
    mke2fs -F -b 1024 -I 256 /dev/loop1 >/dev/null
    mkdir mnt
    mount -t ext4 /dev/loop1 mnt
    for n in $(seq 10 73); do
        dd if=/dev/zero of=mnt/$n bs=4096 count=1
    done
    umount mnt
    mount -t ext4 -o noatime /dev/loop1 mnt
"#;

const UNMOUNT: &str = "umount mnt; losetup -d /dev/loop1";

pub(super) const CASES: &[Case] = &[
    Case {
        tool: "biopattern",
        name: "biopattern",
        prepare: DISK,
        work: READS,
        clean: FREE,
        check: |output| {
            // the first request has none before it
            let requests =
                [("bytes", Number(BYTES - 4096)), ("sequential", Number(15)), ("random", Number(0))];
            some(output, 1, &[&[("key", Is(output.fact("dev")?, DEV))], &requests[..]].concat())
        },
        ..CASE
    },
    Case {
        tool: "biosnoop",
        name: "biosnoop",
        prepare: DISK,
        work: READS,
        clean: FREE,
        check: |output| {
            let (pid, dev) = (output.fact("pid")?, output.fact("dev")?);
            let wants =
                [("comm", Text("dd")), ("pid", Number(pid)), ("dev", Is(dev, DEV)), ("len", Number(4096))];
            within("requests", lines(output, &wants).len() as i64, 16, 16)?;
            // in units of 512 bytes
            some(output, 1, &[wants[0], wants[1], ("sector", Number(15 * 8))])
        },
        ..CASE
    },
    Case {
        tool: "biostacks",
        name: "biostacks",
        prepare: DISK,
        work: READS,
        clean: FREE,
        check: |output| {
            let of = [
                ("comm", Text("dd")),
                ("pid", Number(output.fact("pid")?)),
                ("dev", Is(output.fact("dev")?, DEV)),
            ];
            counted(output, &of, 16, 16)
        },
        ..CASE
    },
    Case {
        tool: "biotop",
        name: "biotop",
        prepare: DISK,
        work: READS,
        clean: FREE,
        check: |output| {
            let who = [("name", Text("dd")), ("pid", Number(output.fact("pid")?))];
            let disk =
                [("major", Number(7)), ("minor", Number(1)), ("bytes", Number(BYTES)), ("io", Number(16))];
            some(output, 1, &[&who[..], &disk].concat())
        },
        ..CASE
    },
    Case {
        tool: "bitesize",
        name: "bitesize",
        prepare: DISK,
        work: READS,
        clean: FREE,
        check: |output| counted(output, &[("comm", Text("dd"))], 16, 16),
        ..CASE
    },
    Case {
        tool: "cachestat",
        name: "cachestat",
        // a file of a page each, so that folios are pages: read from the disk, and again
        prepare: SMALL_FILES,
        work: "cat mnt/?? >/dev/null; cat mnt/?? >/dev/null; echo done=1",
        clean: UNMOUNT,
        check: |output| {
            output.fact("done")?;
            some(output, 1, &[("misses", Least(64))])?;
            some(output, 1, &[("total", Least(2 * 64))])
        },
        ..CASE
    },
    Case {
        tool: "filelife",
        name: "filelife",
        work: "sh -c ': >short-lived'; sh -c 'echo pid=$$; exec /bin/rm short-lived'",
        check: |output| {
            let pid = Number(output.fact("pid")?);
            some(
                output,
                1,
                &[("file", Text("short-lived")), ("task", Text("rm")), ("tgid", pid), ("delta_ns", Least(1))],
            )
        },
        ..CASE
    },
    Case {
        tool: "filetop",
        name: "filetop",
        prepare: "dd if=/dev/zero of=known bs=4096 count=1",
        work: "sh -c 'echo pid=$$; exec /bin/dd if=known of=/dev/null bs=512 count=8'",
        check: |output| {
            let who =
                [("comm", Text("dd")), ("pid", Number(output.fact("pid")?)), ("filename", Has("known"))];
            some(
                output,
                1,
                &[&who[..], &[("reads", Number(8)), ("read_bytes", Number(4096)), ("writes", Number(0))]]
                    .concat(),
            )
        },
        ..CASE
    },
    Case {
        tool: "fsdist",
        name: "fsdist",
        prepare: EXT4,
        work: "dd if=/dev/zero of=mnt/other bs=100 count=20; dd if=mnt/known of=/dev/null bs=4096 count=30; echo done=1",
        clean: UNMOUNT,
        // and one open each
        check: |output| output.fact("done").and_then(|_| counted(output, &[], 50, 200)),
        ..CASE
    },
    Case {
        tool: "fsslower",
        name: "fsslower",
        sets: &["min_lat_ns=0"],
        prepare: EXT4,
        work: "sh -c 'echo pid=$$; exec /bin/dd if=/dev/zero of=mnt/slow bs=4321 count=3'",
        clean: UNMOUNT,
        check: |output| {
            let who = [("task", Text("dd")), ("pid", Number(output.fact("pid")?)), ("file", Text("slow"))];
            let write = [("op", Is(1, "write")), ("size", Number(4321))];
            some(output, 3, &[&who[..], &write].concat())?;
            some(output, 1, &[&who[..], &[("offset", Number(2 * 4321))]].concat())
        },
    },
    Case {
        tool: "mdflush",
        name: "mdflush",
        prepare: r#"
            truncate -s 4M disk other
            losetup /dev/loop1 disk
            losetup /dev/loop2 other
            echo md7 >/sys/module/md_mod/parameters/new_array
            cd /sys/block/md7/md
            echo none >metadata_version
            echo raid1 >level
            echo 2 >raid_disks
            echo 7:1 >new_dev
            echo 7:2 >new_dev
            echo 2048 >component_size
            echo 2048 >dev-loop1/size
            echo 2048 >dev-loop2/size
            echo 0 >dev-loop1/slot
            echo 1 >dev-loop2/slot
            echo active >array_state
            cd /tmp/case
        "#,
        work: "sh -c 'echo pid=$$; exec /bin/dd if=/dev/zero of=/dev/md7 bs=4096 count=1 conv=fsync'",
        clean: "echo clear >/sys/block/md7/md/array_state; losetup -d /dev/loop1; losetup -d /dev/loop2",
        check: |output| {
            let pid = Number(output.fact("pid")?);
            some(output, 1, &[("comm", Text("dd")), ("pid", pid), ("disk", Text("md7"))])
        },
        ..CASE
    },
    Case {
        tool: "readahead",
        name: "readahead",
        prepare: EXT4,
        work: "dd if=mnt/known of=/dev/null bs=4096; echo done=1",
        clean: UNMOUNT,
        check: |output| output.fact("done").and_then(|_| counted(output, &[], 1, 1_000_000)),
        ..CASE
    },
];
