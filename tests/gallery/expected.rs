//! What relocation cannot do of each program on each board's kernel: `expected.toml`, by program and board.

use super::{BOARDS, PROGRAMS, opened, pack};
use anyhow::{Context, Result};
use corelet_boards::{Board, Progress, kernel_for};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Poisoned relocations by program and board.
pub type Table = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// The table as it is committed.
///
/// # Errors
/// It is no such table.
pub fn committed() -> Result<Table> {
    toml::from_str(include_str!("expected.toml")).context("expected.toml")
}

/// The table as it comes out now. A relocation that fails, or an object that cannot be packed, stands in it as such.
///
/// # Errors
/// A kernel that cannot be had.
pub fn now(progress: &mut dyn Progress) -> Result<Table> {
    let mut table = Table::new();
    for name in BOARDS {
        let kernel = opened(&kernel_for(&Board::find(name)?, progress)?, progress)?;
        for program in PROGRAMS {
            let poisoned = match pack(program, &kernel) {
                Ok(packed) => {
                    let failed = packed.failed.iter().map(|failed| format!("failed: {failed}"));
                    packed.poisoned.into_iter().chain(failed).collect()
                }
                Err(why) => vec![format!("not packed: {why:#}")],
            };
            table.entry(program.case.tool.to_owned()).or_default().insert(name.to_owned(), poisoned);
        }
    }
    Ok(table)
}

/// The table as TOML, as it is committed.
pub fn text(table: &Table) -> String {
    let mut out = String::from("# Written by `cargo run -p corelet-tests --example gallery -- expected`.\n");
    for (program, boards) in table {
        let _ = write!(out, "\n[{program}]\n");
        for (board, poisoned) in boards {
            let _ = writeln!(out, "\"{board}\" = [");
            poisoned.iter().for_each(|one| _ = writeln!(out, "    {one:?},"));
            out.push_str("]\n");
        }
    }
    out
}

/// What differs, a line each.
pub fn differences(now: &Table, committed: &Table) -> Vec<String> {
    let none = Vec::new();
    let mut out = Vec::new();
    for (program, boards) in now {
        for (board, here) in boards {
            let known = committed.get(program).and_then(|b| b.get(board)).unwrap_or(&none);
            let more =
                here.iter().filter(|one| !known.contains(one)).map(|one| (one, "not in expected.toml"));
            let less = known.iter().filter(|one| !here.contains(one)).map(|one| (one, "no longer so"));
            out.extend(more.chain(less).map(|(one, what)| format!("{program} on {board}: {one}: {what}")));
        }
    }
    out
}
