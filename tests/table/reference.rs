//! The table as it must come out: `reference.toml`.

use super::judge::Row;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;

const TEXT: &str = include_str!("reference.toml");

/// KiB that no tool of ours may take.
const MOST: u64 = 192;
/// Pages come and go with what the page cache holds around a fault.
const TOLERANCE: u64 = 10;

/// A cell.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    /// [`super::State`] in words.
    is: String,
    /// KiB resident at the peak of loading: ours, 0 where it is not loaded, and libbpf's.
    kib: (u64, u64),
    /// KiB of the kernel's memory: as it counts what ours has there, and at most by the pack's formula.
    #[serde(default)]
    kernel: Option<(u64, u64)>,
    /// Why it is not as it should be, where libbpf does not say no too.
    why: Option<String>,
}

impl Cell {
    /// Whether it is right, cannot be shown, or is a no for an errno that libbpf met too on the same boot.
    fn explains_itself(&self) -> bool {
        let good = ["right", "not exercised: ", "loaded | "].iter().any(|good| self.is.starts_with(good));
        let same = self.is.split_once(" | libbpf ").is_some_and(|(ours, theirs)| {
            let words = |text: &'_ str| -> Vec<String> {
                text.split(|c: char| !c.is_ascii_alphanumeric())
                    .filter(|w| is_errno(w))
                    .map(str::to_owned)
                    .collect()
            };
            let theirs = words(theirs);
            words(ours).iter().any(|errno| theirs.contains(errno))
        });
        good || same
            || self
                .is
                .split_once(" | libbpf the kernel ")
                .is_some_and(|(ours, theirs)| ours == format!("the kernel {theirs}"))
    }
}

fn is_errno(word: &str) -> bool {
    word.len() > 3
        && word.starts_with('E')
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// By board and tool.
type Reference = BTreeMap<String, BTreeMap<String, Cell>>;

fn reference(text: &str) -> Result<Reference> {
    toml::from_str(text).context("the reference of a table")
}

/// Where `rows` differ from the reference for `board`.
///
/// # Errors
/// The file is not of its form.
pub fn differences(board: &str, rows: &[Row]) -> Result<Vec<String>> {
    differences_from(TEXT, board, rows)
}

/// The same where `text` is the reference.
///
/// # Errors
/// It is not of its form.
pub fn differences_from(text: &str, board: &str, rows: &[Row]) -> Result<Vec<String>> {
    let mut wanted = reference(text)?.remove(board).unwrap_or_default();
    let mut out = Vec::new();
    for row in rows {
        let (is, ours, theirs) = (row.state.to_string(), row.kib.0.unwrap_or(0), row.kib.1);
        if ours > MOST {
            out.push(format!("{board}: {}: {ours} KiB resident, more than {MOST}", row.tool));
        }
        let Some(cell) = wanted.remove(&row.tool) else {
            out.push(format!("{board}: {}: not in the reference; it is {is}", row.tool));
            continue;
        };
        if !cell.explains_itself() && cell.why.is_none() {
            out.push(format!("{board}: {}: the reference does not say why it is {}", row.tool, cell.is));
        }
        if cell.is != is {
            out.push(format!("{board}: {}: {is}; the reference says {}", row.tool, cell.is));
        }
        if let Some((counted, at_most)) = row.kernel.filter(|(counted, at_most)| counted > at_most) {
            let form = "KiB of the kernel's memory, more than the formula's";
            out.push(format!("{board}: {}: {counted} {form} {at_most}", row.tool));
        }
        let (now, then) = (row.kernel.unwrap_or_default(), cell.kernel.unwrap_or_default());
        for (who, now, then) in [
            ("ours", ours, cell.kib.0),
            ("libbpf's", theirs, cell.kib.1),
            ("the kernel's memory", now.0, then.0),
            ("the formula's kernel memory", now.1, then.1),
        ] {
            if now.abs_diff(then) * TOLERANCE > then {
                out.push(format!("{board}: {}: {who} {now} KiB, in the reference {then}", row.tool));
            }
        }
    }
    out.extend(wanted.keys().map(|tool| format!("{board}: {tool}: in the reference, but not on the board")));
    Ok(out)
}

/// The rows in the form of the reference, to be put there by hand once each change has been looked at.
pub fn write(board: &str, rows: &[Row]) -> String {
    // some names have a point
    let mut text = format!("[\"{board}\"]\n");
    for row in rows {
        let is = toml::Value::String(row.state.to_string());
        let _ = write!(text, "{} = {{ kib = [{}, {}], ", row.tool, row.kib.0.unwrap_or(0), row.kib.1);
        if let Some((counted, at_most)) = row.kernel {
            let _ = write!(text, "kernel = [{counted}, {at_most}], ");
        }
        let _ = writeln!(text, "is = {is} }}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Row, State};

    #[test]
    fn every_no_of_the_reference_is_one_of_libbpf_too_or_has_a_reason() {
        let all = [TEXT, crate::single::REFERENCE].map(|text| reference(text).unwrap());
        for (board, cells) in all.into_iter().flatten() {
            for (tool, cell) in cells {
                assert!(cell.explains_itself() || cell.why.is_some(), "{board}: {tool}: {}", cell.is);
            }
        }
    }

    #[test]
    fn what_is_not_in_the_reference_is_a_difference_and_so_is_too_much_memory() {
        let row =
            Row { tool: "none".to_owned(), state: State::Right, kib: (Some(MOST + 1), 400), kernel: None };
        let found = differences("no-board", &[row]).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn more_kernel_memory_than_the_formula_says_is_a_difference() {
        let row = |kernel| Row { tool: "capable".to_owned(), state: State::Right, kib: (None, 0), kernel };
        let about = |row| {
            let found = differences("qemu-aarch64", &[row]).unwrap();
            found.iter().any(|line| line.contains("more than the formula's"))
        };
        assert!(about(row(Some((101, 100)))) && !about(row(Some((100, 100)))));
    }
}
