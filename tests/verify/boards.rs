//! Steps that boot a board.

use anyhow::{Context as _, Result};
use corelet_boards::{Board, Kernel, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs, targets};
use corelet_tests::fleet::Packed;
use corelet_tests::matrix::Mutants;
use corelet_tests::{budgets, capi, field, fleet, matrix, narrow, objects, refusals, service, tiny, uprobe};

use crate::context::Context;
use crate::run::Outcome;

/// The board whose kernel is the oldest that Debian still has.
const OLD: &str = "qemu-aarch64-5.10";

/// The board whose kernel is built here, with next to nothing in it.
const TINY: &str = "qemu-armv7-tiny";

/// What the AArch64 board takes.
pub(crate) fn aarch64_wants() -> Wants {
    wants("qemu-aarch64", &[&needs::CLANG])
}

/// What the board with the old kernel takes.
pub(crate) fn aarch64_old_wants() -> Wants {
    wants(OLD, &[])
}

/// What the RISC-V board takes: its objects are compiled here.
pub(crate) fn riscv64_wants() -> Wants {
    wants("qemu-riscv64", &[&needs::CLANG, &needs::DPKG_SOURCE])
}

/// What the 32-bit ARM board takes: as for RISC-V.
pub(crate) fn armv7_wants() -> Wants {
    wants("qemu-armv7", &[&needs::CLANG, &needs::DPKG_SOURCE])
}

/// What the small 32-bit ARM board takes: its kernel is compiled here too.
pub(crate) fn armv7_tiny_wants() -> Wants {
    wants(TINY, &[&needs::CLANG, &needs::DPKG_SOURCE])
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
    tools("qemu-aarch64", Mutants::None, context)
}

/// The same, and every shifted offset: four times as many runs.
pub(crate) fn aarch64_mutants(context: &mut Context<'_>) -> Result<Outcome> {
    tools("qemu-aarch64", Mutants::All, context)
}

/// The nine tools, the same objects as on the AArch64 board, on its kernel of years ago.
pub(crate) fn aarch64_old(context: &mut Context<'_>) -> Result<Outcome> {
    tools(OLD, Mutants::None, context)
}

/// The nine tools on the RISC-V board.
pub(crate) fn riscv64(context: &mut Context<'_>) -> Result<Outcome> {
    tools("qemu-riscv64", Mutants::None, context)
}

/// The same, and every shifted offset.
pub(crate) fn riscv64_mutants(context: &mut Context<'_>) -> Result<Outcome> {
    tools("qemu-riscv64", Mutants::All, context)
}

/// The nine tools on the 32-bit ARM board, whose kernel has no BTF; then what comes of 8 bytes to a pointer there.
pub(crate) fn armv7(context: &mut Context<'_>) -> Result<Outcome> {
    let board = Board::find("qemu-armv7")?;
    let parts = parts(&board, &nine(), context)?;
    let of_tools = matrix(&board, &parts, Mutants::None, context)?;
    let counts = narrow::run(&board, &parts.0, &parts.1, &mut *on_stderr())?;
    context.note(&counts)?;
    Ok(of_tools)
}

/// The same, and every shifted offset: six times as many runs.
pub(crate) fn armv7_mutants(context: &mut Context<'_>) -> Result<Outcome> {
    tools("qemu-armv7", Mutants::All, context)
}

/// The nine tools, the same objects as on the 32-bit ARM board, in 32 MiB on a kernel that is built here; what it costs to load one, and what the kernel leaves.
pub(crate) fn armv7_tiny(context: &mut Context<'_>) -> Result<Outcome> {
    let board = Board::find(TINY)?;
    let kernel = kernel_for(&board, &mut *on_stderr())?;
    let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
    let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
    let mut words = vec![tiny::figures(&board, &kernel, loader, &mut *on_stderr())?];
    // Both are tried, whatever the first says.
    let mut failures = Vec::new();
    for outcome in [tools(TINY, Mutants::None, context), costs_of(&[TINY], context)] {
        match outcome {
            Ok(Outcome::Passed(figures)) => words.push(figures),
            Ok(Outcome::Skipped(reason)) => failures.push(reason),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(words.join("; ")))
}

/// What the loader refuses, on the AArch64 board.
pub(crate) fn refusals(context: &mut Context<'_>) -> Result<Outcome> {
    let board = Board::find("qemu-aarch64")?;
    let (kernel, loader, objects) = parts(&board, &nine(), context)?;
    let mut console = Vec::new();
    let mut hear = |line: &str| console.push(line.to_owned());
    let outcome = refusals::run(&board, &kernel, &loader, &objects, &mut *on_stderr(), &mut hear);
    console.iter().try_for_each(|line| context.note(line))?;
    let outcome = outcome?;
    outcome.lines.iter().try_for_each(|line| context.note(line))?;
    anyhow::ensure!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    Ok(Outcome::Passed(format!("{} packs and command lines, nothing left loaded", outcome.lines.len())))
}

/// What both AArch64 boards take.
pub(crate) fn service_wants() -> Wants {
    let mut wants = aarch64_wants();
    wants.and(&aarch64_old_wants());
    wants
}

/// Services on the AArch64 board, and on the one with the old kernel.
pub(crate) fn service(context: &mut Context<'_>) -> Result<Outcome> {
    services(context, &service::SHORT)
}

/// The same, long.
pub(crate) fn service_long(context: &mut Context<'_>) -> Result<Outcome> {
    services(context, &service::LONG)
}

fn services(context: &mut Context<'_>, extent: &service::Extent) -> Result<Outcome> {
    let mut words = Vec::new();
    let mut failures = Vec::new();
    for (board, old) in [("qemu-aarch64", false), (OLD, true)] {
        let board = Board::find(board)?;
        let (kernel, loader, objects) = parts(&board, &service::TOOLS, context)?;
        let mut console = Vec::new();
        let mut hear = |line: &str| console.push(line.to_owned());
        let (extent, token) = match old {
            true => (None, Vec::new()),
            false => (Some(extent), program("corelet-token", &board, context)?),
        };
        let parts = (loader.as_slice(), token.as_slice());
        let outcome = service::run(&board, &kernel, parts, &objects, extent, &mut *on_stderr(), &mut hear);
        console.iter().try_for_each(|line| context.note(line))?;
        let outcome = outcome?;
        outcome.lines.iter().try_for_each(|line| context.note(line))?;
        failures.extend(outcome.failures);
        words.extend(outcome.figures);
    }
    anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(words.join("; ")))
}

/// A program of the tests, built as the loader is.
pub(crate) fn program(name: &str, board: &Board, context: &mut Context<'_>) -> Result<Vec<u8>> {
    let path = loader::executable(&mut context.machine, context.workspace, name, &board.arch.rust)?;
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// From one kernel to another and back, on the AArch64 board.
pub(crate) fn field(context: &mut Context<'_>) -> Result<Outcome> {
    let board = Board::find("qemu-aarch64")?;
    let (kernel, loader, objects) = parts(&board, &field::TOOLS, context)?;
    let mut console = Vec::new();
    let mut hear = |line: &str| console.push(line.to_owned());
    let outcome = field::run(&board, &kernel, &loader, &objects, &mut *on_stderr(), &mut hear);
    console.iter().try_for_each(|line| context.note(line))?;
    let outcome = outcome?;
    outcome.lines.iter().try_for_each(|line| context.note(line))?;
    anyhow::ensure!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    Ok(Outcome::Passed(format!("{} runs of two tools in three boots", outcome.lines.len())))
}

/// What the boards for probes in user space take.
pub(crate) fn uprobe_wants() -> Wants {
    let mut all = Wants::default();
    uprobe::BOARDS.iter().for_each(|board| all.and(&wants(board, &[])));
    all
}

/// Probes in user space, on each of their boards.
pub(crate) fn uprobe(context: &mut Context<'_>) -> Result<Outcome> {
    let mut words = Vec::new();
    for name in uprobe::BOARDS {
        let board = Board::find(name)?;
        let kernel = kernel_for(&board, &mut *on_stderr())?;
        let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
        let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
        let seen = uprobe::run(&board, &kernel, &loader, &mut *on_stderr())?;
        words.push(format!("{name}: {seen}"));
    }
    Ok(Outcome::Passed(words.join(", ")))
}

/// A board's kernel, the loader for it, and objects of tools.
pub(crate) type Parts = (Kernel, Vec<u8>, objects::Objects);

fn nine() -> Vec<&'static str> {
    corelet_tests::tools::tools().collect()
}

/// The board's kernel, the loader for it, and the objects of `tools`.
pub(crate) fn parts(board: &Board, tools: &[&'static str], context: &mut Context<'_>) -> Result<Parts> {
    let mut progress = on_stderr();
    let kernel = kernel_for(board, &mut *progress)?;
    // A small kernel lacks types that the source names. Objects are portable, so they are compiled with another's.
    let other = (board.name == TINY).then(|| Board::find("qemu-armv7")).transpose()?;
    let (of, types) = match &other {
        Some(other) => (other, &kernel_for(other, &mut *progress)?),
        None => (board, &kernel),
    };
    let folder = context.workspace.target.join("verify").join(&of.name);
    let objects = objects::for_board(of, types, tools, &folder, &mut context.machine, &mut *progress)?;
    let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
    let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
    Ok((kernel, loader, objects))
}

fn tools(board: &str, mutants: Mutants, context: &mut Context<'_>) -> Result<Outcome> {
    let board = Board::find(board)?;
    let parts = parts(&board, &nine(), context)?;
    matrix(&board, &parts, mutants, context)
}

/// The nine tools on a board.
fn matrix(
    board: &Board,
    (kernel, loader, objects): &Parts,
    mutants: Mutants,
    context: &mut Context<'_>,
) -> Result<Outcome> {
    let mut console = Vec::new();
    let mut hear = |line: &str| console.push(line.to_owned());
    // the library of each architecture takes as long to build as the loader: the others come with the long steps
    let carriers = if mutants == Mutants::All || board.name == "qemu-aarch64" {
        capi::programs(board, &mut context.machine, context.workspace, &mut *on_stderr())?
    } else {
        Vec::new()
    };
    let budgets = budgets::budgets()?;
    let mut sizes = Vec::new();
    for (path, bytes) in &carriers {
        let name = path.trim_start_matches("corelet/");
        let budget = budgets.c_example.get(&board.name).and_then(|of| of.get(name));
        sizes.push(budgets::hold(name, bytes.len() as u64, budget, 1, u64::MAX)? + " bytes");
    }
    let loaders = (loader.as_slice(), carriers.as_slice());
    let outcome = matrix::run(board, kernel, loaders, objects, mutants, &mut *on_stderr(), &mut hear);
    for line in &console {
        context.note(line)?;
    }
    let outcome = outcome?;
    for line in &outcome.lines {
        context.note(line)?;
    }
    let (all, survived) = outcome.mutants;
    let mut words = format!("{} cases", outcome.cases);
    if !sizes.is_empty() {
        words += &format!(", of {}", sizes.join(", "));
    }
    if outcome.excepted > 0 {
        words += &format!(", {} of them otherwise than elsewhere, as listed", outcome.excepted);
    }
    if mutants == Mutants::All {
        words += &format!("; of {all} shifted offsets {survived} unnoticed, as listed");
    }
    match outcome.failures.as_slice() {
        [] => Ok(Outcome::Passed(words)),
        failures => anyhow::bail!("{}", failures.join("\n")),
    }
}

/// Holds the bytes of opensnoop's pack and the memory to load it against their budgets, on all boards.
pub(crate) fn costs(context: &mut Context<'_>) -> Result<Outcome> {
    costs_of(&["qemu-aarch64", "qemu-riscv64", "qemu-armv7"], context)
}

/// The same on `boards`.
fn costs_of(boards: &[&str], context: &mut Context<'_>) -> Result<Outcome> {
    let budgets = budgets::budgets()?;
    let goals = &budgets.goals;
    let mut words = Vec::new();
    let mut failures = Vec::new();
    for &board in boards {
        let board = Board::find(board)?;
        let (kernel, loader, objects) = parts(&board, &["opensnoop"], context)?;
        let pack = matrix::pack("opensnoop", &objects, &kernel)?;
        let other = matrix::pack_for_another("opensnoop", &objects, &kernel)?;
        let packs = (pack.as_slice(), other.as_slice());
        let (memory, own) = budgets::memory(&board, &kernel, &loader, packs, &mut *on_stderr())?;
        let name = board.name.as_str();
        let of = budgets.memory.get(name);
        let promised = budgets::promised(&pack)?;
        if memory.anonymous * 1024 > promised {
            failures.push(format!(
                "{name}: {} KiB anonymous, above the pack's formula of {promised} bytes",
                memory.anonymous
            ));
        }
        let own_of = budgets.memory_kernel_btf.get(name);
        let mut figures = vec![
            ("pack bytes", pack.len() as u64, budgets.pack.get(name), 1, goals.pack),
            // memory comes in pages
            ("KiB resident", memory.resident, of.map(|m| &m.resident), 4, goals.resident),
            ("KiB anonymous", memory.anonymous, of.map(|m| &m.anonymous), 4, goals.anonymous),
        ];
        // none where the kernel has no types
        let own = own.map(|own| {
            [
                (
                    "KiB resident by the kernel's own types",
                    own.resident,
                    own_of.map(|m| &m.resident),
                    4,
                    goals.resident_kernel_btf,
                ),
                (
                    "KiB anonymous by the kernel's own types",
                    own.anonymous,
                    own_of.map(|m| &m.anonymous),
                    4,
                    goals.anonymous,
                ),
            ]
        });
        figures.extend(own.into_iter().flatten());
        for (what, measured, budget, grain, goal) in figures {
            match budgets::hold(&format!("{name} {what}"), measured, budget, grain, goal) {
                Ok(held) => words.push(held),
                Err(e) => failures.push(e.to_string()),
            }
        }
    }
    anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(words.join(", ")))
}

/// All tools for the three boards, as Debian ships them for AArch64, compiled from source for the others: packed as the table
/// says.
pub(crate) fn fleet(context: &mut Context<'_>) -> Result<Outcome> {
    of_fleet(context, false)
}

/// The same, and loaded on the boards as the table says.
pub(crate) fn fleet_load(context: &mut Context<'_>) -> Result<Outcome> {
    of_fleet(context, true)
}

fn of_fleet(context: &mut Context<'_>, load: bool) -> Result<Outcome> {
    let mut progress = on_stderr();
    let table = fleet::Table::committed()?;
    let (mut words, mut failures) = (Vec::new(), Vec::new());
    for name in &table.boards {
        let board = Board::find(name)?;
        let kernel = kernel_for(&board, &mut *progress)?;
        let folder = context.workspace.target.join("verify").join(name);
        let objects = objects::all(&board, &kernel, &folder, &mut context.machine, &mut *progress)?;
        let packed = fleet::pack(&board, &kernel, &objects)?;
        failures.extend(table.differences(name, &packed)?);
        let packs = packed.values().filter(|outcome| matches!(outcome, Packed::Pack(..))).count();
        let mut figures = format!("{name}: {packs} of {} packed", packed.len());
        if load {
            let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
            let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
            let loaded = fleet::load(&board, &kernel, &loader, &packed, &mut *progress)?;
            for (tool, outcome) in &loaded {
                context.note(&format!("{name}: {tool}: {outcome:?}"))?;
            }
            failures.extend(table.load_differences(name, &loaded)?);
            figures += &format!(", {} loaded", loaded.values().filter(|outcome| outcome.is_ok()).count());
        }
        words.push(figures);
    }
    anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(words.join("; ")))
}

/// What both 64-bit boards take.
pub(crate) fn both_wants() -> Wants {
    let mut wants = aarch64_wants();
    wants.and(&riscv64_wants());
    wants
}

/// What all boards take.
pub(crate) fn all_wants() -> Wants {
    let mut wants = both_wants();
    wants.and(&armv7_wants());
    wants
}
