//! Steps that boot a board.

use anyhow::{Context as _, Result};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs, targets};
use corelet_tests::{matrix, objects};

use crate::context::Context;
use crate::run::Outcome;

/// What the AArch64 board takes.
pub(crate) fn aarch64_wants() -> Wants {
    wants("qemu-aarch64", &[])
}

/// What the RISC-V board takes: its objects are compiled here.
pub(crate) fn riscv64_wants() -> Wants {
    wants("qemu-riscv64", &[&needs::CLANG, &needs::DPKG_SOURCE])
}

fn wants(board: &str, more: &[&'static needs::Need]) -> Wants {
    // a board that is not there fails in its step, with the reason
    let Ok(board) = Board::find(board) else { return Wants::default() };
    let mut wants = Wants { needs: needs::of_board(&board), ..Wants::default() };
    wants.needs.extend(more);
    wants.targets.extend(targets::LOADER.iter().filter(|t| **t == board.arch.rust));
    wants
}

/// The nine tools on the AArch64 board.
pub(crate) fn aarch64(context: &mut Context<'_>) -> Result<Outcome> {
    tools("qemu-aarch64", context)
}

/// The nine tools on the RISC-V board.
pub(crate) fn riscv64(context: &mut Context<'_>) -> Result<Outcome> {
    tools("qemu-riscv64", context)
}

fn tools(board: &str, context: &mut Context<'_>) -> Result<Outcome> {
    let board = Board::find(board)?;
    let mut progress = on_stderr();
    let kernel = kernel_for(&board, &mut *progress)?;
    let folder = context.workspace.target.join("verify").join(&board.name);
    let objects = objects::for_board(&board, &kernel, &folder, &mut context.machine, &mut *progress)?;
    let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
    let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
    let mut console = Vec::new();
    let outcome = matrix::run(&board, &kernel, &loader, &objects, &mut *progress, &mut |line| {
        console.push(line.to_owned());
    });
    for line in &console {
        context.note(line)?;
    }
    let outcome = outcome?;
    for line in &outcome.lines {
        context.note(line)?;
    }
    let (all, survived) = outcome.mutants;
    let words = format!("{} cases; of {all} shifted offsets {survived} unnoticed, as listed", outcome.cases);
    match outcome.failures.as_slice() {
        [] => Ok(Outcome::Passed(words)),
        failures => anyhow::bail!("{}", failures.join("\n")),
    }
}
