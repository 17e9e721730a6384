//! The forms of `corelet decode` that need more than one record: columns under a header, and folded stacks.
//!
//! Both are laid out from a record's JSON, so that what a member is called and how its value is written is said in one place,
//! core's printer.

use anyhow::{Context, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::Write;

/// A JSON value whose members keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    /// What is aligned on the right.
    Number(String),
    /// A string; a boolean and null as they are written.
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Json, D::Error> {
        d.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Text(v.to_string()))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(Json::Number(v.to_string()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(Json::Number(v.to_string()))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
        Ok(Json::Number(v.to_string()))
    }
    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(Json::Text(v.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Text("null".into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = seq.next_element()? {
            all.push(value);
        }
        Ok(Json::Array(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = map.next_entry()? {
            all.push(member);
        }
        Ok(Json::Object(all))
    }
}

impl Json {
    /// The value in one cell.
    fn cell(&self) -> String {
        match self {
            // a cell is one line
            Json::Text(s) => s
                .chars()
                .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
                .collect(),
            Json::Number(s) => s.clone(),
            Json::Array(all) => all.iter().map(Json::cell).collect::<Vec<_>>().join(","),
            Json::Object(all) => {
                all.iter().map(|(name, v)| format!("{name}={}", v.cell())).collect::<Vec<_>>().join(",")
            }
        }
    }

    /// Whether this is a stack: frames as strings, by name or address.
    fn frames(&self) -> Option<Vec<&str>> {
        let Json::Array(all) = self else { return None };
        let frames = all.iter().map(|f| match f {
            Json::Text(name) => Some(name.as_str()),
            _ => None,
        });
        frames.collect::<Option<Vec<_>>>().filter(|f| !f.is_empty())
    }
}

/// Reads a printed record.
pub(super) fn record(line: &[u8]) -> Result<Vec<(String, Json)>> {
    match serde_json::from_slice(line).context("a printed record is no JSON")? {
        Json::Object(members) => Ok(members),
        other => anyhow::bail!("a printed record is {other:?}"),
    }
}

/// The members of a record as columns: those of a key and of a value that are structs stand by themselves.
fn columns(record: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut all = Vec::new();
    for (name, value) in record {
        match value {
            Json::Object(members) if name == "key" || name == "value" => all.extend(members),
            value => all.push((name, value)),
        }
    }
    all
}

/// Columns under a header, which comes again where the records change. A column is as wide as its widest value so far.
#[derive(Default)]
pub struct Table {
    /// What is printed at present: the names of its columns.
    names: Vec<String>,
    widths: Vec<usize>,
}

/// Widths that a column has from the start: those of a PID and of a task's name.
const NUMBER: usize = 7;
const TEXT: usize = 16;

impl Table {
    /// Has the header come again: a new print of results begins.
    pub fn restart(&mut self) {
        self.names.clear();
    }

    /// Prints a record; its stacks below it.
    pub(super) fn put(&mut self, record: Vec<(String, Json)>, out: &mut impl Write) -> Result<()> {
        let (stacks, cells): (Vec<_>, Vec<_>) =
            columns(record).into_iter().partition(|(_, v)| v.frames().is_some());
        // a record's own name is no column of its table
        let (title, cells): (Vec<_>, Vec<_>) =
            cells.into_iter().partition(|(name, _)| matches!(name.as_str(), "event" | "result"));
        let names =
            title.iter().map(|(_, v)| v.cell()).chain(cells.iter().map(|(name, _)| name.to_uppercase()));
        let names: Vec<String> = names.collect();
        if names != self.names {
            if !self.names.is_empty() {
                writeln!(out)?;
            }
            for (_, name) in &title {
                writeln!(out, "{}", name.cell())?;
            }
            let heads = names[title.len()..].iter().zip(&cells);
            self.widths = heads
                .map(|(name, (_, v))| {
                    name.len().max(if matches!(v, Json::Number(_)) { NUMBER } else { TEXT })
                })
                .collect();
            let heads = cells.iter().zip(&names[title.len()..]).map(|((_, v), name)| (name.clone(), v));
            self.row(heads.collect(), out)?;
            self.names = names;
        }
        self.row(cells.iter().map(|(_, v)| (v.cell(), v)).collect(), out)?;
        for (_, frames) in &stacks {
            for frame in frames.frames().into_iter().flatten() {
                writeln!(out, "    {frame}")?;
            }
        }
        Ok(())
    }

    /// Writes cells, each aligned as its value is.
    fn row(&mut self, cells: Vec<(String, &Json)>, out: &mut impl Write) -> Result<()> {
        let mut line = String::new();
        for ((cell, value), width) in cells.iter().zip(&mut self.widths) {
            *width = (*width).max(cell.chars().count());
            line += &match value {
                Json::Number(_) => format!("{cell:>width$} "),
                _ => format!("{cell:<width$} "),
            };
        }
        writeln!(out, "{}", line.trim_end())?;
        Ok(())
    }
}

/// Prints a result with stacks as one line of `name;frame;frame COUNT`, the outermost frame first, as flame graphs are made of:
/// frames of user space (members `users`) in front of the kernel's. What is counted is the first number of the value.
/// What has no stacks is left out.
pub(super) fn fold(record: Vec<(String, Json)>, users: &[String], out: &mut impl Write) -> Result<()> {
    let count = record.iter().find(|(name, _)| name == "value").and_then(|(_, v)| match v {
        Json::Number(n) => Some(n.clone()),
        Json::Object(members) => {
            members.iter().find(|(_, v)| matches!(v, Json::Number(_))).map(|(_, v)| v.cell())
        }
        _ => None,
    });
    let members = columns(record);
    let stacks: Vec<_> = members.iter().filter_map(|(name, v)| Some((name, v.frames()?))).collect();
    if stacks.is_empty() {
        return Ok(());
    }
    let text = |wanted: &[&str]| {
        members.iter().find(|(n, v)| wanted.contains(&n.as_str()) && matches!(v, Json::Text(_)))
    };
    let mut line: Vec<String> = text(&["comm", "name"]).iter().map(|(_, v)| v.cell()).collect();
    for of_user in [true, false] {
        let of_kind = stacks.iter().filter(|(name, _)| users.contains(name) == of_user);
        for (_, frames) in of_kind {
            line.extend(frames.iter().rev().map(|f| function(f).replace(';', ":")));
        }
    }
    writeln!(out, "{} {}", line.join(";"), count.unwrap_or("1".into()))?;
    Ok(())
}

/// The function of `schedule+0x8`; an address as it is.
fn function(frame: &str) -> &str {
    frame.rsplit_once("+0x").map_or(frame, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(lines: &[&str]) -> Vec<Vec<(String, Json)>> {
        lines.iter().map(|line| record(line.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn columns_stand_under_a_header_that_comes_again_where_records_change() {
        let lines = [
            r#"{"pid":7,"comm":"cat","fname":"/etc/motd\n"}"#,
            r#"{"pid":123456789,"comm":"a name of more than sixteen","fname":"/"}"#,
            r#"{"pid":8,"comm":"sh","fname":"/dev/null"}"#,
            r#"{"result":"top","key":{"pid":7},"value":{"reads":1,"f":[1,2]}}"#,
        ];
        let (mut table, mut out) = (Table::default(), Vec::new());
        for record in records(&lines) {
            table.put(record, &mut out).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        let expected = "    PID COMM             FNAME
      7 cat              /etc/motd\\n
123456789 a name of more than sixteen /
        8 sh                          /dev/null

top
    PID   READS F
      7       1 1,2
";
        assert_eq!(text, expected);
    }

    #[test]
    fn folded_stacks_begin_with_the_task_and_its_own_frames() {
        let lines = [
            r#"{"result":"off","key":{"kern":["a+0x8","b+0x0"],"user":["/bin/sh+0x10"]},"value":{"delta":30,"comm":"sh"}}"#,
            r#"{"result":"off","key":["0x1f"],"value":2}"#,
            r#"{"result":"off","key":{"pid":1},"value":2}"#,
        ];
        let mut out = Vec::new();
        for record in records(&lines) {
            fold(record, &["user".into()], &mut out).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), "sh;/bin/sh;b;a 30\n0x1f 2\n");
    }
}
