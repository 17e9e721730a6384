//! The table of the 57 tools on a board: loaded, attached, and the result right for known work; with the peak of our memory beside
//! that of a static libbpf loader on the same minimised types, in one boot.
//!
//! `reference.toml` is the table as it must come out. Each "no" stands there with our reason and libbpf's answer on that
//! boot; a cell that comes out otherwise fails the test, and so does memory that is more than a tenth off.

pub mod cases;
mod judge;
mod packs;
mod reference;

use crate::oracle::Named;
use crate::tools::output::{self, Output};
use crate::tools::script::functions;
use anyhow::{Context, Result};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
pub use judge::{Row, State};
use packs::Prepared;
pub use reference::{differences, write};
use std::fmt::Write;
use std::time::Duration;

/// What one tool may take at most under emulation: ours with its work, libbpf whole and by program.
const TOOL_SECONDS: u64 = 40;
/// Some tools size their maps for machines far larger than a board.
const MEMORY_MIB: u32 = 512;
/// Modules that the work needs: disks, and the file system on one. What is built in is left out.
const MODULES: [&str; 2] = ["loop", "ext4"];

const PEER: &str = include_str!("peer.sh");

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is attached, worked with and its result looked at: a tool.
    Run,
    /// Ours loads it and closes it: an object of another project, whose own program does the rest.
    Verify,
}

/// Runs all `objects` on `board` in one boot, ours and then libbpf's. `on_line` hears the console.
///
/// # Errors
/// A board that does not come up, or says nothing of a tool.
pub fn run(
    board: &Board,
    kernel: &Kernel,
    loaders: (&[u8], &[u8]),
    objects: &[Named],
    how: How,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<Row>> {
    progress.step("packing all tools, and cutting the same types out for libbpf");
    let prepared = packs::prepare(kernel, objects, progress)?;
    let outputs = boot(board, kernel, loaders, &prepared, how, progress, on_line)?;
    prepared.iter().map(|tool| judge::row(tool, &outputs)).collect()
}

fn boot(
    board: &Board,
    kernel: &Kernel,
    (ours, peer): (&[u8], &[u8]),
    tools: &[Prepared],
    how: How,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<Output>> {
    let mut files = vec![
        ("corelet/corelet-loader".to_owned(), 0o755, ours.to_vec()),
        ("corelet/libbpf".to_owned(), 0o755, peer.to_vec()),
    ];
    let mut calls = String::new();
    for tool in tools {
        let name = &tool.name;
        if let Ok(packed) = &tool.packed {
            files.push((format!("corelet/{name}.pack"), 0o644, packed.pack.clone()));
            if how == How::Run {
                let _ = writeln!(calls, "one '{name}' '{}' '/corelet/{name}.pack'", tool.case.name);
            }
        }
        files.push((format!("corelet/{name}.bpf.o"), 0o644, tool.object.clone()));
        files.push((format!("corelet/{name}.btf"), 0o644, tool.minimum.clone()));
        let words: String = tool.words().iter().map(|word| format!(" '{word}'")).collect();
        let _ = writeln!(calls, "peer '{name}' '/corelet/{name}.bpf.o' '/corelet/{name}.btf'{words}");
    }
    let script = [&functions(tools.iter().map(|tool| tool.case)), PEER, &calls].concat();
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        modules_folder: Some(kernel.modules(progress)?),
        modules: MODULES.map(str::to_owned).to_vec(),
        files,
    };
    progress.step(&format!("booting {} for {} tools", board.name, tools.len()));
    let mut boot = Boot::new(board, &kernel.image, initramfs.build()?);
    boot.memory_mib = Some(MEMORY_MIB);
    boot.cpus = Some(2);
    boot.deadline = Duration::from_secs(60 + TOOL_SECONDS * tools.len() as u64);
    let mut lines = Vec::new();
    let report = boot.run(&mut |line| {
        on_line(line);
        lines.push(line.to_owned());
    });
    report.with_context(|| format!("{} after {} lines", board.name, lines.len()))?;
    Ok(output::parse(lines.iter().map(String::as_str)))
}
