//! Services on a board: what `load`, `unload`, `status` and `run --name` do, and what is left when loaders are killed, all in
//! one boot. `service/driver.sh` makes it happen and states facts; here they are judged.

use crate::matrix::pack;
use crate::objects::Objects;
use crate::tools::Checked;
use crate::tools::board;
use crate::tools::output::{self, Line, Output};
use crate::tools::script::{MARK, READY};
use anyhow::{Context, Result};
use corelet_boards::{Board, Kernel, Progress, RUN};
use corelet_host_tools::embed::embed;
use serde_json::Value;
use std::fmt::Write;

/// The tools whose packs serve.
pub const TOOLS: [&str; 3] = ["opensnoop", "execsnoop", "tcpconnect"];

const DRIVER: &str = include_str!("service/driver.sh");
const INITTAB: &[u8] = include_bytes!("../boards/service/inittab");

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Loaders that are killed.
    kills: u32,
    /// Seconds of events without pause; 0 for none.
    soak: u32,
}

/// For every run of the tests.
pub const SHORT: Extent = Extent { kills: 20, soak: 0 };
/// Ten minutes and some more.
pub const LONG: Extent = Extent { kills: 100, soak: 600 };

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each case.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
    /// For the table of steps.
    pub figures: Vec<String>,
}

/// A case of the driver: its label, its function, and what must be.
struct Case {
    name: &'static str,
    function: &'static str,
    /// Facts and their values.
    facts: &'static [(&'static str, &'static str)],
    /// Words of the loader on standard error.
    says: &'static [&'static str],
    more: fn(&Output) -> Checked,
}

const NOTHING_MORE: fn(&Output) -> Checked = |_| Ok(());

/// `/proc/PID/status` of a loader that keeps no capability.
const NOTHING_KEPT: &str = "CapInh=0000000000000000 CapPrm=0000000000000000 CapEff=0000000000000000 \
CapBnd=0000000000000000 CapAmb=0000000000000000 NoNewPrivs=1 Seccomp=2 ";
/// The same of one that has still to remove what it made by name: `CAP_DAC_OVERRIDE`.
const ONE_KEPT: &str = "CapInh=0000000000000000 CapPrm=0000000000000002 CapEff=0000000000000002 \
CapBnd=0000000000000002 CapAmb=0000000000000000 NoNewPrivs=1 Seccomp=2 ";

const CASES: &[Case] = &[
    Case {
        name: "life",
        function: "case_life",
        facts: &[
            ("load", "0"),
            ("status", "0"),
            ("status_again", "0"),
            ("taken", "2"),
            ("replace", "0"),
            ("status_new", "0"),
            ("unload", "0"),
            ("folder", ""),
            ("again", "0"),
            ("gone", "1"),
        ],
        says: &[
            "loaded: ",
            "opensnoop is loaded already: corelet-loader unload opensnoop, or load --replace",
            "opensnoop: replaced; the new programs were attached before the old ones went",
            "opensnoop: unloaded",
            "opensnoop: nothing is loaded by that name",
        ],
        more: life,
    },
    Case {
        name: "two",
        function: "case_two",
        facts: &[("one_each", "10")],
        says: &["opensnoop is "],
        more: NOTHING_MORE,
    },
    Case {
        name: "no-bpffs",
        function: "case_no_bpffs",
        facts: &[("load", "4")],
        says: &["mount -t bpf bpf /sys/fs/bpf"],
        more: NOTHING_MORE,
    },
    Case {
        name: "drain",
        function: "case_drain",
        facts: &[("rc", "0"), ("printed", "50")],
        says: &["ended: ", ", 0 lost by the kernel, 0 dropped"],
        more: NOTHING_MORE,
    },
    Case {
        name: "notify",
        function: "case_notify",
        facts: &[("rc", "0"), ("heard_READY", "1"), ("heard_STOPPING", "1")],
        says: &["ended: "],
        more: |o| {
            // every half second for three
            output::within("WATCHDOG=1", o.fact("heard_WATCHDOG")?, 5, 8)?;
            output::within("STATUS=", o.fact("heard_STATUS")?, 1, 6)
        },
    },
    Case {
        name: "several",
        function: "case_several",
        facts: &[("rc", "0"), ("opened", "3"), ("untagged", "0")],
        says: &["ended: "],
        more: |o| output::within("executions", o.fact("executed")?, 1, 1),
    },
    Case { name: "killed", function: "case_killed", facts: &[("living", "0")], says: &[], more: killed },
    Case {
        name: "probes",
        function: "case_probes",
        facts: &[("pinned", "1"), ("next", "0"), ("killed", "0")],
        says: &["cannot pin the attachment of ", "removed the probe corelet/p_"],
        more: |o| {
            let made = o.fact("during")?;
            if made == 0 || o.fact("beside")? != made || o.fact("living")? != made {
                return Err(format!("{made} probes of each: {:?}", o.facts));
            }
            Ok(())
        },
    },
    Case {
        name: "privileges",
        function: "case_privileges",
        facts: &[
            ("plain", NOTHING_KEPT),
            ("plain_rc", "0"),
            ("plain_opened", "40"),
            ("kept_rc", "0"),
            ("rotate", ONE_KEPT),
            ("rotate_rc", "0"),
            ("rotated", "yes"),
            ("named", ONE_KEPT),
            ("named_rc", "0"),
            ("folder", ""),
            ("probes", ONE_KEPT),
            ("heard", "yes"),
            ("syslog", ONE_KEPT),
            ("syslog_rc", "0"),
        ],
        says: &["ended: "],
        more: |o| {
            let all = o.facts.get("kept").ok_or("no word of the one that keeps all")?;
            let has = |words: &str| all.split(' ').any(|word| word == words);
            let set = all.split(' ').find_map(|word| word.strip_prefix("CapEff=")).unwrap_or("0");
            if !has("NoNewPrivs=0")
                || !has("Seccomp=0")
                || u64::from_str_radix(set, 16).is_ok_and(|set| set < 1 << 39)
            {
                return Err(format!("--keep-privileges left {all}"));
            }
            Ok(())
        },
    },
    Case {
        name: "tool",
        function: "case_tool",
        facts: &[
            ("verify", "0"),
            ("without_proc", "0"),
            ("rc", "0"),
            ("opened", "3"),
            ("load", "0"),
            ("loaded", "opens"),
            ("status", "0"),
            ("unload", "0"),
            ("other", "2"),
        ],
        says: &[
            "ended: ",
            "opens: unloaded",
            "takes no pack but the one inside, and not /corelet/opensnoop.pack",
        ],
        // as much as with the pack in a file, but for pages that are mapped around others
        more: |o| {
            let beside = o.fact("beside")?;
            output::within("KiB resident", o.fact("memory")?, beside - 16, beside + 16)
        },
    },
    Case {
        name: "token",
        function: "case_token",
        facts: &[
            ("all", "0"),
            ("none", "4"),
            ("maps", "4"),
            ("progs", "4"),
            ("cmds", "4"),
            ("nothing", "4"),
            ("folder", "4"),
            ("outside", "4"),
        ],
        says: &[
            "verified: ",
            "delegate_cmds=0x1 (map_create) or delegate_maps=0x0000000000000010",
            "delegate_cmds=0x20 (prog_load), delegate_progs=0x0000000000000020 or delegate_attachs=0x0000000000000001",
            "--token /tmp/token: no token: ENOENT; nothing is delegated there",
            "--token /tmp: no token: EINVAL; it is not the place where a bpffs is mounted",
            "a token is for a user namespace of its own",
        ],
        more: |o| {
            let verified = o.errors.iter().filter(|line| line.contains("verified: ")).count();
            output::within("packs verified", verified as i64, 1, 1)?;
            let refused =
                o.errors.iter().filter(|line| line.contains("delegate_cmds=0x20 (prog_load)")).count();
            output::within("programs refused", refused as i64, 2, 2)
        },
    },
    Case {
        name: "init",
        function: "case_init",
        facts: &[("started", "yes"), ("respawned", "yes"), ("next", "0")],
        says: &["removed /sys/fs/bpf/corelet/opensnoop, which a killed loader left"],
        more: NOTHING_MORE,
    },
];

/// On a kernel without links to perf events.
const OLD: &[Case] = &[Case {
    name: "old",
    function: "case_old",
    facts: &[("load", "1"), ("run", "0")],
    says: &[
        "opensnoop: cannot pin the attachment of tracepoint__syscalls__sys_enter_open",
        "links to perf events came with Linux 5.15",
        "corelet-loader run holds it",
        "ended: ",
    ],
    more: NOTHING_MORE,
}];

const SOAK: &[Case] =
    &[Case { name: "soak", function: "case_soak", facts: &[("rc", "0")], says: &["ended: "], more: soak }];

/// Boots `the_board` and tries everything, with the program `corelet-token` that makes a user namespace; without an extent only what its old kernel refuses.
///
/// # Errors
/// What keeps the board from running; what the cases show is in the [`Outcome`].
pub fn run(
    the_board: &Board,
    kernel: &Kernel,
    (loader, token): (&[u8], &[u8]),
    objects: &Objects,
    extent: Option<&Extent>,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let Extent { kills, soak } = extent.copied().unwrap_or(Extent { kills: 0, soak: 0 });
    let cases: Vec<&Case> = match extent {
        Some(_) => CASES.iter().chain(SOAK.iter().filter(|_| soak > 0)).collect(),
        None => OLD.iter().collect(),
    };
    let mut script = format!("MARK='{MARK}'\nREADY='{READY}'\nKILLS={kills}\nSOAK={soak}\n{DRIVER}\n");
    for case in &cases {
        let _ = writeln!(script, "{}", case.function);
    }
    let mut files = vec![
        (RUN.to_owned(), 0o755, script.into_bytes()),
        ("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec()),
        ("corelet/inittab".to_owned(), 0o644, INITTAB.to_vec()),
    ];
    for tool in TOOLS {
        files.push((format!("corelet/{tool}.pack"), 0o644, pack(tool, objects, kernel)?));
    }
    if extent.is_some() {
        let pack = pack("opensnoop", objects, kernel)?;
        let tool = embed((loader, &pack), ("the loader", "opensnoop.pack"))?;
        files.push(("corelet/opens".to_owned(), 0o755, tool.bytes));
        files.push(("corelet/corelet-token".to_owned(), 0o755, token.to_vec()));
    }
    let what = format!("{} cases of services", cases.len());
    let seconds = 300 + u64::from(kills) * 10 + u64::from(soak) * 2;
    let outputs = board::with_files(the_board, kernel, files, (&what, seconds), progress, on_line)?;
    let mut outcome = Outcome::default();
    for case in cases {
        let found = outputs.iter().find(|o| o.label == case.name);
        let found = found.with_context(|| format!("{}: the board said nothing of it", case.name))?;
        let verdict = judge(case, found);
        let words = verdict.as_ref().map_or_else(String::as_str, |()| "ok");
        outcome.lines.push(format!("{}: {words}", case.name));
        if let Err(why) = verdict {
            outcome.failures.push(format!("{}: {}: {why}", the_board.name, case.name));
        }
    }
    let of = |case: &str| outputs.iter().find(|o| o.label == case);
    match extent {
        None => outcome.figures.push("5.10: refused by name".to_owned()),
        Some(_) => {
            let stale = of("killed").map_or(0, |o| o.fact("stale").unwrap_or(0));
            outcome.figures.push(format!("{} cases, {kills} kills ({stale} left something)", outputs.len()));
        }
    }
    if let Some(o) = of("soak") {
        let fact = |name: &str| o.facts.get(name).cloned().unwrap_or_default();
        let ended = o.errors.iter().find(|line| line.contains("ended: ")).cloned().unwrap_or_default();
        let (made, start, end) = (fact("made"), fact("memory_start"), fact("memory_end"));
        outcome.figures.push(format!("of {made} events {ended}; memory {start}, at the end {end}"));
    }
    Ok(outcome)
}

fn judge(case: &Case, output: &Output) -> Checked {
    let said = output.errors.join("\n");
    if let Some(odd) = output.facts.get("odd") {
        return Err(format!("{odd}\n{said}"));
    }
    for (name, value) in case.facts.iter().chain(&[("left", "nothing")]) {
        let found = output.facts.get(*name);
        if found.map(String::as_str) != Some(value) {
            return Err(format!("{name} is {found:?}, not {value:?}\n{said}"));
        }
    }
    if let Some(words) = case.says.iter().find(|words| !said.contains(*words)) {
        return Err(format!("does not say {words:?}: {said}"));
    }
    (case.more)(output)
}

/// Numbers `member` of the items in list `list` of a status.
fn numbers(status: &Line, list: &str, member: &str) -> Result<Vec<i64>, String> {
    let items = status.get(list).and_then(Value::as_array).ok_or_else(|| format!("no {list}"))?;
    let all: Option<Vec<i64>> = items.iter().map(|item| item.get(member).and_then(Value::as_i64)).collect();
    all.filter(|all| !all.is_empty()).ok_or_else(|| format!("no {member} in each of {list}"))
}

fn life(o: &Output) -> Checked {
    let [first, second, new] = o.events.as_slice() else {
        return Err(format!("{} lines of status: {:?}", o.events.len(), o.unreadable));
    };
    for status in [first, second, new] {
        if status.get("state").and_then(Value::as_str) != Some("loaded") {
            return Err(output::show(status));
        }
        let [programs, maps] = [numbers(status, "programs", "bytes")?, numbers(status, "maps", "bytes")?];
        // programs are whole pages; of a small array the kernel counts its few bytes
        if programs.iter().any(|&bytes| bytes < 4096) || maps.iter().any(|&bytes| bytes <= 0) {
            return Err(format!("bytes that cannot be: {}", output::show(status)));
        }
    }
    let runs = |status| numbers(status, "programs", "runs").map(|runs| runs.iter().sum::<i64>());
    // each open is an entry and an exit; others open files too
    output::within("runs at first", runs(first)?, 40, 100_000)?;
    output::within("runs since", runs(second)? - runs(first)?, 40, 100_000)?;
    let ids = |status| numbers(status, "programs", "id");
    if ids(first)? != ids(second)? || ids(new)?.iter().any(|id| ids(first).is_ok_and(|old| old.contains(id)))
    {
        return Err("the replacement has programs of the old one".to_owned());
    }
    // links, programs, maps, state
    let (programs, maps) = (ids(first)?.len(), numbers(first, "maps", "id")?.len());
    output::within("pins", o.fact("pins")?, 0, (2 * programs + maps + 1) as i64)?;
    output::within("pins", o.fact("pins")?, (2 * programs + maps + 1) as i64, i64::MAX)
}

/// A kill that never met a loader at work would show nothing.
fn killed(o: &Output) -> Checked {
    output::within("folders left", o.fact("stale")?, 1, i64::MAX)?;
    output::within("loads that were complete, or had not begun", o.fact("whole")?, 1, i64::MAX)
}

fn soak(o: &Output) -> Checked {
    let ended = o.errors.iter().find_map(|line| line.split_once("ended: ")).ok_or("no end")?.1;
    let counts: Vec<i64> =
        ended.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    let [events, lost, dropped] = counts.as_slice() else { return Err(ended.to_owned()) };
    let made = o.fact("made")?;
    if events + lost + dropped != made {
        return Err(format!("{made} events were made: {ended}"));
    }
    output::within("events lost", lost + dropped, 1, made)?;
    let memory = |name: &str| o.facts.get(name).ok_or_else(|| format!("no {name}"));
    if memory("memory_start")? != memory("memory_end")? {
        return Err(format!("memory grew: {:?}", o.facts));
    }
    Ok(())
}
