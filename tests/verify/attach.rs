//! Steps that try every way of attaching on boards.

use anyhow::{Context as _, Result};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader};
use corelet_tests::attach;

use crate::boards;
use crate::context::Context;
use crate::run::Outcome;

/// What `attach` takes.
pub(crate) fn wants() -> Wants {
    boards::aarch64_wants()
}

/// What `attach-all` takes.
pub(crate) fn all_wants() -> Wants {
    boards::all_wants()
}

/// Every way of attaching of tracing programs on the AArch64 board.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    on(&["qemu-aarch64"], false, context)
}

/// The same on all boards, and what is attached to places.
pub(crate) fn all(context: &mut Context<'_>) -> Result<Outcome> {
    on(&["qemu-aarch64", "qemu-riscv64", "qemu-armv7"], true, context)
}

fn on(boards: &[&str], places: bool, context: &mut Context<'_>) -> Result<Outcome> {
    let (mut words, mut failures) = (Vec::new(), Vec::new());
    for &name in boards {
        let board = Board::find(name)?;
        let kernel = kernel_for(&board, &mut *on_stderr())?;
        let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
        let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
        // the program that makes calls of sockets has no form for 32-bit ARM
        let sockets = match board.arch.debian.as_str() {
            _ if !places => None,
            "armhf" => None,
            _ => {
                let built = "corelet-sockets";
                let path =
                    loader::executable(&mut context.machine, context.workspace, built, &board.arch.rust)?;
                Some(std::fs::read(&path).with_context(|| path.display().to_string())?)
            }
        };
        let mut console = Vec::new();
        let mut hear = |line: &str| console.push(line.to_owned());
        let outcome = attach::run(&board, &kernel, &loader, sockets.as_deref(), &mut *on_stderr(), &mut hear);
        console.iter().try_for_each(|line| context.note(line))?;
        let outcome = outcome?;
        outcome.lines.iter().try_for_each(|line| context.note(&format!("{name}: {line}")))?;
        words.push(format!("{name}: {} right, {} refused as they must be", outcome.right, outcome.refused));
        failures.extend(outcome.failures.into_iter().map(|why| format!("{name}: {why}")));
    }
    anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(words.join("; ")))
}
