//! The step of all names of sections of programs.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Kernel, Source, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs, targets};
use corelet_tests::names::{BOARDS, documented, judge, probed, run as names, table};

use crate::context::Context;
use crate::run::Outcome;

/// What its boards take.
pub(crate) fn wants() -> Wants {
    let mut wants = Wants { targets: targets::LOADER.to_vec(), ..Wants::default() };
    for board in BOARDS.iter().filter_map(|(name, ..)| Board::find(name).ok()) {
        wants.needs.extend(needs::of_board(&board));
    }
    wants.needs.push(&needs::DPKG_SOURCE);
    wants
}

/// All names on all boards.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let mut columns = Vec::new();
    for (name, other, from) in BOARDS {
        let mut board = Board::find(name)?;
        let kernel = match other {
            None => kernel_for(&board, &mut *on_stderr())?,
            Some((suite, package)) => {
                let source = Source { suites: vec![suite.to_owned()], package: package.to_owned() };
                let kernel = Kernel::find(&Debian::open()?, &board.arch.debian, &source, &mut *on_stderr())?;
                board = Board { kernel: source, ..board };
                kernel
            }
        };
        let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
        let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
        // the program that makes calls of sockets has no form for 32-bit ARM
        let sockets = match board.arch.debian.as_str() {
            "armhf" => None,
            _ => {
                let of = "corelet-sockets";
                let path = loader::executable(&mut context.machine, context.workspace, of, &board.arch.rust)?;
                Some(std::fs::read(&path).with_context(|| path.display().to_string())?)
            }
        };
        let mut console = Vec::new();
        let mut hear = |line: &str| console.push(line.to_owned());
        let parts = (loader.as_slice(), sockets.as_deref(), probed(&board)?);
        let column = names(&board, &kernel, parts, from, &mut *on_stderr(), &mut hear);
        console.iter().try_for_each(|line| context.note(line))?;
        columns.push(column?);
    }
    let source = Debian::open()?.source(&["trixie", "forky", "sid"], "bpfcc", &mut *on_stderr())?;
    let path = source.join("docs/kernel-versions.md");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let newest = columns.iter().max_by_key(|c| c.linux).context("no board")?;
    let dated = documented(&text, &newest.numbers[0])?;
    table(&columns)?.iter().try_for_each(|line| context.note(line))?;
    let failures = judge(&columns)?;
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(format!(
        "{} names on {} kernels; {dated} types of programs dated as BCC's documentation has them",
        newest.fates.len(),
        columns.len()
    )))
}
