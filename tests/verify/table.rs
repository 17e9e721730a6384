//! The step that makes the table of the 57 tools.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, Kernel, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs};
use corelet_tests::oracle::{self, Named};
use corelet_tests::table::{self, How, Row, State};
use corelet_tests::{objects, peer};

use crate::boards;
use crate::context::Context;
use crate::run::Outcome;

const BOARDS: [&str; 3] = ["qemu-aarch64", "qemu-riscv64", "qemu-armv7"];

pub(crate) fn wants() -> Wants {
    let mut wants = boards::all_wants();
    wants.needs.extend([&needs::CLANG, &needs::DPKG_SOURCE]);
    wants
}

/// All tools on the boards, or those that `CORELET_TOOLS` names (with commas between) on the one that `CORELET_BOARD` names.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let only = std::env::var("CORELET_BOARD").ok();
    let mut words = Vec::new();
    let mut failures = Vec::new();
    for name in BOARDS.into_iter().filter(|name| only.as_deref().is_none_or(|only| only == *name)) {
        let rows = of_board(&Board::find(name)?, context)?;
        let text = table::write(name, &rows);
        let file = context.workspace.target.join("verify").join(format!("table-{name}.toml"));
        std::fs::write(&file, &text).with_context(|| file.display().to_string())?;
        text.lines().try_for_each(|line| context.note(line))?;
        words.push(summary(name, &rows));
        failures.extend(table::differences(name, &rows)?);
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(words.join("; ")))
}

/// How many of the rows are attached and right, and what they take beside libbpf's.
pub(crate) fn summary(name: &str, rows: &[Row]) -> String {
    let right = rows.iter().filter(|row| row.state == State::Right).count();
    let attached = rows
        .iter()
        .filter(|row| matches!(row.state, State::Right | State::NotExercised(_) | State::Wrong(_)));
    let attached = attached.count();
    let both: Vec<(u64, u64)> = rows.iter().filter_map(|row| Some((row.kib.0?, row.kib.1))).collect();
    let most = both.iter().map(|(ours, _)| *ours).max().unwrap_or(0);
    let mut ratios: Vec<f64> = both.iter().map(|(ours, theirs)| *ours as f64 / *theirs as f64).collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2).copied().unwrap_or(0.0);
    let quarter = both.iter().filter(|(ours, theirs)| ours * 4 <= *theirs).count();
    format!(
        "{name}: {attached} of {} attached, {right} with the right result; at most {most} KiB, {median:.2} of \
         libbpf's in the median, {quarter} of {} in a quarter or less",
        rows.len(),
        both.len()
    )
}

fn of_board(board: &Board, context: &mut Context<'_>) -> Result<Vec<Row>> {
    let mut progress = on_stderr();
    let kernel = kernel_for(board, &mut *progress)?;
    let mut objects = if board.arch.debian == "arm64" {
        oracle::packaged("arm64", &mut *progress)?
    } else {
        let folder = context.workspace.target.join("verify").join(&board.name);
        objects::all_compiled(board, &kernel, &folder, &mut context.machine, &mut *progress)?
    };
    if let Ok(only) = std::env::var("CORELET_TOOLS") {
        objects.retain(|(name, _)| only.split(',').any(|tool| tool == name.trim_end_matches("-libbpf")));
    }
    rows(board, &kernel, &objects, How::Run, context)
}

/// The rows of `objects` on a board.
pub(crate) fn rows(
    board: &Board,
    kernel: &Kernel,
    objects: &[Named],
    how: How,
    context: &mut Context<'_>,
) -> Result<Vec<Row>> {
    let mut progress = on_stderr();
    let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
    let ours = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
    let peer = peer::build(board, &context.machine, &mut *progress)?;
    context.note(&format!(
        "{}: ours has {} bytes, libbpf's loader {}",
        board.name,
        ours.len(),
        peer.len()
    ))?;
    let programs = table::PROGRAMS
        .iter()
        .map(|&(name, source)| Ok((name, peer::program(board, source, &context.machine, &mut *progress)?)));
    let programs = programs.collect::<Result<Vec<_>>>()?;
    let executables = table::Executables { ours: &ours, peer: &peer, programs: &programs };
    let mut noted = Ok(());
    let mut hear = |line: &str| {
        if noted.is_ok() {
            noted = context.note(line);
        }
    };
    let rows = table::run(board, kernel, executables, objects, how, &mut *progress, &mut hear)?;
    noted?;
    for Row { tool, state, .. } in &rows {
        if let State::Wrong(why) = state {
            context.note(&format!("{}: {tool}: wrong: {why}", board.name))?;
        }
    }
    Ok(rows)
}

/// Packages of Debian whose programs trace with objects of their own, each with the suites' newest version.
const OTHERS: [&str; 7] = [
    "libbpftune0",
    "pwru",
    "systemd",
    "systemd-container",
    "libsystemd-shared",
    "bpftop",
    "opensnitch-ebpf-modules",
];

/// What the AArch64 board takes.
pub(crate) fn others_wants() -> Wants {
    let mut wants = boards::aarch64_wants();
    wants.needs.extend([&needs::CLANG, &needs::DPKG_SOURCE]);
    wants
}

/// Objects of other projects on the AArch64 board: what ours and libbpf load.
pub(crate) fn others(context: &mut Context<'_>) -> Result<Outcome> {
    let board = Board::find("qemu-aarch64")?;
    let kernel = kernel_for(&board, &mut *on_stderr())?;
    let mut objects = Vec::new();
    let mut without = Vec::new();
    for package in OTHERS {
        match oracle::of_package("arm64", package, &mut *on_stderr()) {
            Ok(found) => objects.extend(found.into_iter().map(|(name, bytes)| {
                let name = format!("{package}_{}", name.trim_end_matches(".bpf.o").trim_end_matches(".o"));
                (name.replace('.', "-"), bytes)
            })),
            Err(why) => without.push(format!("{package} ({why:#})")),
        }
    }
    let rows = rows(&board, &kernel, &objects, How::Verify, context)?;
    let text = table::write("others", &rows);
    let file = context.workspace.target.join("verify").join("table-others.toml");
    std::fs::write(&file, &text).with_context(|| file.display().to_string())?;
    without.iter().try_for_each(|line| context.note(&format!("not in Debian for arm64: {line}")))?;
    let failures = table::differences("others", &rows)?;
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    let loaded = rows.iter().filter(|row| matches!(row.state, State::Loaded(_))).count();
    Ok(Outcome::Passed(format!("{loaded} of {} objects loaded", rows.len())))
}
