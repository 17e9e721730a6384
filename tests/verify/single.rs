//! Steps of BCC's tools as single objects: each compiled once, for all boards.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, needs};
use corelet_tests::gallery::checksum;
use corelet_tests::oracle::Named;
use corelet_tests::single::{self, BOARDS, Cell, REFERENCE};
use corelet_tests::table::{self as known, How};

use crate::context::Context;
use crate::gallery;
use crate::run::Outcome;
use crate::table;

/// What six boards take, and a compiler.
pub(crate) fn wants() -> Wants {
    let mut wants = gallery::wants();
    wants.needs.extend([&needs::CLANG, &needs::DPKG_SOURCE]);
    wants
}

/// The objects, those that `CORELET_TOOLS` names (with commas between) where it is set.
fn objects(context: &mut Context<'_>) -> Result<Vec<Named>> {
    let folder = context.workspace.target.join("verify/single");
    let mut objects = single::compiled(&folder, &context.machine, &mut *on_stderr())?;
    ensure!(objects.len() == 57, "{} tools, not 57", objects.len());
    if let Ok(only) = std::env::var("CORELET_TOOLS") {
        objects.retain(|(name, _)| only.split(',').any(|tool| tool == name));
    }
    for (tool, object) in &objects {
        context.note(&format!("{tool}: {}", checksum(object)))?;
    }
    Ok(objects)
}

/// Each object packed for each board's kernel.
pub(crate) fn packs(context: &mut Context<'_>) -> Result<Outcome> {
    let objects = objects(context)?;
    let table = single::table(&objects, &mut *on_stderr())?;
    let file = context.workspace.target.join("verify/single-packs.toml");
    std::fs::write(&file, single::write(&table)).with_context(|| file.display().to_string())?;
    for (tool, (checksum, cells)) in &table {
        for (board, cell) in BOARDS.iter().zip(cells) {
            context.note(&format!("{tool} {checksum} {board}: {cell}"))?;
        }
    }
    let edits = single::listed()?;
    let files: std::collections::BTreeSet<_> = edits.iter().map(|edit| &*edit.file).collect();
    let mut words = vec![format!(
        "{} objects, each compiled once, {} edits in {} of the sources",
        objects.len(),
        edits.len(),
        files.len()
    )];
    for (at, board) in BOARDS.iter().enumerate() {
        let count = |is: fn(&Cell) -> bool| table.values().filter(|(_, cells)| is(&cells[at])).count();
        words.push(format!(
            "{board}: {} packed, {} of them with a warning, {} refused",
            count(|cell| !matches!(cell, Cell::Refused(_))),
            count(|cell| matches!(cell, Cell::Warned(_))),
            count(|cell| matches!(cell, Cell::Refused(_)))
        ));
    }
    words.iter().try_for_each(|line| context.note(line))?;
    if std::env::var_os("CORELET_TOOLS").is_none() {
        let failures = single::differences(&table)?;
        ensure!(failures.is_empty(), "{}", failures.join("\n"));
    }
    Ok(Outcome::Passed(words.join("; ")))
}

/// Each object run with its known work on the boards, or on the one that `CORELET_BOARD` names.
pub(crate) fn boards(context: &mut Context<'_>) -> Result<Outcome> {
    let objects = objects(context)?;
    let only = std::env::var("CORELET_BOARD").ok();
    let (mut words, mut failures) = (Vec::new(), Vec::new());
    for name in BOARDS.into_iter().filter(|name| only.as_deref().is_none_or(|only| only == *name)) {
        let board = Board::find(name)?;
        let kernel = kernel_for(&board, &mut *on_stderr())?;
        let rows = table::rows(&board, &kernel, &objects, How::Run, context)?;
        let text = known::write(name, &rows);
        let file = context.workspace.target.join("verify").join(format!("single-{name}.toml"));
        std::fs::write(&file, &text).with_context(|| file.display().to_string())?;
        text.lines().try_for_each(|line| context.note(line))?;
        words.push(table::summary(name, &rows));
        failures.extend(known::differences_from(REFERENCE, name, &rows)?);
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(words.join("; ")))
}
