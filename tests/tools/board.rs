//! All runs of a board in one boot.

use super::output::{self, Output};
use super::script::{Run, script};
use crate::{identity, module_types};
use anyhow::{Result, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static, kernel_for};
use std::time::Duration;

/// The module that the work needs, for disks; left out where it is built in.
const DISKS: &str = "loop";

/// What one run may take at most under emulation, the verifier's work included.
const RUN_SECONDS: u64 = 20;

/// CPUs of the board.
pub const CPUS: u32 = 2;

/// Boots `board` once and runs all of `runs` there, one after the other. `packs` are the packs by the paths that the runs
/// give, without leading slash, and programs that they name. `on_line` hears the console. The kernel's build id, as its image was read here, must be the one
/// that the board shows.
///
/// # Errors
/// What the board lacks on this machine, a boot that failed, a run that left no output.
pub fn run(
    board: &Board,
    loader: &[u8],
    packs: &[(String, Vec<u8>)],
    runs: &[Run<'_>],
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<Output>> {
    let kernel = kernel_for(board, progress)?;
    let modules_folder = Some(kernel.modules(progress)?);
    let file_system = module_types::is_on(board).then(|| module_types::MODULE.to_owned());
    let mut files = vec![
        (RUN.to_owned(), 0o755, (identity::SHELL.to_owned() + &script(runs)).into_bytes()),
        ("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec()),
    ];
    // what is no pack is run
    let mode = |path: &str| if path.ends_with(".pack") { 0o644 } else { 0o755 };
    files.extend(packs.iter().map(|(path, bytes)| (path.clone(), mode(path), bytes.clone())));
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        modules_folder,
        modules: [DISKS.to_owned()].into_iter().chain(file_system).collect(),
        files,
    };
    let mut boot = Boot::new(board, kernel.image.clone(), initramfs.build()?);
    boot.cpus = Some(CPUS);
    boot.deadline = Duration::from_secs(60 + RUN_SECONDS * runs.len() as u64);
    let lines = lines(&boot, on_line)?;
    identity::compare(&kernel.image, lines.iter().map(String::as_str))?;
    let outputs = output::parse(lines.iter().map(String::as_str));
    for Run { label, .. } in runs {
        ensure!(
            outputs.iter().any(|output| output.label == *label),
            "{}: no output of the run {label}",
            board.name
        );
    }
    Ok(outputs)
}

/// What a board prints, once it has come to its end; `on_line` hears it meanwhile.
///
/// # Errors
/// A boot that failed.
pub fn lines(boot: &Boot, on_line: &mut dyn FnMut(&str)) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    boot.run(&mut |line| {
        on_line(line);
        lines.push(line.to_owned());
    })?;
    Ok(lines)
}

/// Boots `board` once with `files`, of which [`RUN`] is what it runs, and gives what that says of each of its runs; `what` is done
/// there, in at most `seconds`.
///
/// # Errors
/// What the board lacks on this machine, a boot that failed.
pub fn with_files(
    board: &Board,
    kernel: &Kernel,
    files: Vec<(String, u32, Vec<u8>)>,
    (what, seconds): (&str, u64),
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<Output>> {
    let initramfs = Initramfs { busybox: busybox_static(board, progress)?, files, ..Initramfs::default() };
    let mut boot = Boot::new(board, kernel.image.clone(), initramfs.build()?);
    boot.deadline = Duration::from_secs(seconds);
    progress.step(&format!("booting {} for {what}", board.name));
    let lines = lines(&boot, on_line)?;
    Ok(output::parse(lines.iter().map(String::as_str)))
}
