//! The versions of `attach/sec.toml` beside those that BCC's documentation gives for types of programs, with the kernel's commits: the
//! table of `docs/kernel-versions.md`, whose last column is the enumerator of `include/uapi/linux/bpf.h`.

use super::numbers;
use crate::attach::sec::rows;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// Where it is wrong: `79a7f8bdb159` is of May 2021, between 5.12 and 5.13, and came with the merges for 5.14.
const WRONG: [(&str, (u32, u32)); 1] = [("BPF_PROG_TYPE_SYSCALL", (5, 14))];

/// How many types of programs the documentation `text` dates as the table does, by the first of each type's names; `types` are the
/// enumerators of a kernel with their values.
///
/// # Errors
/// A date that differs, or hardly any.
pub fn documented(text: &str, types: &BTreeMap<String, u32>) -> Result<usize> {
    let mut ours = BTreeMap::new();
    for row in rows()? {
        let (program, _) = numbers(&row.name).with_context(|| format!("{}: no such name", row.name))?;
        let first = ours.entry(program).or_insert(row.since()?);
        *first = row.since()?.min(*first);
    }
    let mut count = 0;
    for line in text.lines() {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, version, _, name] = columns[..] else { continue };
        let Some(ours) = types.get(name).and_then(|number| ours.get(number)) else { continue };
        let theirs = version.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let theirs: (u32, u32) = theirs.with_context(|| format!("{name}: version {version}"))?;
        let right = WRONG.iter().find(|(wrong, _)| *wrong == name).map_or(theirs, |(_, right)| *right);
        ensure!(right == *ours, "{name}: {ours:?} by our table, documented as {theirs:?}");
        count += 1;
    }
    ensure!(count >= 28, "{count} types of programs are documented");
    Ok(count)
}
