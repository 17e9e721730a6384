//! The gallery: the hard cases of portability, each a small tool that is compiled once and runs on every board.
//!
//! `tests/progs` has the sources, the objects that were made of them and their manifests; `GUIDE.md` shows what each teaches. A
//! [`Program`] runs beside some work on a board, and what it must print is compared by content ([`Here`]). What needs no board is in
//! `packed`: each object for each kernel, and what relocation comes to.

pub mod guide;
mod packed;
mod programs;

use crate::tools::output::{self, Output};
use crate::tools::script::{Run, script};
use crate::tools::{Case, Checked};
use crate::uprobe;
use anyhow::{Context, Result};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_host_tools::kernel::Config;
use corelet_host_tools::kernel::config::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

pub use packed::{Packed, misfits, opened, packs};
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

/// What came of one program on one board.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The case.
    pub name: &'static str,
    /// Right, or why not.
    pub verdict: Checked,
}

/// `right`, or why not.
pub fn said(verdict: &Checked) -> &str {
    verdict.as_ref().map_or_else(String::as_str, |()| "right")
}

/// The first digits of an object's SHA-256.
pub fn checksum(object: &[u8]) -> String {
    Sha256::digest(object).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Those that boots of a default run show too, beside other tools.
pub const EVERYWHERE: [&str; 2] = ["naps", "runs"];

/// What the work takes, disks, their scheduler and traffic control, by name and option: loaded where it is a module.
const MODULES: [(&str, &str); 4] = [
    ("loop", "CONFIG_BLK_DEV_LOOP"),
    ("mq-deadline", "CONFIG_MQ_IOSCHED_DEADLINE"),
    ("sch_ingress", "CONFIG_NET_SCH_INGRESS"),
    ("cls_bpf", "CONFIG_NET_CLS_BPF"),
];

/// Programs that are packed for one board's kernel.
pub struct Prepared<'p> {
    programs: Vec<&'p Program>,
    /// Of each, its pack on the board, or why there is none.
    packed: Vec<Result<String, String>>,
    config: Config,
    release: String,
    /// What the board has for them.
    pub files: Vec<(String, u32, Vec<u8>)>,
}

impl<'p> Prepared<'p> {
    /// Packs `programs` for the kernel of `board`.
    ///
    /// # Errors
    /// The kernel cannot be read, or has no configuration; what is wrong with a program is said when it is judged.
    pub fn new(
        programs: Vec<&'p Program>,
        board: &Board,
        kernel: &Kernel,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let config = Config::read(kernel.config.as_deref().context("a kernel without its configuration")?)?;
        let mut files = vec![("corelet/probed".to_owned(), 0o755, uprobe::parts(board)?.0.to_vec())];
        let packs = packs(&programs, &opened(kernel, progress)?)?;
        let named = packs.into_iter().zip(&programs).map(|(pack, program)| {
            let path = format!("corelet/{}.pack", program.case.name);
            files.push((path.clone(), 0o644, pack.map_err(|why| format!("{why:#}"))?.pack));
            Ok(format!("/{path}"))
        });
        let packed = named.collect();
        Ok(Prepared { programs, packed, config, release: kernel.release.clone(), files })
    }

    /// Their runs.
    pub fn runs(&self) -> Vec<Run<'_>> {
        let packed = self.programs.iter().zip(&self.packed);
        let run = |case: &'p Case, pack| Run { label: case.name, case, pack, program: None };
        packed.filter_map(|(program, pack)| Some(run(&program.case, pack.as_deref().ok()?))).collect()
    }

    /// What came of each, in their order.
    pub fn cells(&self, outputs: &[Output], board: &Board, cpus: u32) -> Vec<Cell> {
        let judge = |program: &Program, packed: &Result<String, String>| {
            packed.as_ref()?;
            let output = outputs.iter().find(|output| output.label == program.case.name);
            let output = output.ok_or("the board said nothing of it")?;
            let here = Here { output, config: &self.config, release: &self.release, board, cpus };
            let verdict = program.case.verdict(output).and_then(|()| (program.check)(&here));
            verdict.map_err(|why| format!("{why} ({})", output.errors.join(" / ")))
        };
        let packed = self.programs.iter().zip(&self.packed);
        packed.map(|(p, packed)| Cell { name: p.case.name, verdict: judge(p, packed) }).collect()
    }
}

/// Runs `programs` in one boot of `board` with so many CPUs; what came of each, in their order.
///
/// # Errors
/// What keeps the board from running.
pub fn run(
    board: &Board,
    kernel: &Kernel,
    loader: &[u8],
    programs: &[&Program],
    cpus: u32,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<Cell>> {
    let prepared = Prepared::new(programs.to_vec(), board, kernel, progress)?;
    let runs = prepared.runs();
    let mut files = prepared.files.clone();
    files.push(("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec()));
    files.push((RUN.to_owned(), 0o755, script(&runs).into_bytes()));
    let modules = MODULES.iter().filter(|(_, option)| prepared.config.get(option) == Some(&Value::Module));
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        modules_folder: Some(kernel.modules(progress)?),
        modules: modules.map(|(name, _)| (*name).to_owned()).collect(),
        files,
    };
    let mut boot = Boot::new(board, kernel.image.clone(), initramfs.build()?);
    boot.cpus = Some(cpus);
    boot.deadline = Duration::from_secs(120 + 30 * runs.len() as u64);
    progress.step(&format!("booting {} for {} programs", board.name, runs.len()));
    let lines = crate::tools::board::lines(&boot, on_line)?;
    let outputs = output::parse(lines.iter().map(String::as_str));
    Ok(prepared.cells(&outputs, board, cpus))
}
