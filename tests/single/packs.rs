//! The part that needs no board: each object packed for the kernel of each board, and what packing said of it.

use super::BOARDS;
use crate::gallery::{checksum, opened};
use crate::oracle::Named;
use anyhow::{Context, Result};
use corelet_boards::{Board, Progress, kernel_for};
use corelet_host_tools::cmd::target_arg::{Opened, with_modules};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What packing a tool for a kernel comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing that it needs is missing.
    Packs,
    /// It is packed, and `pack` warns of these: fields that the kernel lacks where it sees no question in front of them, reads of more
    /// bytes than there are, registers of one architecture.
    Warned(String),
    /// It is refused.
    Refused(String),
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cell::Packs => write!(f, "packs"),
            Cell::Warned(what) => write!(f, "packs, warned of {what}"),
            Cell::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

/// By tool: its object's checksum, and a cell for each of [`BOARDS`].
pub type Table = BTreeMap<String, (String, Vec<Cell>)>;

/// Packs all `objects` for the kernels of all boards.
///
/// # Errors
/// A kernel that cannot be had, a tool without a manifest.
pub fn table(objects: &[Named], progress: &mut dyn Progress) -> Result<Table> {
    let mut table: Table =
        objects.iter().map(|(tool, object)| (tool.clone(), (checksum(object), Vec::new()))).collect();
    for name in BOARDS {
        progress.step(&format!("packing {} objects for {name}", objects.len()));
        let kernel = opened(&kernel_for(&Board::find(name)?, progress)?, progress)?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let cells = std::thread::scope(|scope| {
            let parts = objects.chunks(objects.len().div_ceil(workers).max(1));
            let started: Vec<_> = (parts)
                .map(|part| scope.spawn(|| part.iter().map(|named| cell(named, &kernel)).collect()))
                .collect();
            let parts = started.into_iter().map(|part| part.join().expect("packing does not panic"));
            parts.collect::<Result<Vec<Vec<Cell>>>>()
        })?;
        for ((tool, _), cell) in objects.iter().zip(cells.concat()) {
            table.entry(tool.clone()).or_default().1.push(cell);
        }
    }
    Ok(table)
}

/// What packing an object for a kernel comes to.
fn cell((tool, object): &Named, kernel: &Opened) -> Result<Cell> {
    let manifest = Manifest::builtin(tool).with_context(|| format!("{tool} has no manifest"))?;
    let manifest = Manifest::parse(tool, manifest)?;
    let input = [Input { name: tool.clone(), bytes: object.clone(), manifest }];
    let built = with_modules(std::slice::from_ref(kernel), &input, |kernels| {
        build(&input, kernels, &Options::default())
    });
    let built = match built {
        Err(why) => return Ok(Cell::Refused(short(tool, &format!("{why:#}")))),
        Ok(built) => built,
    };
    let target = &built.reports[0].targets[0];
    let fields = target.unguarded.iter().map(|(_, relocation)| field(&relocation.spec));
    let wide = target.wide_reads.iter().map(|read| format!("a wide read of {}", field(&read.field)));
    let all: BTreeSet<String> = fields.chain(wide).chain(target.registers.iter().cloned()).collect();
    Ok(match all.is_empty() {
        true => Cell::Packs,
        false => Cell::Warned(all.into_iter().collect::<Vec<_>>().join(", ")),
    })
}

/// `struct task_struct.cpu` of `[25] struct task_struct.cpu (0:0 @ offset 0)`.
fn field(spec: &str) -> String {
    let spec = spec.split_once("] ").map_or(spec, |(_, rest)| rest);
    spec.split_once(" (").map_or(spec, |(spec, _)| spec).to_owned()
}

/// A refusal without what changes with the kernel's release, and without the list of what this version can.
fn short(tool: &str, why: &str) -> String {
    let why = why
        .strip_prefix(&format!("{tool} on "))
        .and_then(|why| why.split_once(": "))
        .map_or(why, |(_, why)| why);
    why.split("; it has ").next().unwrap_or(why).replace('\n', "; ")
}

const TEXT: &str = include_str!("packs.toml");

/// Cells that are not just packed, by tool and board.
type Reference = BTreeMap<String, BTreeMap<String, String>>;

/// Where the table differs from `packs.toml`.
///
/// # Errors
/// The file is not of its form.
pub fn differences(table: &Table) -> Result<Vec<String>> {
    let reference: Reference = toml::from_str(TEXT).context("tests/single/packs.toml")?;
    let mut out = Vec::new();
    for (tool, (_, cells)) in table {
        for (board, cell) in BOARDS.iter().zip(cells) {
            let wanted =
                reference.get(tool).and_then(|boards| boards.get(*board)).map_or("packs", String::as_str);
            if cell.to_string() != wanted {
                out.push(format!("{tool} for {board}: {cell}; the reference says {wanted}"));
            }
        }
    }
    out.extend(
        reference.keys().filter(|tool| !table.contains_key(*tool)).map(|tool| format!("{tool}: no object")),
    );
    Ok(out)
}

/// The cells that are not just packed in the form of `packs.toml`, to be put there by hand once each has been looked at.
pub fn write(table: &Table) -> String {
    let mut text = String::new();
    for (tool, (_, cells)) in table {
        let other: Vec<_> = BOARDS.iter().zip(cells).filter(|(_, cell)| **cell != Cell::Packs).collect();
        if !other.is_empty() {
            let _ = writeln!(text, "[{tool}]");
            for (board, cell) in other {
                let _ = writeln!(text, "\"{board}\" = {}", toml::Value::String(cell.to_string()));
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_the_reference_are_of_boards_and_a_cell_that_is_otherwise_is_a_difference() {
        let reference: Reference = toml::from_str(TEXT).unwrap();
        for (tool, boards) in &reference {
            assert!(Manifest::builtin(tool).is_some(), "{tool}");
            assert!(boards.keys().all(|board| BOARDS.contains(&&**board)), "{tool}: {boards:?}");
        }
        let cells = BOARDS.map(|_| Cell::Packs).to_vec();
        let mut table: Table =
            reference.keys().map(|tool| (tool.clone(), (String::new(), cells.clone()))).collect();
        let others: usize = reference.values().map(BTreeMap::len).sum();
        assert_eq!(differences(&table).unwrap().len(), others);
        table.insert("none".to_owned(), (String::new(), vec![Cell::Refused("why".to_owned())]));
        assert_eq!(differences(&table).unwrap().len(), others + 1);
    }
}
