//! The programs: work whose outcome is known, and what must come of it.

use super::{Here, Program};
use crate::tools::output::{Line, number, show, within};
use crate::tools::{Case, Checked};
use corelet_host_tools::kernel::config::Value as Option;
use serde_json::Value;

/// Its check is the program's own, which knows the kernel.
const CASE: Case =
    Case { tool: "", name: "", sets: &[], prepare: "", work: "", clean: "", check: |_| Ok(()) };

macro_rules! program {
    ($name:literal, $($more:tt)*) => {
        program!($name as $name, manifest: include_str!(concat!("../progs/", $name, ".toml")), $($more)*)
    };
    ($tool:literal as $name:literal, manifest: $manifest:expr, $check:expr, $($more:tt)*) => {
        Program {
            case: Case { tool: $tool, name: $name, $($more)*, ..CASE },
            object: include_bytes!(concat!("../progs/", $tool, ".bpf.o")),
            manifest: $manifest,
            check: $check,
        }
    };
}

/// All of them.
pub const PROGRAMS: &[Program] = &[
    program!("naps", naps, sets: &["only=napper"], prepare: NAPPER, work: "mkfifo fifo
        (usleep 300000; echo >fifo; usleep 300000; echo >fifo) &
        for cpu in 1 $(grep -c ^processor /proc/cpuinfo); do
            taskset $cpu ./napper $cpu
        done"),
    program!("uptime", uptime, work: "sh -c 'echo pid=$$; exec /bin/true'
        echo now=$(date +%s)"),
    program!("calls", calls, prepare: "mkfifo go
        sh -c 'echo $$ >worker; read line <go; exec dd if=/dev/zero of=/dev/null bs=77 count=3' &
        sh -c 'echo $$ >other; read line <go; exec cat /tmp/case/folder' &
        mkdir folder
        until [ -s worker ] && [ -s other ]; do usleep 10000; done
        worker=$(cat worker) other=$(cat other)
        echo pid=$worker
        echo other=$other", work: "echo >go; usleep 200000; echo >go; usleep 300000"),
    program!("drops", drops, work: "timeout 1 nslookup nobody.invalid 127.0.0.1"),
    program!("rss", rss, sets: &["pid=$dd"], prepare: "mkfifo go pipe
        sh -c 'echo $$ >worker; read line <go; exec dd if=/dev/zero of=pipe bs=8M count=1' &
        until [ -s worker ]; do usleep 10000; done
        dd=$(cat worker)
        echo pid=$dd", work: "echo >go; (usleep 300000; cat pipe >/dev/null) & exec 9>pipe
        tries=0
        while kill -0 $dd && [ $tries -lt 100 ]; do usleep 50000; tries=$((tries + 1)); done
        exec 9>&-"),
    program!("cpus", cpus, work: "sh -c 'echo all=$$; exec /bin/true'
        sh -c 'echo one=$$; exec taskset 1 /bin/true'"),
    program!("tally", tally, sets: &["weight=3"], work: "/bin/true; /bin/true; /bin/cat /dev/null; /bin/id >/dev/null"),
    program!("ancestors", ancestors, work: r#"sh -c 'echo old=$$; sh -c "echo mid=\$\$; sh -c \"echo new=\\\$\\\$; exec /bin/true\"; true"; true'"#),
    program!("disks", disks, prepare: "truncate -s 1M disk; losetup /dev/loop2 disk", work: "
        dd if=/dev/zero of=/dev/loop2 bs=4096 count=3 conv=fsync
        blkdiscard -o 65536 -l 16384 /dev/loop2
        blockdev --flushbufs /dev/loop2
        dd if=/dev/loop2 of=/dev/null bs=4096 count=1", clean: "losetup -d /dev/loop2"),
    program!("deadlines", deadlines, prepare: "truncate -s 1M disk; losetup /dev/loop3 disk
        cd /sys/block/loop3/queue; echo mq-deadline >scheduler; echo offered=$(cat scheduler)
        if cd iosched; then
            echo 320 >read_expire; echo 4320 >write_expire; echo 7 >fifo_batch; echo 3 >writes_starved; echo 0 >front_merges
            for knob in *; do echo $knob=$(cat $knob); done
        fi
        cd $folder", work: "dd if=/dev/zero of=/dev/loop3 bs=4096 count=3 conv=fsync", clean: "losetup -d /dev/loop3"),
    program!("packets", packets_pass, prepare: "ip link set lo up", work: ECHOES),
    program!("packets" as "packets_drop", manifest: include_str!("../progs/packets.toml"), packets_drop,
        sets: &["drop=true", "content=221"], work: ECHOES),
    program!("runs", runs, work: RUNS),
    program!("runs" as "runs_without_ring", manifest: RUNS_WITHOUT_RING, runs_without_ring, work: RUNS),
    program!("readers", readers, sets: &["LEAST=77"], work: r#"dd if=/proc/meminfo of=/dev/null bs=76 count=1
        sh -c 'echo parent=$$; sh -c "echo pid=\$\$; exec dd if=/proc/meminfo of=/dev/null bs=77 count=3"; true'"#),
    program!("takes", takes, sets: &["text_argument=4"], work: "sh -c 'echo pid=$$; exec /corelet/probed 2 >/dev/null'"),
];

/// Three echoes of each of two contents, and how many came back.
const ECHOES: &str = "
    for content in 55 dd; do
        echo back_$content=$(ping -c 3 -i 0.1 -W 1 -p $content 127.0.0.1 | sed -n 's/.* \\([0-9]*\\) packets received.*/\\1/p')
    done";

const RUNS: &str =
    "sh -c 'echo slept=$$; exec /bin/usleep 400000'; sh -c 'echo failed=$$; usleep 1000; exit 3'; true";

/// As for a kernel before 5.8.
const RUNS_WITHOUT_RING: &str = r#"
    [maps.buffers]
    event = "struct event"
    [programs]
    begins_in_task.disabled = true
    ends_in_task.disabled = true
    begins_for_ring.disabled = true
    ends_by_ring.disabled = true
"#;

/// A script of a name of its own, which its processes then have: it waits for a line.
const NAPPER: &str = r#"
    printf '#!/bin/sh\necho pid$1=$$\nusleep 100000\nread line <fifo\n' >napper
    chmod +x napper
"#;

fn text<'l>(line: &'l Line, name: &str) -> &'l str {
    line.get(name).and_then(Value::as_str).unwrap_or("")
}

/// The events whose member `name` has that text.
fn of<'h>(here: &'h Here<'_>, name: &'h str, value: &'h str) -> impl Iterator<Item = &'h Line> {
    here.output.events.iter().filter(move |event| text(event, name) == value)
}

/// `TASK_INTERRUPTIBLE`, `TASK_UNINTERRUPTIBLE` (of a lock that another has) and `TASK_DEAD` of `<linux/sched.h>`.
const INTERRUPTIBLE: i64 = 1;
const UNINTERRUPTIBLE: i64 = 2;
const DEAD: i64 = 0x80;
/// `TASK_WAKING` of 5.10: another CPU wakes it already.
const WAKING: i64 = 0x200;

fn naps(here: &Here<'_>) -> Checked {
    for cpu in 0..here.cpus {
        let pid = here.output.fact(&format!("pid{}", cpu + 1))?;
        let events: Vec<&Line> =
            here.output.events.iter().filter(|event| number(event, "pid") == Ok(pid)).collect();
        let (mut waits, mut ends, mut begins) = (0, 0, 0);
        for event in &events {
            let wrong = |what: &str| Err(format!("{what}: {}", show(event)));
            if text(event, "comm") != "napper" {
                return wrong("another name");
            }
            if number(event, "cpu")? != number(event, "cpu_here")? {
                return wrong("not on the CPU that it is on");
            }
            // above the states are marks, such as TASK_FREEZABLE of 6.1
            let state = number(event, "state")? & (WAKING | 0xff);
            match (text(event, "what"), state, number(event, "in_execve")?) {
                ("BEGINS", 0, 1) => begins += 1,
                ("SLEEPS", INTERRUPTIBLE, 0) if number(event, "cpu")? == i64::from(cpu) => waits += 1,
                ("SLEEPS", DEAD, 0) => ends += 1,
                ("SLEEPS", WAKING | UNINTERRUPTIBLE, 0) => {}
                _ => return wrong("no state to be in"),
            }
        }
        if waits < 1 || (begins, ends) != (1, 1) {
            return Err(format!(
                "{pid} waited {waits} times, began {begins} and ended {ends} times, not once"
            ));
        }
    }
    Ok(())
}

fn uptime(here: &Here<'_>) -> Checked {
    // of the shell that told its number, and of what it became
    let pid = here.output.fact("pid")?;
    let mut events = here.output.events.iter().filter(|event| number(event, "pid") == Ok(pid));
    let (Some(event), Some(_), None) = (events.next(), events.next(), events.next()) else {
        return Err(format!("{pid} did not begin twice"));
    };
    let ticks = number(event, "ticks_ms")?;
    let clock = number(event, "clock_ms")?;
    within("uptime by ticks", ticks, clock - 300, clock + 50)?;
    let version = number(event, "version")?;
    let numbers: Vec<i64> = here.release.split('.').take(2).map(|n| n.parse().unwrap_or(0)).collect();
    if [version >> 16, version >> 8 & 0xff] != numbers[..] {
        return Err(format!("version {version:#x}, not that of {}", here.release));
    }
    let tai = number(event, "tai")?;
    match here.since(6, 1) {
        // the kernel starts without knowing how many leap seconds there were
        true => within(
            "the clock of the world",
            tai,
            here.output.fact("now")? - 60,
            here.output.fact("now")? + 60,
        )?,
        false => within("a clock that this kernel has no helper for", tai, 0, 0)?,
    }
    let config = |name: &str| here.config.get(name);
    let set = |name: &str| config(name) == Some(&Option::Yes);
    let Some(Option::Number(hz)) = config("CONFIG_HZ") else { return Err("no CONFIG_HZ".to_owned()) };
    let preemption = [
        ("CONFIG_PREEMPT", "FULL"),
        ("CONFIG_PREEMPT_VOLUNTARY", "VOLUNTARY"),
        ("CONFIG_PREEMPT_NONE", "NONE"),
    ];
    let preemption = preemption.iter().find(|(name, _)| set(name)).map_or("UNKNOWN", |(_, word)| word);
    let ext4 = match config("CONFIG_EXT4_FS") {
        Some(Option::Yes) => "TRI_YES",
        Some(Option::Module) => "TRI_MODULE",
        _ => "TRI_NO",
    };
    let word = |name: &str| match config(name) {
        Some(Option::Text(text)) => text.chars().take(15).collect(),
        _ => String::new(),
    };
    let want = [
        ("hz", hz.to_string()),
        ("preemption", preemption.to_owned()),
        ("ext4", ext4.to_owned()),
        ("hostname", word("CONFIG_DEFAULT_HOSTNAME")),
        ("localversion", word("CONFIG_LOCALVERSION")),
    ];
    for (name, want) in want {
        let found = event.get(name).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        if found.as_deref() != Some(&*want) {
            return Err(format!("{name} is {found:?}, the configuration has {want:?}"));
        }
    }
    Ok(())
}

/// `EISDIR`
const IS_FOLDER: i64 = 21;

fn calls(here: &Here<'_>) -> Checked {
    let (dd, cat) = (here.output.fact("pid")?, here.output.fact("other")?);
    let args = |event: &Line| -> Result<Vec<i64>, String> {
        let args = event.get("args").and_then(Value::as_array).ok_or("no args")?;
        Ok(args
            .iter()
            .map(|v| v.as_i64().or_else(|| Some(v.as_str()?.parse::<u64>().ok()? as i64)).unwrap_or(i64::MIN))
            .collect())
    };
    let of_pid = |what, pid| of(here, "what", what).filter(move |event| number(event, "pid") == Ok(pid));
    let wanted =
        of_pid("READ", dd).filter(|event| args(event).is_ok_and(|a| a == [77, 0, 0, 0, 0, 0])).count();
    let got = of_pid("READ_RETURNED", dd).filter(|event| number(event, "returned") == Ok(77)).count();
    if (wanted, got) != (3, 3) {
        return Err(format!("of 3 reads of 77 bytes {wanted} were asked for and {got} came back"));
    }
    let refused =
        of_pid("READ_RETURNED", cat).filter(|event| number(event, "returned") == Ok(-IS_FOLDER)).count();
    if refused != 1 {
        return Err(format!("the read of a folder was refused {refused} times, not once"));
    }
    for (path, pid) in [("/dev/zero", dd), ("/dev/null", dd), ("/tmp/case/folder", cat)] {
        let opened = of(here, "path", path).filter(|event| number(event, "pid") == Ok(pid)).count();
        if opened != 1 {
            return Err(format!("{path} was opened {opened} times by {pid}, not once"));
        }
    }
    // cat's buffer: no file, read and write (3), MAP_PRIVATE and MAP_ANONYMOUS
    let mut mapped = 0;
    for event in of_pid("MAP", cat) {
        let args = args(event)?;
        let private = args[3] & 0x22 == 0x22;
        mapped += usize::from(private && args[1] == 1 << 16 && args[2] == 3 && args[4] == -1 && args[5] == 0);
    }
    if mapped == 0 {
        return Err("no memory was mapped".to_owned());
    }
    Ok(())
}

/// `ETH_P_IP`
const IPV4: i64 = 0x0800;

fn drops(here: &Here<'_>) -> Checked {
    // IPv4's and UDP's headers, and DNS's
    let least = 20 + 8 + 12;
    let mut dropped = 0;
    for event in &here.output.events {
        let ours = number(event, "protocol")? == IPV4 && number(event, "length")? >= least;
        let why = if here.since(5, 17) { "NOBODY_LISTENS" } else { "UNTOLD" };
        // over the loop a checksum stays as the sender left it: for a device to fill in
        dropped += usize::from(ours && text(event, "why") == why && text(event, "checksum") == "PARTIAL");
    }
    if dropped == 0 {
        return Err("packets were sent to nobody, and none was seen".to_owned());
    }
    Ok(())
}

fn rss(here: &Here<'_>) -> Checked {
    let pid = here.output.fact("pid")?;
    let mut most = 0;
    for event in &here.output.events {
        if number(event, "pid")? == pid && text(event, "comm") == "dd" {
            most = most.max(number(event, "anonymous_pages")?);
        }
    }
    // 8 MiB in pages of 4 KiB, what a small process has beside, and what CPUs have counted and not told yet
    within("pages of its own", most, 2048 - 128, 2048 + 160)
}

fn cpus(here: &Here<'_>) -> Checked {
    let all = (1 << here.cpus) - 1;
    let apart = here.config.is_set("CONFIG_CPUMASK_OFFSTACK");
    for (fact, program, allowed) in [("all", "true", all), ("one", "true", 1)] {
        let pid = here.output.fact(fact)?;
        let mut events = here.output.events.iter();
        let event = events.find(|e| number(e, "pid") == Ok(pid) && text(e, "comm") == program);
        let event = event.ok_or_else(|| format!("{pid} did not begin {program}"))?;
        let first = number(event, "allowed")? & all;
        let is = |name: &str| event.get(name).and_then(Value::as_bool);
        let found = (first, number(event, "online")?, is("apart"), is("configured"));
        let want = (allowed, all, Some(apart), Some(apart));
        if found != want {
            return Err(format!("allowed, online, apart, configured are {found:?}, not {want:?}"));
        }
    }
    Ok(())
}

fn tally(here: &Here<'_>) -> Checked {
    let result = here.output.result("programs").next().ok_or("no result")?;
    let count =
        |name: &str| result.get("counters").and_then(|c| c.get(name)).and_then(Value::as_i64).unwrap_or(0);
    let found = [count("true"), count("cat"), count("id")];
    if found != [6, 3, 3] {
        return Err(format!("counts {found:?}, not [6, 3, 3]: each program three times"));
    }
    Ok(())
}

fn ancestors(here: &Here<'_>) -> Checked {
    let [old, mid, new] = ["old", "mid", "new"].map(|name| here.output.fact(name));
    let (old, mid, new) = (old?, mid?, new?);
    let mut events = here.output.events.iter().filter(|event| number(event, "pid") == Ok(new));
    let event = events.next().ok_or_else(|| format!("{new} did not begin"))?;
    let ancestors = event.get("ancestors").and_then(Value::as_array).ok_or("no ancestors")?;
    if ancestors.get(..2) != Some(&[mid.into(), old.into()]) {
        return Err(format!("ancestors of {new} are {ancestors:?}, not {mid}, {old}"));
    }
    let has = |name: &str| event.get(name).and_then(Value::as_bool) == Some(true);
    // 32-bit ARM's compiler has no callbacks; a kernel without types of its own has no functions that could be called
    let found = (has("loop"), has("cast"));
    let callbacks = here.since(5, 17) && here.board.arch.name != "armv7l";
    let want = (callbacks, here.since(6, 2) && here.config.is_set("CONFIG_DEBUG_INFO_BTF"));
    if found != want {
        return Err(format!("bpf_loop() and bpf_rdonly_cast() are there: {found:?}, not {want:?}"));
    }
    Ok(())
}

fn disks(here: &Here<'_>) -> Checked {
    let bytes = |what| -> Result<Vec<i64>, String> {
        let events = of(here, "what", what).filter(|event| text(event, "disk") == "loop2");
        events.map(|event| number(event, "bytes")).collect()
    };
    let (read, written, flushed) = (bytes("READ")?, bytes("WRITE")?, bytes("FLUSH")?);
    let discarded = bytes("DISCARD")?;
    let sum = |bytes: &[i64]| bytes.iter().sum::<i64>();
    if (sum(&written), sum(&discarded), sum(&flushed)) != (3 * 4096, 16384, 0) || flushed.is_empty() {
        return Err(format!(
            "written {written:?}, discarded {discarded:?}, flushed {flushed:?}: not 12288, 16384 and 0 bytes"
        ));
    }
    if sum(&read) < 4096 || read.iter().any(|bytes| bytes % 4096 != 0) {
        return Err(format!("read {read:?}, not a page and what the kernel reads ahead"));
    }
    // of `enum req_opf` before 6.0, of `enum req_op` since
    let zone_append = if here.since(6, 0) { 7 } else { 13 };
    match here.output.events.iter().find(|event| number(event, "zone_append") != Ok(zone_append)) {
        Some(event) => Err(format!("zone_append is not {zone_append}: {}", show(event))),
        None => Ok(()),
    }
}

/// Bytes that went through the scheduler of that name; each event must be right.
fn scheduled(here: &Here<'_>, scheduler: &str, right: impl Fn(&Line) -> Checked) -> Result<i64, String> {
    let mut seen = 0;
    for event in of(here, "scheduler", scheduler) {
        right(event)?;
        seen += number(event, "bytes")?;
    }
    Ok(seen)
}

fn deadlines(here: &Here<'_>) -> Checked {
    // disks in files took no scheduler for some time before 5.15
    if here.output.facts.get("offered").is_some_and(|offered| offered == "[none]") && !here.since(5, 15) {
        let unknown = |event: &Line| match event.get("known").and_then(Value::as_bool) {
            Some(false) => Ok(()),
            _ => Err(format!("a scheduler where there is none: {}", show(event))),
        };
        return within("bytes without a scheduler", scheduled(here, "", unknown)?, 3 * 4096, 3 * 4096);
    }
    let Some(Option::Number(hz)) = here.config.get("CONFIG_HZ") else {
        return Err("no CONFIG_HZ".to_owned());
    };
    let hz = i64::try_from(*hz).map_err(|e| e.to_string())?;
    let ticks = |name| Ok::<_, String>(here.output.fact(name)? * hz / 1000);
    let want = [
        ("read_expire", ticks("read_expire")?),
        ("write_expire", ticks("write_expire")?),
        ("batch", here.output.fact("fifo_batch")?),
        ("starved", here.output.fact("writes_starved")?),
        ("front_merges", here.output.fact("front_merges")?),
    ];
    if want.map(|(_, value)| value) != [320 * hz / 1000, 4320 * hz / 1000, 7, 3, 0] {
        return Err(format!("the scheduler was not set: {want:?}"));
    }
    let right = |event: &Line| {
        let wrong = want.iter().find(|(name, value)| number(event, name) != Ok(*value));
        wrong.map_or(Ok(()), |(name, value)| Err(format!("{name} is not {value}: {}", show(event))))
    };
    within("bytes by the scheduler", scheduled(here, "mq-deadline", right)?, 3 * 4096, 3 * 4096)
}

/// Echoes that were counted, a request and a reply of each place, and how many came back of 0x55 and of 0xdd.
fn packets(here: &Here<'_>, want: [i64; 6], back: [i64; 2]) -> Checked {
    let result = here.output.result("echoes").next().ok_or("no result")?;
    let count =
        |name: &str| result.get("counters").and_then(|c| c.get(name)).and_then(Value::as_i64).unwrap_or(0);
    let places = ["device", "control", "socket"];
    let found: Vec<i64> = (places.iter())
        .flat_map(|place| ["requests", "replies"].map(|kind| count(&format!("{place}_{kind}"))))
        .collect();
    let came = [here.output.fact("back_55")?, here.output.fact("back_dd")?];
    match found == want && came == back {
        true => Ok(()),
        false => Err(format!("counted {found:?} and back {came:?}, not {want:?} and {back:?}")),
    }
}

fn packets_pass(here: &Here<'_>) -> Checked {
    packets(here, [3; 6], [3, 3])
}

fn packets_drop(here: &Here<'_>) -> Checked {
    packets(here, [3, 0, 0, 0, 0, 0], [3, 0])
}

/// What a program that slept and one that failed came to, and how that was kept and sent.
fn ran(here: &Here<'_>, kept: &str, sent: &str) -> Checked {
    for (fact, comm, code, least) in [("slept", "usleep", 0, 400), ("failed", "sh", 3, 1)] {
        let event = here.output.one("pid", here.output.fact(fact)?)?;
        let found =
            (text(event, "comm"), number(event, "exit_code")?, text(event, "kept"), text(event, "sent"));
        if found != (comm, code, kept, sent) {
            return Err(format!("{found:?}, not {:?}", (comm, code, kept, sent)));
        }
        within("milliseconds", number(event, "ms")?, least, least + 3000)?;
    }
    Ok(())
}

fn runs(here: &Here<'_>) -> Checked {
    // storage in tasks came with 5.11, and is for programs that know the kernel's types; newer kernels give it out of memory that
    // can be had without locks, which RISC-V, without a double compare-and-exchange, cannot
    let refused = here.since(7, 0) && here.board.arch.name == "riscv64";
    let in_task = here.since(5, 11) && here.config.is_set("CONFIG_DEBUG_INFO_BTF") && !refused;
    ran(here, if in_task { "IN_TASK" } else { "BY_PID" }, "BY_RING")
}

fn runs_without_ring(here: &Here<'_>) -> Checked {
    ran(here, "BY_PID", "BY_CPU")
}

/// `PROC_SUPER_MAGIC`
const PROC: i64 = 0x9fa0;

/// A program in Rust.
fn readers(here: &Here<'_>) -> Checked {
    let (parent, pid) = (here.output.fact("parent")?, here.output.fact("pid")?);
    let config = |name: &str| here.config.get(name);
    let Some(Option::Number(hz)) = config("CONFIG_HZ") else { return Err("no CONFIG_HZ".to_owned()) };
    let preempts = config("CONFIG_PREEMPT") == Some(&Option::Yes);
    let casts = here.since(6, 2) && here.config.is_set("CONFIG_DEBUG_INFO_BTF");
    let mut seen = 0;
    for event in of(here, "comm", "dd") {
        seen += 1;
        let numbers = [
            ("pid", pid),
            ("parent", parent),
            ("bytes", 77),
            ("nth", seen),
            ("file_system", PROC),
            ("hz", i64::try_from(*hz).map_err(|e| e.to_string())?),
        ];
        let wrong = numbers.iter().find(|(name, value)| number(event, name) != Ok(*value));
        if let Some((name, value)) = wrong {
            return Err(format!("{name} is not {value}: {}", show(event)));
        }
        let version = number(event, "version")?;
        let found = (
            format!("{}.{}.", version >> 16, version >> 8 & 0xff),
            text(event, "way"),
            event.get("preempts").and_then(Value::as_bool),
        );
        let way = if casts { "Cast" } else { "Probed" };
        if !here.release.starts_with(&found.0) || (found.1, found.2) != (way, Some(preempts)) {
            return Err(format!("{found:?}, not of {} ({way:?}, {preempts})", here.release));
        }
    }
    within("reads of 77 bytes", seen, 3, 3)
}

/// `probed_eight()` of `uprobe/probed.c`, called once in each round.
fn takes(here: &Here<'_>) -> Checked {
    let pid = here.output.fact("pid")?;
    let events: Vec<&Line> = here.output.events.iter().filter(|e| number(e, "pid") == Ok(pid)).collect();
    if events.len() != 2 {
        return Err(format!("{} calls, not 2", events.len()));
    }
    for (round, event) in (1..).zip(events) {
        let args = event.get("args").and_then(Value::as_array).ok_or("no args")?;
        let args: Vec<i64> = args.iter().filter_map(Value::as_i64).collect();
        let [a, b, c, at, rest @ ..] = &args[..] else { return Err(show(event)) };
        if [*a, *b, *c] != [round, -2, 3]
            || *at <= 0
            || *rest != [5, -6, 7, -8]
            || text(event, "text") != "probed"
        {
            return Err(format!("not the arguments of round {round}: {}", show(event)));
        }
        let sum = round - 2 + 3 + i64::from(b'p') + 5 - 6 + 7 - 8 - 1000;
        if number(event, "returned")? != sum {
            return Err(format!("did not return {sum}: {}", show(event)));
        }
        within("microseconds", number(event, "us")?, 0, 1_000_000)?;
    }
    Ok(())
}
