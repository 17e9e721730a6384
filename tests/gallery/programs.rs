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
    ($name:literal, $check:expr, $($more:tt)*) => {
        Program {
            case: Case { tool: $name, name: $name, $($more)*, ..CASE },
            object: include_bytes!(concat!("../progs/", $name, ".bpf.o")),
            manifest: include_str!(concat!("../progs/", $name, ".toml")),
            check: $check,
        }
    };
}

/// All of them.
pub const PROGRAMS: &[Program] = &[
    program!("naps", naps, prepare: NAPPER, work: "mkfifo fifo
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
        echo pid=$dd", work: "echo >go; (usleep 300000; cat pipe >/dev/null) & exec 9>pipe; usleep 700000; exec 9>&-"),
    program!("cpus", cpus, work: "sh -c 'echo all=$$; exec /bin/true'
        sh -c 'echo one=$$; exec taskset 1 /bin/true'"),
    program!("tally", tally, sets: &["weight=3"], work: "/bin/true; /bin/true; /bin/cat /dev/null; /bin/id >/dev/null"),
    program!("ancestors", ancestors, work: r#"sh -c 'echo old=$$; sh -c "echo mid=\$\$; sh -c \"echo new=\\\$\\\$; exec /bin/true\"; true"; true'"#),
];

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

/// `TASK_INTERRUPTIBLE` and `TASK_DEAD` of `<linux/sched.h>`.
const INTERRUPTIBLE: i64 = 1;
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
                ("SLEEPS", WAKING, 0) => {}
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
        dropped += usize::from(ours && text(event, "why") == why);
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
        let found = (first, number(event, "online")?, event.get("apart").and_then(Value::as_bool));
        if found != (allowed, all, Some(apart)) {
            return Err(format!("allowed, online, apart are {found:?}, not {:?}", (allowed, all, apart)));
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
    // a kernel without types of its own has no functions that could be called
    let found = (has("loop"), has("cast"));
    let want = (here.since(5, 17), here.since(6, 2) && here.config.is_set("CONFIG_DEBUG_INFO_BTF"));
    if found != want {
        return Err(format!("bpf_loop() and bpf_rdonly_cast() are there: {found:?}, not {want:?}"));
    }
    Ok(())
}
