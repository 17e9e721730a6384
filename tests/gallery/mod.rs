//! The gallery: the hard cases of portability, each a small tool that is compiled once and runs on every board.
//!
//! `tests/progs` has the sources, the objects that were made of them and their manifests; `GUIDE.md` shows what each teaches. A
//! [`Program`] runs beside some work on a board, and what it must print is compared by content ([`Here`]). [`pack`] is the part
//! that needs no board: each object for each kernel.

pub mod guide;
mod programs;

use crate::tools::output::{self, Output};
use crate::tools::script::{Run, script};
use crate::tools::{Case, Checked};
use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_modules};
use corelet_host_tools::kernel::Config;
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use sha2::{Digest, Sha256};
use std::time::Duration;

pub use programs::PROGRAMS;

/// The boards, two kernel series of each architecture.
pub const BOARDS: [&str; 6] = [
    "qemu-aarch64-5.10",
    "qemu-aarch64",
    "qemu-riscv64-6.12",
    "qemu-riscv64",
    "qemu-armv7-5.10",
    "qemu-armv7",
];

/// One object and what it must show.
pub struct Program {
    /// Its work; the tool's name is the object's.
    pub case: Case,
    /// The object.
    pub object: &'static [u8],
    /// Its manifest.
    pub manifest: &'static str,
    /// What must have come out, where the kernel matters.
    pub check: fn(&Here<'_>) -> Checked,
}

/// What a program printed, and on which kernel.
pub struct Here<'a> {
    /// What it printed.
    pub output: &'a Output,
    /// The kernel's configuration.
    pub config: &'a Config,
    /// `uname -r`.
    pub release: &'a str,
    /// The board.
    pub board: &'a Board,
    /// How many CPUs the board has.
    pub cpus: u32,
}

impl Here<'_> {
    /// Whether the kernel is of this version or later.
    pub fn since(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.release.split('.').map(|n| n.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
    }
}

/// What a board came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each program: its checksum and what came of it.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

/// The first digits of an object's SHA-256.
pub fn checksum(object: &[u8]) -> String {
    Sha256::digest(object).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A kernel with its modules, opened.
///
/// # Errors
/// It cannot be fetched or read.
pub fn opened(kernel: &Kernel, progress: &mut dyn Progress) -> Result<Opened> {
    // modules of a kernel without types have none either
    let plain = Opened::packaged(kernel, progress)?;
    if plain.is_without_btf() {
        return Ok(plain);
    }
    let arg = TargetArg::new(&kernel.image, kernel.config.as_deref());
    Opened::open(&arg.with_modules(&kernel.modules(progress)?))
}

/// What packing a program for a kernel came to.
pub struct Packed {
    /// The device's file.
    pub pack: Vec<u8>,
    /// What relocation could not do: kind and spec of each relocation, each once.
    pub poisoned: Vec<String>,
    /// Relocations that failed.
    pub failed: Vec<String>,
}

/// The pack of a program for one kernel.
///
/// # Errors
/// It cannot be packed.
pub fn pack(program: &Program, kernel: &Opened) -> Result<Packed> {
    let name = program.case.tool;
    let manifest = Manifest::parse(&format!("{name}.toml"), program.manifest)?;
    let input = [Input { name: name.to_owned(), bytes: program.object.to_vec(), manifest }];
    let kernel = std::slice::from_ref(kernel);
    let built = with_modules(kernel, &input, |kernels| build(&input, kernels, &Options::default()))
        .with_context(|| name.to_owned())?;
    let target = &built.reports[0].targets[0];
    let of = |verdict| {
        let mut all: Vec<String> = (target.unresolved.iter())
            .filter(|(_, r)| r.outcome == verdict)
            .map(|(_, r)| format!("{} {}", r.kind, without_ids(&r.spec)))
            .collect();
        all.sort();
        all.dedup();
        all
    };
    Ok(Packed {
        pack: container(&built.sections)?,
        poisoned: of(corelet_host_tools::relocate::Verdict::Poisoned),
        failed: of(corelet_host_tools::relocate::Verdict::Failed),
    })
}

/// `struct task_struct.cpu` of `[25] struct task_struct.cpu (0:0 @ offset 0)`.
fn without_ids(spec: &str) -> &str {
    let spec = spec.split_once("] ").map_or(spec, |(_, rest)| rest);
    spec.split_once(" (").map_or(spec, |(spec, _)| spec)
}

/// Runs `programs` in one boot of `board` with so many CPUs.
///
/// # Errors
/// What keeps the board from running; what the programs show is in the [`Outcome`].
pub fn run(
    board: &Board,
    kernel: &Kernel,
    loader: &[u8],
    programs: &[&Program],
    cpus: u32,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let kernel_opened = opened(kernel, progress)?;
    let config = Config::read(kernel.config.as_deref().context("a kernel without its configuration")?)?;
    let mut outcome = Outcome::default();
    let mut files = vec![("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec())];
    let mut paths = Vec::new();
    for &program in programs {
        let name = program.case.tool;
        let path = format!("corelet/{name}.pack");
        match pack(program, &kernel_opened) {
            Ok(packed) => {
                files.push((path.clone(), 0o644, packed.pack));
                paths.push((format!("/{path}"), program));
            }
            Err(why) => outcome.failures.push(format!("{}: {name}: {why:#}", board.name)),
        }
    }
    let runs: Vec<Run<'_>> = (paths.iter())
        .map(|(path, program)| Run {
            label: program.case.tool,
            case: &program.case,
            pack: path,
            program: None,
        })
        .collect();
    files.push((RUN.to_owned(), 0o755, script(&runs).into_bytes()));
    let modules: Vec<String> = ["loop", "ext4"].map(str::to_owned).into_iter().collect();
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        modules_folder: Some(kernel.modules(progress)?),
        modules,
        files,
    };
    let mut boot = Boot::new(board, kernel.image.clone(), initramfs.build()?);
    boot.cpus = Some(cpus);
    boot.deadline = Duration::from_secs(120 + 30 * runs.len() as u64);
    progress.step(&format!("booting {} for {} programs", board.name, runs.len()));
    let mut lines = Vec::new();
    boot.run(&mut |line| {
        on_line(line);
        lines.push(line.to_owned());
    })?;
    let outputs = output::parse(lines.iter().map(String::as_str));
    for (_, program) in &paths {
        let name = program.case.tool;
        let output = outputs.iter().find(|output| output.label == name);
        let output = output.with_context(|| format!("{}: no output of {name}", board.name))?;
        let here = Here { output, config: &config, release: &kernel.release, board, cpus };
        let verdict = program.case.verdict(output).and_then(|()| (program.check)(&here));
        let said = verdict.as_ref().map_or_else(String::as_str, |()| "right");
        outcome.lines.push(format!("{} {cpus} CPU: {name} {}: {said}", board.name, checksum(program.object)));
        if let Err(why) = verdict {
            let errors = output.errors.join(" / ");
            outcome.failures.push(format!("{} {cpus} CPU: {name}: {why} ({errors})", board.name));
        }
    }
    ensure!(!outcome.lines.is_empty(), "{}: nothing was run: {}", board.name, outcome.failures.join("; "));
    Ok(outcome)
}
