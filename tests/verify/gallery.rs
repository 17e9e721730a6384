//! Steps of the gallery: objects that are compiled once, on every board.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs, targets};
use corelet_tests::gallery::{BOARDS, PROGRAMS, checksum, run};

use crate::context::Context;
use crate::run::Outcome;

/// What six boards take.
pub(crate) fn wants() -> Wants {
    let mut wants = Wants { targets: targets::LOADER.to_vec(), ..Wants::default() };
    for board in BOARDS.iter().filter_map(|name| Board::find(name).ok()) {
        wants.needs.extend(needs::of_board(&board));
    }
    wants
}

/// All programs on all boards, with two CPUs; those of CPU masks with one too.
pub(crate) fn boards(context: &mut Context<'_>) -> Result<Outcome> {
    let (mut right, mut failures) = (0, Vec::new());
    for program in PROGRAMS {
        context.note(&format!("{}: {}", program.case.tool, checksum(program.object)))?;
    }
    for name in BOARDS {
        let board = Board::find(name)?;
        let kernel = kernel_for(&board, &mut *on_stderr())?;
        let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
        let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
        for cpus in [2, 1] {
            let programs: Vec<_> = PROGRAMS.iter().filter(|p| cpus > 1 || p.case.tool == "cpus").collect();
            let outcome = run(&board, &kernel, &loader, &programs, cpus, &mut *on_stderr(), &mut |_| {})?;
            outcome.lines.iter().try_for_each(|line| context.note(line))?;
            right += outcome.lines.len() - outcome.failures.len();
            failures.extend(outcome.failures);
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(format!("{right} runs of {} objects right", PROGRAMS.len())))
}
