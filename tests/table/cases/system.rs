//! Tools of processes, the scheduler, interrupts and memory.

use super::ask::Want::{Has, Is, Least, Number, Text};
use super::ask::{counted, counter, some};
use super::{CASE, Case};

/// A loop under a name of its own for two thirds of a second.
const SPIN: &str = r#"
    sh -c 'printf corelet-spin >/proc/$$/comm; echo pid=$$; : >go; while [ -e go ]; do :; done' & spin=$!
    until [ -e go ]; do usleep 10000; done
    usleep 700000
    rm -f go
    wait $spin
"#;

pub(super) const CASES: &[Case] = &[
    Case {
        tool: "bashreadline",
        name: "bashreadline",
        work: "/bin/bash",
        check: |output| {
            some(output, 1, &[("pid", Number(output.fact("pid")?)), ("str", Text("echo a known line"))])
        },
        ..CASE
    },
    Case {
        tool: "capable",
        name: "capable",
        work: "sh -c 'echo pid=$$; exec /bin/chroot / /bin/true'",
        check: |output| {
            let tgid = Number(output.fact("pid")?);
            // CAP_SYS_CHROOT of include/uapi/linux/capability.h; the check passes for root
            some(
                output,
                1,
                &[
                    ("task", Text("chroot")),
                    ("tgid", tgid),
                    ("cap", Is(18, "CAP_SYS_CHROOT")),
                    ("uid", Number(0)),
                ],
            )
        },
        ..CASE
    },
    Case {
        tool: "cpudist",
        name: "cpudist",
        sets: &["targ_per_process=true"],
        work: SPIN,
        check: |output| counted(output, &[("key", Number(output.fact("pid")?))], 1, 10_000),
        ..CASE
    },
    Case {
        tool: "drsnoop",
        name: "drsnoop",
        // nearly all that there is: dd reclaims what it can until it is killed, before all others
        work: r#"
            kib=$(awk '/^MemTotal:/ { print $2 - 4096 }' /proc/meminfo)
            sh -c 'echo pid=$$; echo 1000 >/proc/$$/oom_score_adj
                exec /bin/dd if=/dev/zero of=/dev/null count=1 bs='${kib}k
        "#,
        check: |output| {
            let pid = Number(output.fact("pid")?);
            some(
                output,
                1,
                &[("task", Text("dd")), ("pid", pid), ("delta_ns", Least(1)), ("nr_reclaimed", Least(0))],
            )
        },
        ..CASE
    },
    Case {
        tool: "futexctn",
        name: "futexctn",
        work: "/corelet/two-threads",
        check: |output| {
            output.fact("pid")?;
            // a wait that the other thread is too early for is none
            counted(output, &[("uaddr", Number(output.fact("futex")?))], 3, 5)
        },
        ..CASE
    },
    Case {
        tool: "ksnoop",
        name: "ksnoop",
        work: "/corelet/ask-ksnoop",
        check: |output| {
            let (pid, count) = (Number(output.fact("pid")?), Number(output.fact("count")?));
            some(output, 1, &[("pid", pid), ("raw_value", count)])
        },
        ..CASE
    },
    Case {
        tool: "funclatency",
        name: "funclatency",
        work: "mkdir f; for n in 1 2 3 4 5 6 7 8 9 10; do : >f/$n; cat f/$n; done; rm -r f; echo done=1",
        check: |output| output.fact("done").and_then(|_| counted(output, &[], 10, 1_000_000)),
        ..CASE
    },
    Case {
        tool: "gethostlatency",
        name: "gethostlatency",
        work: "/usr/lib/libc.so.6",
        check: |output| {
            let pid = Number(output.fact("pid")?);
            // by three functions
            let wants =
                [("comm", Text("libc.so.6")), ("pid", pid), ("host", Text("10.7.0.2")), ("time", Least(1))];
            some(output, 3, &wants)
        },
        ..CASE
    },
    Case {
        tool: "hardirqs",
        name: "hardirqs",
        sets: &["targ_dist=true"],
        work: "usleep 700000; echo done=1",
        check: |output| output.fact("done").and_then(|_| counted(output, &[], 10, 1_000_000)),
        ..CASE
    },
    Case {
        tool: "javagc",
        name: "javagc",
        work: "/usr/lib/libjvm.so",
        check: |output| {
            let pid = Number(output.fact("pid")?);
            // the collection, and that of a pool of memory
            some(output, 2, &[("pid", pid), ("ts", Least(20_000_000))])
        },
        ..CASE
    },
    Case {
        tool: "klockstat",
        name: "klockstat",
        work: "mkdir f; for n in 1 2 3 4 5 6 7 8 9 10; do : >f/$n; done; rm -r f; echo done=1",
        check: |output| {
            output
                .fact("done")
                .and_then(|_| some(output, 1, &[("acq_count", Least(10)), ("hld_total_time", Least(1))]))
        },
        ..CASE
    },
    Case {
        tool: "memleak",
        name: "memleak",
        work: "mkdir f; for n in 1 2 3 4 5; do : >f/$n; done; echo done=1",
        clean: "rm -r f",
        check: |output| output.fact("done").and_then(|_| some(output, 5, &[("total_size", Least(8))])),
        ..CASE
    },
    Case {
        tool: "mountsnoop",
        name: "mountsnoop",
        prepare: "mkdir m",
        work: "sh -c 'echo pid=$$; exec /bin/mount -t tmpfs corelet-source /tmp/case/m'",
        clean: "umount m",
        check: |output| {
            let pid = Number(output.fact("pid")?);
            some(
                output,
                1,
                &[("comm", Text("mount")), ("pid", pid), ("ret", Number(0)), ("op", Is(1, "mount"))],
            )?;
            some(
                output,
                1,
                &[
                    ("pid", pid),
                    ("dest", Text("/tmp/case/m")),
                    ("src", Text("corelet-source")),
                    ("fs", Text("tmpfs")),
                ],
            )
        },
        ..CASE
    },
    Case {
        tool: "numamove",
        name: "numamove",
        prepare: r#"
            mount -t debugfs debugfs /sys/kernel/debug
            echo 100 >/sys/kernel/debug/sched/numa_balancing/scan_delay_ms
            echo 100 >/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms
            echo 1 >/proc/sys/kernel/numa_balancing
        "#,
        work: "/corelet/far-memory",
        clean: "umount /sys/kernel/debug",
        check: |output| output.fact("done").and_then(|_| some(output, 1, &[("moves", Least(100))])),
        ..CASE
    },
    Case {
        tool: "offcputime",
        name: "offcputime",
        work: "sh -c 'echo pid=$$; exec /bin/usleep 300000'",
        check: |output| {
            let pid = Number(output.fact("pid")?);
            some(output, 1, &[("comm", Text("usleep")), ("pid", pid), ("delta", Least(290_000))])
        },
        ..CASE
    },
    Case {
        tool: "oomkill",
        name: "oomkill",
        prepare: r#"
            echo +memory >/sys/fs/cgroup/cgroup.subtree_control
            mkdir /sys/fs/cgroup/small
            echo 4M >/sys/fs/cgroup/small/memory.max
        "#,
        work: r#"
            sh -c 'echo victim=$$; echo $$ >/sys/fs/cgroup/small/cgroup.procs
                exec /bin/dd if=/dev/zero of=/dev/null bs=32M count=1'
        "#,
        clean: "rmdir /sys/fs/cgroup/small",
        check: |output| {
            some(
                output,
                1,
                &[("tpid", Number(output.fact("victim")?)), ("tcomm", Text("dd")), ("pages", Least(1))],
            )
        },
        ..CASE
    },
    Case {
        tool: "profile",
        name: "profile",
        work: SPIN,
        check: |output| {
            some(output, 1, &[("name", Text("corelet-spin")), ("pid", Number(output.fact("pid")?))])
        },
        ..CASE
    },
    Case {
        tool: "runqlat",
        name: "runqlat",
        work: "for n in 1 2 3 4 5 6 7 8 9 10; do usleep 10000; done; echo done=1",
        check: |output| output.fact("done").and_then(|_| counted(output, &[], 20, 1_000_000)),
        ..CASE
    },
    Case {
        tool: "runqlen",
        name: "runqlen",
        work: SPIN,
        check: |output| output.fact("pid").and_then(|_| counted(output, &[], 10, 1_000_000)),
        ..CASE
    },
    Case {
        tool: "slabratetop",
        name: "slabratetop",
        work: "for n in 1 2 3 4 5 6 7 8 9 10; do mkdir d$n d$n/1 d$n/2 d$n/3 d$n/4; done; echo done=1",
        clean: "rm -r d*",
        // each makes an inode
        check: |output| {
            output.fact("done").and_then(|_| {
                some(output, 1, &[("name", Has("inode")), ("count", Least(50)), ("size", Least(50 * 64))])
            })
        },
        ..CASE
    },
    Case {
        tool: "softirqs",
        name: "softirqs",
        work: "usleep 700000; echo done=1",
        check: |output| output.fact("done").and_then(|_| counter(output, 10)),
        ..CASE
    },
    Case {
        tool: "statsnoop",
        name: "statsnoop",
        prepare: ": >known",
        work: "sh -c 'echo pid=$$; exec /bin/stat /tmp/case/known'; sh -c 'echo absent=$$; exec /bin/stat /tmp/case/absent'",
        check: |output| {
            let of = |pid| -> Result<_, String> {
                Ok([("comm", Text("stat")), ("pid", Number(output.fact(pid)?))])
            };
            some(
                output,
                1,
                &[&of("pid")?[..], &[("pathname", Text("/tmp/case/known")), ("ret", Number(0))]].concat(),
            )?;
            some(
                output,
                1,
                &[&of("absent")?[..], &[("pathname", Text("/tmp/case/absent")), ("ret", Is(-2, "-ENOENT"))]]
                    .concat(),
            )
        },
        ..CASE
    },
    Case {
        tool: "syncsnoop",
        name: "syncsnoop",
        prepare: ": >known",
        work: "/bin/sync; /bin/dd if=/dev/zero of=known bs=1 count=1 conv=fsync; echo done=1",
        check: |output| {
            output.fact("done")?;
            some(output, 1, &[("comm", Text("sync")), ("sys", Is(1, "sync"))])?;
            some(output, 1, &[("comm", Text("dd")), ("sys", Is(2, "fsync"))])
        },
        ..CASE
    },
    Case {
        tool: "wakeuptime",
        name: "wakeuptime",
        work: "sh -c 'echo pid=$$; exec /bin/usleep 300000'",
        check: |output| {
            output
                .fact("pid")
                .and_then(|_| some(output, 1, &[("target", Text("usleep")), ("value", Least(290_000))]))
        },
        ..CASE
    },
];
