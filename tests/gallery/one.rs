//! The gallery on one board: `cargo run -p corelet-tests --example gallery -- BOARD [CPUS [PROGRAM…]]`.

use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{ThisMachine, Workspace, loader};
use corelet_tests::gallery::{PROGRAMS, run};

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().context("which board?")?;
    let mut progress = on_stderr();
    let board = Board::find(&name)?;
    let cpus = words.next().map_or(Ok(2), |word| word.parse())?;
    let names: Vec<String> = words.collect();
    let programs: Vec<_> =
        PROGRAMS.iter().filter(|p| names.is_empty() || names.iter().any(|n| n == p.case.tool)).collect();
    let kernel = kernel_for(&board, &mut *progress)?;
    let built = loader::build(&mut ThisMachine, &Workspace::find()?, &board.arch.rust)?;
    let loader = std::fs::read(built.path)?;
    let outcome =
        run(&board, &kernel, &loader, &programs, cpus, &mut *progress, &mut |line| eprintln!("{line}"))?;
    outcome.lines.iter().for_each(|line| println!("{line}"));
    ensure!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    Ok(())
}
