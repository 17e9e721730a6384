//! The step of the programs that check themselves.

use anyhow::{Result, ensure};
use corelet_boards::{Missing, on_stderr};
use corelet_host_tools::setup::{Wants, needs};
use corelet_tests::selfcheck;
use std::path::Path;

use crate::context::Context;
use crate::run::Outcome;

/// What `selfcheck` takes.
pub(crate) fn wants() -> Wants {
    Wants { needs: vec![&needs::CLANG, &needs::LIBBPF_HEADERS], ..Wants::default() }
}

/// Every program on every target, in both byte orders.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    with(None, context).map(Outcome::Passed)
}

/// The same, what is big-endian by libbpf too, in `emulator`.
pub(crate) fn with(emulator: Option<&Path>, context: &mut Context<'_>) -> Result<String> {
    let clang =
        needs::CLANG.find(&context.machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
    let folder = context.workspace.target.join("verify/selfcheck");
    let outcome = selfcheck::run(&clang, emulator, &folder, &mut *on_stderr())?;
    for line in &outcome.lines {
        context.note(line)?;
    }
    for ((kind, what), count) in &outcome.relocations {
        context.note(&format!("{kind} {what}: {count}"))?;
    }
    ensure!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    let (made, noticed) = outcome.mutants;
    Ok(format!(
        "{} cases, {} runs; {} relocations of {} pairs as libbpf's; {noticed} of {made} changed values noticed",
        outcome.cases, outcome.runs, outcome.libbpf.1, outcome.libbpf.0
    ))
}
