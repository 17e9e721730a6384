//! The gallery on one board: `cargo run -p corelet-tests --example gallery -- BOARD [CPUS [PROGRAM…]]`.

use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{ThisMachine, Workspace, loader};
use corelet_tests::gallery::{PROGRAMS, run, said};

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().context("which board?")?;
    let mut progress = on_stderr();
    let board = Board::find(&name)?;
    let cpus = words.next().map_or(Ok(2), |word| word.parse())?;
    let names: Vec<String> = words.collect();
    let programs: Vec<_> =
        PROGRAMS.iter().filter(|p| names.is_empty() || names.iter().any(|n| n == p.case.name)).collect();
    let kernel = kernel_for(&board, &mut *progress)?;
    let built = loader::build(&mut ThisMachine, &Workspace::find()?, &board.arch.rust)?;
    let loader = std::fs::read(built.path)?;
    let cells =
        run(&board, &kernel, &loader, &programs, cpus, &mut *progress, &mut |line| eprintln!("{line}"))?;
    let mut wrong = 0;
    for cell in &cells {
        println!("{name} {}, {cpus} CPU: {}: {}", kernel.release, cell.name, said(&cell.verdict));
        wrong += usize::from(cell.verdict.is_err());
    }
    ensure!(wrong == 0, "{wrong} of {} are wrong", cells.len());
    Ok(())
}
