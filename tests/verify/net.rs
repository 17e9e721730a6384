//! Steps that attach to network devices on boards.

use anyhow::{Context as _, Result};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader};
use corelet_tests::net;

use crate::boards;
use crate::context::Context;
use crate::run::Outcome;

/// What `net` takes.
pub(crate) fn wants() -> Wants {
    boards::aarch64_wants()
}

/// What `net-old` takes.
pub(crate) fn old_wants() -> Wants {
    boards::aarch64_old_wants()
}

/// On the AArch64 board.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    on("qemu-aarch64", context)
}

/// With the old kernel, where rtnetlink does what links do later.
pub(crate) fn old(context: &mut Context<'_>) -> Result<Outcome> {
    on("qemu-aarch64-5.10", context)
}

fn on(name: &str, context: &mut Context<'_>) -> Result<Outcome> {
    let board = Board::find(name)?;
    let kernel = kernel_for(&board, &mut *on_stderr())?;
    let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
    let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
    let token = match name {
        // tokens came with Linux 6.9
        "qemu-aarch64" => Some(boards::program("corelet-token", &board, context)?),
        _ => None,
    };
    let parts = (loader.as_slice(), token.as_deref());
    let mut console = Vec::new();
    let mut hear = |line: &str| console.push(line.to_owned());
    let outcome = net::run(&board, &kernel, parts, &mut *on_stderr(), &mut hear);
    console.iter().try_for_each(|line| context.note(line))?;
    let outcome = outcome?;
    outcome.lines.iter().try_for_each(|line| context.note(&format!("{name}: {line}")))?;
    anyhow::ensure!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    Ok(Outcome::Passed(format!(
        "{name}: {} right, {} refused as they must be",
        outcome.right, outcome.refused
    )))
}
