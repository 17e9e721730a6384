//! The table of all section names of programs, `sec.toml`: each name of core's table is in it, in its order, with how it is attached,
//! since which Linux, and on which board that was counted; what is not attached has a reason. `places` and the other kinds
//! are what it names.

use anyhow::{Context, Result};
use serde::Deserialize;

const TABLE: &str = include_str!("sec.toml");
/// What `attach` says of names that the loader only loads, and of those that it does not take.
const LOADED: &str = "loaded";
#[cfg(test)]
const REFUSED: &str = "refused";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sec: Vec<Row>,
}

/// One name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// As in `SEC()`.
    pub name: String,
    /// How the loader attaches it.
    pub attach: String,
    since: String,
    /// The board's test that has counted it.
    #[serde(default)]
    pub board: String,
    /// Why no board has.
    #[serde(default)]
    pub why: String,
    /// Whether it is of network devices and netfilter.
    #[serde(default)]
    pub devices: bool,
}

impl Row {
    /// The first Linux that has it: major and minor.
    ///
    /// # Errors
    /// The table has no such version.
    pub fn since(&self) -> Result<(u32, u32)> {
        let version = self.since.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        version.with_context(|| format!("{}: since {}", self.name, self.since))
    }

    /// Whether the loader only loads it.
    pub fn is_loaded_only(&self) -> bool {
        self.attach == LOADED
    }
}

/// All names, in the order of core's table.
///
/// # Errors
/// The table is no TOML of this form.
pub fn rows() -> Result<Vec<Row>> {
    Ok(toml::from_str::<Table>(TABLE)?.sec)
}

#[cfg(test)]
mod tests {
    use super::super::{KINDS, places};
    use super::*;
    use corelet_core::object::sec_name;
    use corelet_core::pack::Attach;
    use std::collections::BTreeMap;

    /// Something behind the name, where its kind takes it.
    fn whole(name: &str, has_more: bool) -> Vec<String> {
        let behind = ["/a", "/a/b", "/a:b", "/a:b:c"].map(|behind| format!("{name}{behind}"));
        if has_more { behind.into() } else { vec![name.to_owned()] }
    }

    #[test]
    fn every_name_of_core_is_in_the_table_as_it_is_attached() {
        let rows = rows().unwrap();
        let names: Vec<&str> = sec_name::names().map(|(name, _)| name).collect();
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), names);
        for (row, (name, has_more)) in rows.iter().zip(sec_name::names()) {
            let sections = whole(name, has_more);
            let parsed = sections.iter().filter_map(|section| sec_name::parse(section).ok());
            let attach: Vec<Attach<'_>> = parsed.map(|sec| sec.attach).collect();
            assert!(!attach.is_empty(), "{name}");
            // a counter is what a manifest names
            let needs_word = name == "perf_event" || row.devices;
            let other = attach.iter().all(|attach| matches!(attach, Attach::Other { .. }));
            let none = attach.contains(&Attach::None) && !name.starts_with("struct_ops");
            assert!(needs_word || other == (row.attach == REFUSED), "{name}: {attach:?}");
            assert!(needs_word || none == (row.attach == LOADED), "{name}: {attach:?}");
        }
    }

    #[test]
    fn every_row_is_counted_on_a_board_or_has_a_reason() {
        let rows = rows().unwrap();
        let packs: Vec<&str> = KINDS.iter().map(|kind| kind.name).chain(places::names()).collect();
        for row in &rows {
            let name = &row.name;
            let version: Vec<u32> = row.since.split('.').filter_map(|part| part.parse().ok()).collect();
            assert!(version.len() == 2 && version >= vec![3, 18], "{name}: {}", row.since);
            assert!(
                row.board.is_empty() != row.why.is_empty()
                    || [LOADED, REFUSED].contains(&row.attach.as_str()),
                "{name}: board or why"
            );
            let elsewhere = row.board.contains('(');
            assert!(
                row.board.is_empty() || elsewhere || packs.contains(&row.board.as_str()),
                "{name}: {}",
                row.board
            );
        }
    }

    /// Numbers of the UAPI are given in the order of time, so versions cannot fall where numbers rise: of programs' types by the first
    /// of their names, of attachments' by each name that came with one.
    #[test]
    fn versions_rise_with_the_numbers_of_the_uapi() {
        let (mut programs, mut attachments) = (BTreeMap::new(), BTreeMap::new());
        for row in rows().unwrap() {
            let version = row.since().unwrap();
            let sections = whole(&row.name, true).into_iter().chain([row.name.clone()]);
            let sec = sections.collect::<Vec<_>>();
            let sec = sec.iter().find_map(|section| sec_name::parse(section).ok()).unwrap();
            let first = programs.entry(sec.prog_type).or_insert(version);
            *first = version.min(*first);
            // what had programs before it had a number of its own
            let older = sec.expected_attach_type == 0 || matches!(row.name.as_str(), "xdp" | "sk_reuseport");
            if !older && sec.prog_flags == 0 {
                let only = attachments.entry(sec.expected_attach_type).or_insert(version);
                assert_eq!(*only, version, "{}", row.name);
            }
        }
        for numbers in [programs, attachments] {
            let all: Vec<_> = numbers.into_iter().collect();
            assert!(all.len() > 30 && all.is_sorted_by_key(|(_, version)| *version), "{all:?}");
        }
    }
}
