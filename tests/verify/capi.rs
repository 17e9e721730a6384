//! The loader inside programs with `std`: as a C library here, as a crate on a board.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, on_stderr};
use corelet_host_tools::setup::{Wants, loader, targets};
use corelet_tests::capi::{self, counters};
use corelet_tests::matrix::{self, Mutants};

use crate::boards;
use crate::context::Context;
use crate::run::Outcome;

/// The machine that runs this, as .cargo/config.toml has it.
const HOST: &str = targets::LOADER[3];
/// The board's, with a libc that comes with Rust.
const MUSL: &str = "aarch64-unknown-linux-musl";

pub(crate) fn wants() -> Wants {
    let mut wants = boards::aarch64_wants();
    wants.targets.extend([HOST, MUSL]);
    wants
}

/// Links the library into a Rust program with `std`, and runs that; runs opensnoop in the loader and in `loader/examples/events.rs` on
/// the board.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let library = loader::c_library(&mut context.machine, context.workspace, HOST)?;
    let said = capi::beside_std(&library, context.workspace)?;
    context.note(&said)?;
    let board = Board::find("qemu-aarch64")?;
    let (kernel, device, objects) = boards::parts(&board, &["opensnoop"], context)?;
    let path = loader::without_std(&mut context.machine, context.workspace, MUSL)?;
    let program = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let mut console = Vec::new();
    let mut hear = |line: &str| console.push(line.to_owned());
    let counted = counters::run(&board, &kernel, program, &mut *on_stderr(), &mut hear);
    console.iter().try_for_each(|line| context.note(line))?;
    let counted = counted?;
    let path = loader::with_std(&mut context.machine, context.workspace, MUSL)?;
    let program = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let bytes = program.len();
    let carriers = [("corelet/events-std".to_owned(), program)];
    let loaders = (device.as_slice(), carriers.as_slice());
    let mut console = Vec::new();
    let mut hear = |line: &str| console.push(line.to_owned());
    let outcome =
        matrix::run(&board, &kernel, loaders, &objects, Mutants::None, &mut *on_stderr(), &mut hear);
    console.iter().try_for_each(|line| context.note(line))?;
    let outcome = outcome?;
    outcome.lines.iter().try_for_each(|line| context.note(line))?;
    ensure!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    Ok(Outcome::Passed(format!(
        "links with std, which keeps its own panics; {} cases, the crate in {bytes} bytes with std; {counted}",
        outcome.cases
    )))
}
