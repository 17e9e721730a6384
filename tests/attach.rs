//! Every way of attaching on a board: programs that count are attached beside a process that reads a known number of times, and
//! each is judged by its count; with the kernel's compiler of BPF on and off, where it leaves the choice. What a kernel cannot
//! attach must be said, on the PC where its types show it.

mod places;
pub mod sec;

use crate::tools::board;
use crate::tools::output::Output;
use crate::tools::script::{MARK, READY};
use anyhow::{Context, Result};
use corelet_boards::{Board, Kernel, Progress, Quiet, RUN};
use corelet_core::btf::Kind::Enum as Enumeration;
use corelet_core::object::Object;
use corelet_core::pack::{Records, Target, section};
use corelet_core::relo::TargetTypes;
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::kernel::Config;
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, Section, build, container};
use corelet_host_tools::relocate::type_count;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::RangeInclusive;

/// One program for each way; `kinds.bpf.c` is its source.
const OBJECT: &[u8] = include_bytes!("attach/kinds.bpf.o");
const DRIVER: &str = include_str!("attach/driver.sh");
/// What a manifest says of the objects' counters, but for their names.
const RESULT: &str = "[[results]]\nname = \"hits\"\nvariable = \"hits\"\nhow = \"counters\"";

/// One pack: which programs of the object it has, and what they must count.
struct Kind {
    name: &'static str,
    programs: &'static [&'static str],
    /// What the manifest says more.
    more: &'static str,
    /// Counters, and how often each must have counted of the 100 reads, 100 writes and few opens.
    hits: &'static [(&'static str, RangeInclusive<i64>)],
    /// Whether the pack's only target is of another kernel, so that ids are found on the device.
    elsewhere: bool,
    /// What it asks of the kernel.
    needs: &'static [Need],
}

/// What a way of attaching asks of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Types of its own.
    Types,
    /// Probes of many functions at once.
    Multi,
    /// Programs that are compiled.
    Jit,
}

use Need::{Jit, Multi, Types};
/// All reads, and no other: the process makes them one by one.
const READS: RangeInclusive<i64> = 100..=100;
/// System calls: reads and writes, and some before and after.
const CALLS: RangeInclusive<i64> = 200..=2000;
/// Files opened: two at least.
const OPENS: RangeInclusive<i64> = 2..=40;

/// The counters, by their place in `hits`: `enum kind` of `kinds.bpf.c`.
const COUNTERS: [&str; 20] = [
    "KPROBE",
    "MULTI",
    "MULTI_RETURN",
    "SESSION",
    "SYSCALL",
    "SYSCALL_RETURN",
    "RAW",
    "RAW_WRITABLE",
    "TRACEPOINT_BTF",
    "ENTRY",
    "EXIT",
    "MODIFY",
    "HOOK",
    "SAMPLE",
    "BEFORE",
    "INSTEAD",
    "SLEEPABLE",
    "FUNCTION",
    "VARIABLE",
    "MISSING",
];

const fn kind(
    name: &'static str,
    programs: &'static [&'static str],
    hits: &'static [(&'static str, RangeInclusive<i64>)],
    needs: &'static [Need],
) -> Kind {
    Kind { name, programs, more: "", hits, elsewhere: false, needs }
}

const KINDS: &[Kind] = &[
    Kind {
        more: "[programs.kprobe]\nattach = \"kprobe/vfs_read\"\n",
        ..kind("kprobe", &["kprobe"], &[("KPROBE", READS)], &[])
    },
    Kind {
        more: "[programs.kprobe]\nattach = [\"kprobe/vfs_read\", \"kretprobe/vfs_read\"]\n",
        ..kind("twice", &["kprobe"], &[("KPROBE", 200..=200)], &[])
    },
    kind("multi", &["multi", "multi_return"], &[("MULTI", 100..=200), ("MULTI_RETURN", READS)], &[Multi]),
    kind("session", &["session"], &[("SESSION", 200..=200)], &[Multi]),
    kind("syscall", &["syscall", "syscall_return"], &[("SYSCALL", OPENS), ("SYSCALL_RETURN", OPENS)], &[]),
    kind("raw", &["raw", "raw_writable"], &[("RAW", CALLS), ("RAW_WRITABLE", CALLS)], &[]),
    kind("tp_btf", &["tracepoint_btf"], &[("TRACEPOINT_BTF", CALLS)], &[Types]),
    kind("fentry", &["entry", "leave"], &[("ENTRY", READS), ("EXIT", READS)], &[Types]),
    Kind {
        elsewhere: true,
        ..kind("fentry-found", &["entry", "leave"], &[("ENTRY", READS), ("EXIT", READS)], &[Types])
    },
    kind("fmod_ret", &["modify"], &[("MODIFY", OPENS)], &[Types]),
    kind("lsm", &["hook", "sleepable"], &[("HOOK", OPENS), ("SLEEPABLE", OPENS)], &[Types]),
    kind("freplace", &["caller", "instead"], &[("INSTEAD", READS), ("BEFORE", 0..=0)], &[Jit]),
    kind("typed", &["typed"], &[("FUNCTION", CALLS), ("VARIABLE", CALLS), ("MISSING", CALLS)], &[Types, Jit]),
    kind("iter", &["tasks"], &[], &[Types]),
    Kind {
        more: "[programs.sample]\nperf = { type = \"software\", config = \"cpu-clock\", freq = 99 }\n",
        ..kind("perf_event", &["sample"], &[("SAMPLE", 20..=10_000)], &[])
    },
    Kind {
        more: "[[alternatives]]\nsets = [[\"entry\"], [\"kprobe\"]]\n[programs.kprobe]\nattach = \"kprobe/vfs_read\"\n",
        ..kind("alternatives", &["entry", "kprobe"], &[], &[])
    },
];

/// What a run of a board came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each pack.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
    /// Packs whose programs counted right.
    pub right: usize,
    /// Packs that were refused as the kernel must.
    pub refused: usize,
}

/// The sections of a pack of `kind` for the kernel.
fn sections(kind: &Kind, kernel: &Opened) -> Result<Vec<Section>> {
    let mut index = vec![0; type_count(OBJECT)?];
    let object = Object::parse(OBJECT, &mut index)?;
    let mut text = format!("{RESULT}\nlabels = {COUNTERS:?}\n{}", kind.more);
    for f in object.functions().filter(|f| f.entry && !kind.programs.contains(&f.name)) {
        let _ = writeln!(text, "[programs.{}]\ndisabled = true", f.name);
    }
    let manifest = Manifest::parse(kind.name, &text)?;
    let input = Input { name: "kinds".to_owned(), bytes: OBJECT.to_vec(), manifest };
    with_kernels(std::slice::from_ref(kernel), |kernels| {
        Ok(build(&[input], kernels, &Options { lines: true })?.sections)
    })
}

fn pack(kind: &Kind, kernel: &Opened) -> Result<Vec<u8>> {
    let mut sections = sections(kind, kernel)?;
    if kind.elsewhere {
        let target = sections.iter_mut().find(|s| s.id == section::TARGET).context("no target")?;
        let own: Target<'_> = Records::new(&target.bytes, section::TARGET).at(0)?;
        let other = Target { build_id: &[0x11; 20], release: "6.1.0-other", ..own };
        target.bytes = Section::records(section::TARGET, target.owner, [other])?.bytes;
    }
    container(&sections)
}

/// Runs all kinds in one boot of `the_board`, whose kernel is `kernel`; with `sockets`, the program that makes calls of sockets, those
/// of places too.
///
/// # Errors
/// What keeps the board from running; what the packs show is in the [`Outcome`].
pub fn run(
    the_board: &Board,
    kernel: &Kernel,
    loader: &[u8],
    sockets: Option<&[u8]>,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let opened = Opened::packaged(kernel, &mut Quiet)?;
    let types = !opened.is_without_btf();
    let config = Config::read(kernel.config.as_deref().context("a kernel without its configuration")?)?;
    let many = config.is_set("CONFIG_FPROBE");
    let mut outcome = Outcome::default();
    let mut script = format!("MARK='{MARK}'\nREADY='{READY}'\n{DRIVER}\n");
    let mut files = vec![("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec())];
    let mut packed = Vec::new();
    for kind in KINDS {
        match pack(kind, &opened) {
            Ok(bytes) => {
                files.push((format!("corelet/{}.pack", kind.name), 0o644, bytes));
                packed.push(kind);
            }
            Err(e) => {
                let said = format!("{e:#}");
                let expected = kind.needs.contains(&Types) && !types;
                if expected && said.contains("CONFIG_DEBUG_INFO_BTF") {
                    outcome.refused += 1;
                } else {
                    outcome.failures.push(format!("{}: {said}", kind.name));
                }
                outcome.lines.push(format!("{}: refused on the PC: {said}", kind.name));
            }
        }
    }
    for jit in [1, 0] {
        let _ = writeln!(script, "jit {jit}");
        for kind in &packed {
            let only = if kind.name == "perf_event" { "" } else { " ONLY" };
            let _ = writeln!(script, "one {0}-{jit} /corelet/{0}.pack{only}", kind.name);
        }
    }
    let (in_places, not_packed) = match sockets {
        Some(sockets) => places::prepare(&opened, sockets, &mut files, &mut script),
        None => (Vec::new(), Vec::new()),
    };
    outcome.failures.extend(not_packed.iter().map(|(name, said)| format!("{name}: {said}")));
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    let what = format!("{} ways of attaching", packed.len());
    let seconds = 900;
    let outputs = board::with_files(the_board, kernel, files, (&what, seconds), progress, on_line)?;
    let find = |name: &str| {
        outputs
            .iter()
            .find(|o| o.label == name)
            .with_context(|| format!("{name}: the board said nothing of it"))
    };
    for jit in [1, 0] {
        let compiled = find(&format!("jit-{jit}"))?.facts.get("jit").is_some_and(|jit| jit != "0");
        let mut lacks = Vec::new();
        if !many {
            lacks.push((Multi, 4, "lacks CONFIG_FPROBE"));
        }
        match (compiled, the_board.arch.debian.as_str()) {
            (false, _) => lacks.push((Jit, 4, "sysctl net.core.bpf_jit_enable=1")),
            // 32-bit ARM's compiler leaves atomic additions to the interpreter, and with them the whole program
            (true, "armhf") => lacks.push((Jit, 1, "Can attach to only JITed progs")),
            (true, _) => {}
        }
        let board = Facts { types, lacks };
        for kind in &packed {
            let name = format!("{}-{jit}", kind.name);
            let output = find(&name)?;
            let verdict = judge(kind, output, &board);
            outcome.add(&name, output, verdict);
        }
    }
    if sockets.is_some() && places::makes_all(&the_board.name) {
        match places::maps(&enumerators(&opened, "bpf_map_type")?, &outputs) {
            Ok(line) => outcome.lines.push(line),
            Err(why) => outcome.failures.push(why),
        }
    }
    for kind in in_places {
        let output = find(kind.name)?;
        let verdict = places::judge(kind, output, &the_board.name);
        outcome.add(kind.name, output, verdict);
    }
    Ok(outcome)
}

/// An enumeration of the kernel's types by its enumerators, without the one that ends it.
pub(crate) fn enumerators(kernel: &Opened, name: &str) -> Result<BTreeMap<String, u32>> {
    with_kernels(std::slice::from_ref(kernel), |kernels| {
        let btf = kernels.first().context("no kernel")?.types.btf();
        let of = btf.find(name, Enumeration).with_context(|| format!("no enum {name}"))?;
        let named = of.enumerators().map(|e| (btf.string(e.name_off).to_owned(), e.value as u32));
        Ok(named.filter(|(name, _)| !name.contains("MAX_BPF")).collect())
    })
}

impl Outcome {
    fn add(&mut self, name: &str, output: &Output, verdict: Result<Fate, String>) {
        self.lines.push(match &verdict {
            Ok(Fate::Right) => format!("{name}: right"),
            Ok(Fate::Refused) => {
                format!("{name}: refused: {}", output.errors.last().map_or("", String::as_str))
            }
            Err(why) => format!("{name}: {why}"),
        });
        match verdict {
            Ok(Fate::Right) => self.right += 1,
            Ok(Fate::Refused) => self.refused += 1,
            Err(why) => self.failures.push(format!("{name}: {why}")),
        }
    }
}

/// What a board's kernel has.
struct Facts {
    /// Types of its own.
    types: bool,
    /// What it lacks: the loader's exit code then, and words of it.
    lacks: Vec<(Need, i32, &'static str)>,
}

enum Fate {
    Right,
    Refused,
}

/// Whether the programs of a pack counted what they must, or were refused where they must be.
fn judge(kind: &Kind, output: &Output, board: &Facts) -> Result<Fate, String> {
    let errors = output.errors.iter().filter(|line| !line.contains(": skipped "));
    let said = errors.map(String::as_str).collect::<Vec<_>>().join("\n");
    for &(need, code, words) in &board.lacks {
        if kind.needs.contains(&need) {
            let refused = output.rc == Some(code) && said.contains(words);
            return if refused {
                Ok(Fate::Refused)
            } else {
                Err(format!("not refused: {:?}: {said}", output.rc))
            };
        }
    }
    if output.rc != Some(0) {
        return Err(format!("exit code {:?}: {said}", output.rc));
    }
    if kind.name == "iter" {
        // a line for each task, of which there are some on every kernel, and one at the end; a task that is new then comes
        // behind it
        let of = |text: &str| output.unreadable.iter().filter(|line| *line == text).count();
        let right = of("end") == 1 && of("task") > 5 && of("end") + of("task") == output.unreadable.len();
        return if right { Ok(Fate::Right) } else { Err(format!("another text: {:?}", output.unreadable)) };
    }
    let counts = output.results.iter().find(|r| r.get("result").and_then(Value::as_str) == Some("hits"));
    let counts = counts.ok_or_else(|| format!("no result: {said}"))?;
    let count = |name: &str| counts["counters"].get(name).and_then(Value::as_i64).unwrap_or(-1);
    for (name, range) in kind.hits {
        if !range.contains(&count(name)) {
            return Err(format!("{name} is {}, not of {range:?}: {said}", count(name)));
        }
    }
    if kind.name == "alternatives" {
        let (better, other) = if board.types { ("ENTRY", "KPROBE") } else { ("KPROBE", "ENTRY") };
        if (count(better), count(other)) != (100, 0) {
            return Err(format!("{better} {}, {other} {}: {said}", count(better), count(other)));
        }
    }
    Ok(Fate::Right)
}
