//! Differences as text.

use super::describe::Slot;
use super::uses::{Count, Fate, Use, Uses};
use super::{Change, PartChange, TypeChange};
use crate::relocate::Verdict;
use std::fmt::{Result, Write};

/// Bytes of a type's text that are shown.
const MAX_SHOWN: usize = 120;

/// Members in a row that moved by the same distance and are told in one line, from this many on.
const RUN: usize = 4;

/// Writes what changed; with `uses`, below each part what touches it.
///
/// # Errors
/// `out` takes no more.
pub fn write(out: &mut dyn Write, changes: &[TypeChange], uses: Option<&Uses>) -> Result {
    for change in changes {
        let name = if change.name.is_empty() { "without a name" } else { &change.name };
        write!(out, "{} {name}", change.kind)?;
        match (change.change, change.size) {
            (Change::Gone, _) => writeln!(out, ": gone")?,
            (Change::New, _) => writeln!(out, ": new")?,
            (_, Some([was, is])) => writeln!(out, ": {was} -> {is} bytes")?,
            _ => writeln!(out)?,
        }
        if let (Some([was, is]), Change::Changed) = (&change.text, change.change) {
            writeln!(out, "  - {}\n  + {}", short(was), short(is))?;
        }
        if let Some(uses) = uses {
            write_uses(out, &uses.of(change, ""))?;
        }
        let width = change.parts.iter().map(|p| p.name.len()).max().unwrap_or(0).min(32);
        let mut rest = &*change.parts;
        while let Some((first, others)) = rest.split_first() {
            let run = if uses.is_none() { run(rest) } else { 1 };
            if let (true, Some(by)) = (run >= RUN, distance(first)) {
                let last = &rest[run - 1];
                writeln!(
                    out,
                    "  moved    {run} members from {} to {} by {by:+} bytes: {} ... {}",
                    first.name,
                    last.name,
                    places(first),
                    places(last)
                )?;
                rest = &rest[run..];
                continue;
            }
            part(out, first, width)?;
            if let Some(uses) = uses {
                write_uses(out, &uses.of(change, &first.name))?;
            }
            rest = others;
        }
    }
    Ok(())
}

fn part(out: &mut dyn Write, p: &PartChange, width: usize) -> Result {
    let name = &p.name;
    match (p.change, &p.before, &p.after) {
        (Change::Moved, ..) => writeln!(out, "  moved    {name:width$}  {}", places(p))?,
        (Change::Changed, Some(was), Some(is)) => {
            writeln!(out, "  changed  {name:width$}  {} -> {}", whole_slot(was), whole_slot(is))?;
        }
        (Change::New, _, Some(is)) => writeln!(out, "  new      {name:width$}  {}", whole_slot(is))?,
        (Change::Renamed, Some(was), _) => {
            let now = p.perhaps.as_deref().unwrap_or_default();
            writeln!(
                out,
                "  renamed  {name:width$}  perhaps {now}, of the same type in the same place: {}",
                whole_slot(was)
            )?;
        }
        (_, Some(was), _) => {
            write!(out, "  gone     {name:width$}  {}", whole_slot(was))?;
            if let Some(now) = &p.perhaps {
                write!(out, "; perhaps {now}")?;
            }
            if !p.elsewhere.is_empty() {
                write!(out, "; now in {}", p.elsewhere.join(" or "))?;
            }
            writeln!(out)?;
        }
        _ => {}
    }
    Ok(())
}

/// How many parts from the first on moved by its distance.
fn run(parts: &[PartChange]) -> usize {
    let by = parts.first().and_then(distance);
    parts.iter().take_while(|p| by.is_some() && distance(p) == by).count()
}

/// Whole bytes by which a member moved.
fn distance(p: &PartChange) -> Option<i64> {
    match (p.change, &p.before, &p.after) {
        (
            Change::Moved,
            Some(Slot::Field { bit_offset: was, .. }),
            Some(Slot::Field { bit_offset: is, .. }),
        ) => {
            let by = i64::from(*is) - i64::from(*was);
            (by % 8 == 0).then_some(by / 8)
        }
        _ => None,
    }
}

fn places(p: &PartChange) -> String {
    let place = |slot: &Option<Slot>| slot.as_ref().map_or(String::new(), place);
    format!("{} -> {}", place(&p.before), place(&p.after))
}

fn place(slot: &Slot) -> String {
    match *slot {
        Slot::Field { bit_offset, bits: 0, .. } if bit_offset % 8 == 0 => (bit_offset / 8).to_string(),
        Slot::Field { bit_offset, bits, .. } => {
            format!("{} (bits {} to {})", bit_offset / 8, bit_offset % 8, bit_offset % 8 + bits.max(1) - 1)
        }
        Slot::Value { value } => value.to_string(),
    }
}

fn whole_slot(slot: &Slot) -> String {
    match slot {
        Slot::Field { bits, size, r#type, .. } => {
            let size = if *bits > 0 { String::new() } else { format!(" ({size} bytes)") };
            format!("{} at {}{size}", short(r#type), place(slot))
        }
        Slot::Value { value } => value.to_string(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Writes programs, source lines and what relocation makes of them; equal lines once.
///
/// # Errors
/// `out` takes no more.
pub fn write_uses(out: &mut dyn Write, uses: &[&Use]) -> Result {
    let mut lines = Vec::new();
    for u in uses {
        let source = u.source.as_ref().map_or(String::new(), |s| format!(" {s}"));
        let fate = match &u.fates {
            Some(fates) => format!(": {} {}", u.kind, fate(fates)),
            None => String::new(),
        };
        let line = format!("           {} {}{source}: {}{fate}", u.object, u.program, u.access);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn fate([was, is]: &[Fate; 2]) -> String {
    let value = |f: &Fate| f.value.map_or("nothing".to_owned(), |v| v.to_string());
    let because = is.reason.as_deref().unwrap_or("no reason");
    match (was.outcome, is.outcome) {
        (Verdict::Patched, Verdict::Patched) => match (value(was), value(is)) {
            (a, b) if a == b && was.mem_sz == is.mem_sz => format!("gives {a} on both"),
            (a, b) if a == b => format!("gives {a}, and moves another number of bytes, silently"),
            (a, b) => format!("gives {b} instead of {a}, silently"),
        },
        (Verdict::Poisoned, Verdict::Poisoned) => format!("is poisoned on both: {because}"),
        (_, Verdict::Patched) => format!("gives {}, and did not before", value(is)),
        (_, Verdict::Poisoned) => format!("is POISONED: {because}"),
        (_, Verdict::Failed) => format!("FAILS: {because}"),
    }
}

impl Count {
    /// One line.
    pub fn text(&self) -> String {
        let Count { object, relocations, silently, poisoned, failed, mended } = self;
        format!(
            "{object}: of {relocations} relocations {silently} give another value silently, {poisoned} are poisoned and were \
             not, {failed} fail and did not, {mended} are patched and were not"
        )
    }
}
