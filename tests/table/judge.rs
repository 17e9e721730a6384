//! What the board's lines say of a tool: a row of the table.

use super::cases;
use super::packs::Prepared;
use crate::tools::output::Output;
use crate::tools::script::READY;
use anyhow::{Context, Result, bail};
use corelet_loader::sys::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What one tool came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Loaded, attached, and the result is right.
    Right,
    /// Loaded and attached; the work that would show it cannot be done on a board, or its manifest is not there.
    NotExercised(String),
    /// Loaded and attached, and the result is not right.
    Wrong(String),
    /// Loaded, which is all that was asked; what libbpf came to.
    Loaded(String),
    /// The kernel came to an end while it ran: it panics, or stands still.
    Ended(No),
    /// Loaded, not attached.
    NotAttached(No),
    /// Not loaded.
    NotLoaded(No),
    /// Refused on the PC.
    Refused(No),
}

/// A "no", with libbpf's answer on the same boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct No {
    /// What ours says.
    pub ours: String,
    /// What libbpf's loader came to with the same programs.
    pub libbpf: String,
}

/// What lines of our loader begin with.
const OUR_NAME: &str = "corelet-loader: ";

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The tool.
    pub tool: String,
    /// What it came to.
    pub state: State,
    /// KiB resident at the peak of loading: ours where it was loaded, and libbpf's.
    pub kib: (Option<u64>, u64),
    /// KiB of the kernel's memory, where it was attached: maps, programs and buffers as the kernel counts them, and what the pack's
    /// formula says that they take at most.
    pub kernel: Option<(u64, u64)>,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Right => write!(f, "right"),
            State::NotExercised(why) => write!(f, "not exercised: {why}"),
            // the reason has this run's numbers in it: it is for the log
            State::Wrong(_) => write!(f, "wrong"),
            State::Loaded(libbpf) => write!(f, "loaded | libbpf {libbpf}"),
            State::Ended(no) => write!(f, "the kernel {no}"),
            State::NotAttached(no) => write!(f, "not attached: {no}"),
            State::NotLoaded(no) => write!(f, "not loaded: {no}"),
            State::Refused(no) => write!(f, "refused: {no}"),
        }
    }
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | libbpf {}", self.ours, self.libbpf)
    }
}

/// The row of `tool`.
///
/// # Errors
/// The board says nothing of it.
pub(super) fn row(tool: &Prepared, outputs: &[Output], ends: &BTreeMap<String, String>) -> Result<Row> {
    let find = |label: &str| outputs.iter().find(|output| output.label == label);
    let theirs = format!("{}.libbpf", tool.name);
    let peer = find(&theirs);
    let theirs = match (ends.get(&theirs), peer) {
        (Some(why), _) => format!("the kernel {why}"),
        (None, Some(peer)) => libbpf(tool, &peer.facts),
        (None, None) => bail!("the board says nothing of libbpf's {}", tool.name),
    };
    if let Some(why) = ends.get(&tool.name) {
        let state = State::Ended(No { ours: why.clone(), libbpf: theirs });
        return Ok(Row { tool: tool.name.clone(), state, kib: (None, 0), kernel: None });
    }
    let no = |ours: String| No { ours, libbpf: theirs };
    let resident = |output: &Output| output.errors.iter().find_map(|line| resident(line));
    let kib = match peer {
        Some(peer) => peer.facts.get("resident").and_then(|kib| kib.parse().ok()),
        None => Some(0),
    };
    let kib = kib.with_context(|| format!("libbpf's loader of {} did not say its memory", tool.name))?;
    let errors = peer.map_or(&[][..], |peer| &peer.errors);
    let (state, ours) = match &tool.packed {
        Err(why) => (State::Refused(no(short(tool, why))), None),
        Ok(_) => match (find(&tool.name), peer.and_then(resident)) {
            (Some(ran), _) if ran.errors.iter().any(|line| line.contains(READY)) => {
                (result(tool, ran), resident(ran))
            }
            (Some(ran), Some(kib)) => (State::NotAttached(no(last(&ran.errors))), Some(kib)),
            (None, Some(kib)) => (State::Loaded(no(String::new()).libbpf), Some(kib)),
            (_, None) => (State::NotLoaded(no(last(errors))), None),
        },
    };
    let kernel = match find(&tool.name) {
        Some(ran) if ours.is_some() => kernel(ran),
        _ => None,
    };
    Ok(Row { tool: tool.name.clone(), state, kib: (ours, kib), kernel })
}

/// Where a kernel panicked that said `lines` and last these `words`: the function that it was in, and the BPF helper that
/// called it, where it says so.
pub(super) fn panic(lines: &[String], words: &str) -> String {
    let name = |text: &str| text.split(['+', ' ']).next().unwrap_or(text).to_owned();
    let Some(at) = lines.iter().find_map(|line| line.split_once("PC is at ")) else {
        return words.to_owned();
    };
    let callers = lines.iter().filter_map(|line| line.split_once(" from ")).map(|(_, caller)| name(caller));
    let helper =
        callers.into_iter().find(|caller| caller.starts_with("bpf_") && !caller.starts_with("bpf_prog_"));
    match helper {
        Some(helper) => format!("in {}, which {helper} has called", name(at.1)),
        None => format!("in {}", name(at.1)),
    }
}

/// KiB of the kernel's memory: as it counts, and by the pack's formula.
fn kernel(ran: &Output) -> Option<(u64, u64)> {
    let counted: u64 = ran.facts.get("kernel_bytes")?.parse().ok()?;
    let at_most = ran.errors.iter().find_map(|line| said(line, "kernel_memory", "at_most"))?;
    Some((counted.div_ceil(1024), at_most / 1024))
}

fn result(tool: &Prepared, ran: &Output) -> State {
    match (cases::not_exercised(&tool.name), tool.has_manifest) {
        (Some(why), _) => State::NotExercised(why.to_owned()),
        (None, false) => State::NotExercised("no manifest says how its result is read".to_owned()),
        (None, true) => match tool.case.verdict(ran) {
            Ok(()) => State::Right,
            Err(why) => State::Wrong(why),
        },
    }
}

/// Our memory in a line of the loader's.
fn resident(line: &str) -> Option<u64> {
    said(line, "memory", "rss_kib")
}

/// A number in a line of the loader's.
fn said(line: &str, object: &str, member: &str) -> Option<u64> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line.get(object)?.get(member)?.as_u64()
}

/// Why a tool was refused, without its name, the kernel's release, and the list of what this version can.
fn short(tool: &Prepared, why: &str) -> String {
    // "TOOL: …", or "TOOL on RELEASE: …"
    let why = why.strip_prefix(&*tool.name).and_then(|why| why.split_once(": ")).map_or(why, |(_, why)| why);
    why.split("; it has ").next().unwrap_or(why).replace('\n', "; ")
}

/// What our loader said last, without its own name.
fn last(errors: &[String]) -> String {
    let ours: Vec<&String> = errors.iter().filter(|line| !line.starts_with("libbpf: ")).collect();
    let said = ours.iter().rev().find(|line| line.contains(OUR_NAME)).or(ours.last());
    said.map_or("nothing", |line| line.trim_start_matches(OUR_NAME)).to_owned()
}

/// What libbpf came to: of the whole, and where that is a no, of each program that failed alone.
fn libbpf(tool: &Prepared, facts: &BTreeMap<String, String>) -> String {
    let optional = tool.packed.as_ref().map_or(&[][..], |packed| &packed.optional);
    let load = facts.get("load").map_or("?", String::as_str);
    let failed = |prefix: &str| -> BTreeMap<String, BTreeSet<String>> {
        let mut by_errno: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (fact, errno) in facts {
            if let Some(program) = fact.strip_prefix(prefix)
                && errno != "0"
                && !optional.iter().any(|name| name == program)
            {
                by_errno.entry(name(errno)).or_default().insert(program.to_owned());
            }
        }
        by_errno
    };
    let list = |failed: BTreeMap<String, BTreeSet<String>>| -> String {
        let lists = failed.into_iter().map(|(errno, programs)| match programs.len() {
            0..=3 => format!("{errno} of {}", programs.into_iter().collect::<Vec<_>>().join(", ")),
            n => format!("{errno} of {n} programs"),
        });
        lists.collect::<Vec<_>>().join("; ")
    };
    let (alone, attached) =
        (failed("each.load."), failed(if load == "0" { "attach." } else { "each.attach." }));
    let mut words = match load {
        "0" => "loads".to_owned(),
        load => {
            format!("loads not ({}", name(load))
                + &if alone.is_empty() { String::new() } else { format!(": {}", list(alone)) }
                + ")"
        }
    };
    match (load, attached.is_empty()) {
        ("0", true) => words += " and attaches",
        (_, true) => {}
        (_, false) => words += &format!(", attaches not ({})", list(attached)),
    }
    words
}

/// An errno by its name.
fn name(number: &str) -> String {
    match number.parse().map(|number| Errno(number).name()) {
        Ok(name) if !name.is_empty() => format!("E{name}"),
        _ => format!("errno {number}"),
    }
}
