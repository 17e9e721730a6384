//! The table of all section names of programs, `sec.toml`: each name of core's table is in it, in its order, with how it is attached,
//! since which Linux, and on which board that was counted; what is not attached has a reason. [`super::places`] and the other kinds
//! are what it names.

use super::{KINDS, places};
use corelet_core::object::sec_name;
use corelet_core::pack::Attach;
use serde::Deserialize;

const TABLE: &str = include_str!("sec.toml");
/// What `attach` says of names that the loader only loads, and of those that it does not take.
const LOADED: &str = "loaded";
const REFUSED: &str = "refused";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sec: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    attach: String,
    since: String,
    #[serde(default)]
    board: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    devices: bool,
}

/// Something behind the name, where its kind takes it.
fn whole(name: &str, has_more: bool) -> Vec<String> {
    let behind = ["/a", "/a/b", "/a:b", "/a:b:c"].map(|behind| format!("{name}{behind}"));
    if has_more { behind.into() } else { vec![name.to_owned()] }
}

#[test]
fn every_name_of_core_is_in_the_table_as_it_is_attached() {
    let table: Table = toml::from_str(TABLE).unwrap();
    let names: Vec<&str> = sec_name::names().map(|(name, _)| name).collect();
    assert_eq!(table.sec.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), names);
    for (row, (name, has_more)) in table.sec.iter().zip(sec_name::names()) {
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
    let table: Table = toml::from_str(TABLE).unwrap();
    let packs: Vec<&str> = KINDS.iter().map(|kind| kind.name).chain(places::names()).collect();
    for row in &table.sec {
        let name = &row.name;
        let version: Vec<u32> = row.since.split('.').filter_map(|part| part.parse().ok()).collect();
        assert!(version.len() == 2 && version >= vec![3, 18], "{name}: {}", row.since);
        assert!(row.board.is_empty() != row.why.is_empty() || row.attach == LOADED, "{name}: board or why");
        let elsewhere = row.board.contains('(');
        assert!(
            row.board.is_empty() || elsewhere || packs.contains(&row.board.as_str()),
            "{name}: {}",
            row.board
        );
    }
}
