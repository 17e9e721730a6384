//! The table of the 57 tools on a board: loaded, attached, and the result right for known work; with the peak of our memory beside
//! that of a static libbpf loader on the same minimised types, in one boot; and of the kernel's memory, beside the pack's formula.
//!
//! Where the kernel itself panics (Debian's for ARMv7 does when it walks its stack for some tools), the tool is known by that and
//! the others have another boot.
//!
//! `reference.toml` is the table as it must come out. Each "no" stands there with our reason and libbpf's answer on that
//! boot; a cell that comes out otherwise fails the test, and so does memory that is more than a tenth off.

pub mod cases;
mod judge;
mod packs;
mod reference;

use crate::oracle::Named;
use crate::tools::output;
use crate::tools::script::functions;
use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Boot, BootFailed, Initramfs, Kernel, Progress, RUN, Why, busybox_static};
pub use judge::{Row, State};
use packs::Prepared;
pub use reference::{differences, differences_from, write};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// What one run may take at most under emulation: ours with its work, or libbpf whole and by program.
const RUN_SECONDS: u64 = 20;
/// Some tools size their maps for machines far larger than a board.
const MEMORY_MIB: u32 = 512;
/// Without a word the kernel stands still: a run has limits of its own for each of its waits, of which two may come in a row.
const SILENCE: Duration = Duration::from_secs(240);
/// Panics and halts of one kernel: each is a boot.
const MOST_ENDS: usize = 20;
/// Two nodes of memory with a CPU each, for QEMU; half of [`MEMORY_MIB`] in each.
const NODES: [&str; 8] = [
    "-object",
    "memory-backend-ram,id=near,size=256M",
    "-object",
    "memory-backend-ram,id=far,size=256M",
    "-numa",
    "node,memdev=near,cpus=0",
    "-numa",
    "node,memdev=far,cpus=1",
];
/// Modules that the work needs: disks, the file system on one, and a disk of two. What is built in is left out.
const MODULES: [&str; 3] = ["loop", "ext4", "raid1"];

/// Programs that the work of some tools needs, by their paths on the board: three have the place and the symbols of what a tool
/// probes in user space.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("bin/bash", include_str!("programs/bash.c")),
    ("corelet/ask-ksnoop", include_str!("programs/ask-ksnoop.c")),
    ("corelet/far-memory", include_str!("programs/far-memory.c")),
    ("corelet/two-threads", include_str!("programs/two-threads.c")),
    ("usr/lib/libc.so.6", include_str!("programs/libc.c")),
    ("usr/lib/libjvm.so", include_str!("programs/libjvm.c")),
];

/// What the table needs beside the tools: our loader, libbpf's, and [`PROGRAMS`] for the board.
#[derive(Clone, Copy, Debug)]
pub struct Executables<'a> {
    /// Ours.
    pub ours: &'a [u8],
    /// [`crate::peer::build`].
    pub peer: &'a [u8],
    /// By path.
    pub programs: &'a [(&'a str, Vec<u8>)],
}

const PEER: &str = include_str!("peer.sh");

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is attached, worked with and its result looked at: a tool.
    Run,
    /// Ours loads it and closes it: an object of another project, whose own program does the rest.
    Verify,
}

/// Runs all `objects` on `board`, each by ours and then by libbpf's. `on_line` hears the console.
///
/// # Errors
/// A board that does not come up, or says nothing of a tool; too many ends of its kernel.
pub fn run(
    board: &Board,
    kernel: &Kernel,
    executables: Executables<'_>,
    objects: &[Named],
    how: How,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<Row>> {
    progress.step("packing all tools, and cutting the same types out for libbpf");
    let prepared = packs::prepare(kernel, objects, progress)?;
    let calls: Vec<Call<'_>> = prepared.iter().flat_map(|tool| calls(tool, how)).collect();
    let (mut outputs, mut ends) = (Vec::new(), BTreeMap::new());
    let mut left = &calls[..];
    let mut again = true;
    while !left.is_empty() {
        let mut lines = Vec::new();
        let ended = boot(board, kernel, executables, left, progress, &mut |line| {
            on_line(line);
            lines.push(line.to_owned());
        });
        let new = output::parse(lines.iter().map(String::as_str));
        let at = left.iter().position(|call| new.iter().all(|output| output.label != call.label));
        outputs.extend(new);
        let why = ended.as_ref().err().and_then(|e| Some(&e.downcast_ref::<BootFailed>()?.why));
        if again && lines.is_empty() && matches!(why, Some(Why::Silent(_))) {
            // what stood still before the first run has not met any of them
            again = false;
            continue;
        }
        let its_end = why.and_then(|why| match why {
            Why::Panic(words) => Some(format!("panics: {}", judge::panic(&lines, words))),
            Why::Silent(_) => Some("stands still".to_owned()),
            _ => None,
        });
        let (Some(words), Some(at)) = (its_end, at) else {
            ended.with_context(|| format!("{} after {} lines", board.name, lines.len()))?;
            break;
        };
        ends.insert(left[at].label.clone(), words);
        ensure!(ends.len() <= MOST_ENDS, "{}: the kernel comes to an end for {ends:?}", board.name);
        left = &left[at + 1..];
    }
    prepared.iter().map(|tool| judge::row(tool, &outputs, &ends)).collect()
}

/// A line of the board's script.
struct Call<'t> {
    /// What its output is found by.
    label: String,
    tool: &'t Prepared,
    line: String,
}

/// What is done with a tool: by ours where that makes sense, and by libbpf.
fn calls(tool: &Prepared, how: How) -> Vec<Call<'_>> {
    let name = &tool.name;
    let mut calls = Vec::new();
    if tool.packed.is_ok() && how == How::Run {
        let line = format!("one '{name}' '{}' '/corelet/{name}.pack'", tool.case.name);
        calls.push(Call { label: name.clone(), tool, line });
    }
    let words: String = tool.words().iter().map(|word| format!(" '{word}'")).collect();
    let line = format!("peer '{name}' '/corelet/{name}.bpf.o' '/corelet/{name}.btf'{words}");
    calls.push(Call { label: format!("{name}.libbpf"), tool, line });
    calls
}

fn boot(
    board: &Board,
    kernel: &Kernel,
    executables: Executables<'_>,
    calls: &[Call<'_>],
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<()> {
    let mut files = vec![
        ("corelet/corelet-loader".to_owned(), 0o755, executables.ours.to_vec()),
        ("corelet/libbpf".to_owned(), 0o755, executables.peer.to_vec()),
    ];
    files.extend(executables.programs.iter().map(|(path, bytes)| ((*path).to_owned(), 0o755, bytes.clone())));
    let mut script = [&functions(calls.iter().map(|call| call.tool.case)), PEER].concat();
    for (number, Call { label, tool, line }) in calls.iter().enumerate() {
        let name = &tool.name;
        if *label != *name {
            if let Ok(packed) = &tool.packed {
                files.push((format!("corelet/{name}.pack"), 0o644, packed.pack.clone()));
            }
            files.push((format!("corelet/{name}.bpf.o"), 0o644, tool.object.clone()));
            files.push((format!("corelet/{name}.btf"), 0o644, tool.minimum.clone()));
            if number == 0 {
                // ours was ready when the kernel panicked: libbpf need not say more than the whole
                let _ = writeln!(script, "mkdir -p $folder; echo $READY >$folder/err");
            }
        }
        let _ = writeln!(script, "{line}");
    }
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    let folder = kernel.modules(progress)?;
    let mut modules = MODULES.map(str::to_owned).to_vec();
    let is_there = |name: &str| folder.join("kernel/crypto").join(name).is_file();
    if is_there("crc32c_generic.ko") || is_there("crc32c_generic.ko.xz") {
        // ext4 asks for it by its algorithm, which no list of dependencies says
        modules.insert(0, "crc32c_generic".to_owned());
    }
    let initramfs =
        Initramfs { busybox: busybox_static(board, progress)?, modules_folder: Some(folder), modules, files };
    progress.step(&format!("booting {} for {} runs", board.name, calls.len()));
    let mut board = board.clone();
    // 32-bit ARM's kernel knows one node
    if board.arch.debian != "armhf" {
        board.qemu.args.extend(NODES.map(str::to_owned));
    }
    let mut boot = Boot::new(&board, &kernel.image, initramfs.build()?);
    boot.memory_mib = Some(MEMORY_MIB);
    boot.cpus = Some(2);
    boot.deadline = Duration::from_secs(60 + RUN_SECONDS * calls.len() as u64);
    boot.silence = Some(SILENCE);
    boot.run(on_line).map(drop)
}
