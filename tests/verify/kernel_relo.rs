//! The step that lets the boards' kernels relocate.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, Missing, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs};
use corelet_tests::kernel_relo::differences::{differences, unlisted};
use corelet_tests::selfcheck::board;
use corelet_tests::{kernel_relo, objects, oracle};

use crate::boards;
use crate::context::Context;
use crate::run::Outcome;

/// Objects of which a kernel must take every program, at least.
const ACCEPTED: usize = 40;

/// Relocations that must be compared on each board, at least: a comparison of none would agree too.
const RELOCATIONS: usize = 900;

/// Self-checking programs that must run on each board, that must be refused for their poison, and changed ones that must come
/// back with the number of a line, at least.
const SELFCHECKS: [usize; 3] = [65, 25, 500];

/// What the step takes: both boards, libbpf to prepare what is sent there, clang for the self-checking programs.
pub(crate) fn wants() -> Wants {
    let mut wants = boards::both_wants();
    wants.needs.extend([&needs::LIBBPF_HEADERS, &needs::CLANG]);
    wants
}

/// Packages whose objects are the same for all architectures, as none of their programs is a kprobe, which sees registers.
const PACKAGES: [&str; 2] = ["xdp-tools", "systemd"];

/// Debian's libbpf-tools on both boards, as packaged for AArch64, compiled from source for RISC-V; and on both what other
/// packages have.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let mut progress = on_stderr();
    let (mut words, mut failures) = (Vec::new(), Vec::new());
    let list = differences()?;
    let clang =
        needs::CLANG.find(&context.machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
    let verify = context.workspace.target.join("verify");
    let (questions, failing) = board::questions(&clang, &verify.join("selfcheck-board"))?;
    let files: Vec<Vec<u8>> = questions.iter().map(|q| q.file.clone()).collect();
    for board in ["qemu-aarch64", "qemu-riscv64"] {
        let board = Board::find(board)?;
        let kernel = kernel_for(&board, &mut *progress)?;
        let folder = verify.join(format!("kernel-relo-{}", board.name));
        let compiled = verify.join(&board.name);
        let mut objects = objects::all(&board, &kernel, &compiled, &mut context.machine, &mut *progress)?;
        for package in PACKAGES {
            let others = oracle::of_package("amd64", package, &mut *progress)?;
            objects.extend(others.into_iter().map(|(name, bytes)| (format!("{package}/{name}"), bytes)));
        }
        let replay =
            loader::executable(&mut context.machine, context.workspace, "corelet-replay", &board.arch.rust)?;
        let replay = std::fs::read(&replay).with_context(|| replay.display().to_string())?;
        let mut console = Vec::new();
        let mut hear = |line: &str| console.push(line.to_owned());
        let outcome =
            kernel_relo::run(&board, &kernel, &replay, &objects, &files, &folder, &mut *progress, &mut hear);
        console.iter().try_for_each(|line| context.note(line))?;
        let outcome = outcome?;
        outcome.facts.iter().try_for_each(|fact| context.note(&fact.to_string()))?;
        failures.extend(unlisted(&board.name, &outcome.facts, &list));
        if outcome.accepted < ACCEPTED {
            failures.push(format!("{}: only {} objects accepted", board.name, outcome.accepted));
        }
        if outcome.relocations < RELOCATIONS {
            failures.push(format!("{}: only {} relocations as ours", board.name, outcome.relocations));
        }
        let selfcheck = board::judge(&questions, &outcome.further);
        failures.extend(selfcheck.failures.iter().map(|f| format!("{}: selfcheck {f}", board.name)));
        let got = [selfcheck.ok, selfcheck.poisoned, selfcheck.noticed];
        if got.iter().zip(SELFCHECKS).any(|(got, least)| *got < least) {
            failures.push(format!("{}: {got:?} self-checking programs, not {SELFCHECKS:?}", board.name));
        }
        words.push(format!(
            "{}: {} self-checking programs run and {} poisoned ones refused ({failing} more fail to relocate); of changed \
             ones {} return the line, {} are refused, {} are no different",
            board.name,
            selfcheck.ok,
            selfcheck.poisoned,
            selfcheck.noticed,
            selfcheck.refused,
            selfcheck.unnoticed
        ));
        words.push(format!(
            "{} ({}): {} of {} objects accepted, {} of {} programs, {} relocations as ours",
            board.name,
            kernel.release,
            outcome.accepted,
            outcome.objects,
            outcome.programs.0,
            outcome.programs.1,
            outcome.relocations
        ));
    }
    ensure!(failures.is_empty(), "{}\n{}", words.join("\n"), failures.join("\n"));
    Ok(Outcome::Passed(words.join("; ")))
}
