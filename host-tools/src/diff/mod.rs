//! What changed between the types of two kernels, in words that say why a program breaks: a member that moved, has another
//! name or type, is gone, or lies in another struct now; enumerators of other values, functions of other prototypes,
//! tracepoints of other arguments.
//!
//! Types are paired by kind and name. Of several types of one name those that are the same are paired first, the others in
//! the order of their ids. A struct by value is compared where it is defined; its holders change by its size only.
//!
//! Bounded for any BTF: [`describe`] holds all texts of one BTF to [`describe::MAX_WORK`] bytes, and nothing here recurses.

pub mod describe;
mod elsewhere;
#[cfg(test)]
mod tests;
mod text;
pub mod uses;

pub use text::{write, write_uses};

use anyhow::{Context, Result};
use corelet_core::btf::Btf;
use describe::{Described, Part, Slot, Types};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Parts of one type for which a similar name is looked for, so that the time stays linear in the number of parts.
const MAX_HINTS: usize = 64;

/// One type that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeChange {
    /// `struct`, `union`, `enum`, `typedef`, `function`, `tracepoint`, `variable`, `integer`, `float`.
    pub kind: &'static str,
    /// Its name; empty for all enumerations without a name taken together.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// Bytes before and after, of types that have a size on both sides and not the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// Its text before and after, of a kind without parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<[String; 2]>,
    /// Members or enumerators that are not the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartChange>,
}

/// What became of a type, member or enumerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only before.
    Gone,
    /// Only after.
    New,
    /// Another place, and nothing else.
    Moved,
    /// Another type, size, width or value.
    Changed,
    /// Gone, with a new one of its type in its place.
    Renamed,
}

/// One member or enumerator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartChange {
    /// Its name: for what is in a member without a name of its type, `outer.inner`.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// Where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Slot>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Slot>,
    /// A new member that may be what it is called now: in its place, or of a similar name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perhaps: Option<String>,
    /// Where a member of its name and type has come to be: `struct mm_struct .arg_lock at 112`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
}

/// What is to be compared.
pub type Wanted<'w> = &'w dyn Fn(&str, &str) -> bool;

/// What changed from `before` to `after`, of the types for which `wanted` says so by kind and name, in the order of both.
///
/// # Errors
/// More fields than any kernel has.
pub fn diff(before: &Btf<'_>, after: &Btf<'_>, wanted: Wanted<'_>) -> Result<Vec<TypeChange>> {
    let (mut a, mut b) = (Types::new(before), Types::new(after));
    let keys: BTreeSet<_> = a.keys().chain(b.keys()).filter(|(kind, name)| wanted(kind, name)).collect();
    let keys: Vec<_> = keys.into_iter().map(|(kind, name)| (*kind, name.to_string())).collect();
    let mut out = Vec::new();
    for (kind, name) in keys {
        let was = a.describe(kind, &name).context("the types before")?;
        let is = b.describe(kind, &name).context("the types after")?;
        for (was, is) in pairs(was, is) {
            out.extend(change(kind, &name, was, is));
        }
    }
    elsewhere::find(before, after, &mut out);
    Ok(out)
}

/// Pairs what is on both sides, without what is the same.
fn pairs(was: Vec<Described>, is: Vec<Described>) -> Vec<(Option<Described>, Option<Described>)> {
    let (mut of_was, mut of_is) = (counts(&was), counts(&is));
    // of what is on both sides, as many are left out of each as the other has
    let left: Vec<_> = was.into_iter().filter(|d| !take(d, &mut of_is)).collect();
    let mut right = is.into_iter().filter(|d| !take(d, &mut of_was));
    let mut out: Vec<_> = left.into_iter().map(|d| (Some(d), right.next())).collect();
    out.extend(right.map(|d| (None, Some(d))));
    out
}

fn counts(all: &[Described]) -> HashMap<Described, usize> {
    let mut out = HashMap::new();
    for d in all {
        *out.entry(d.clone()).or_default() += 1;
    }
    out
}

fn take(d: &Described, from: &mut HashMap<Described, usize>) -> bool {
    let count = from.get_mut(d).filter(|count| **count > 0);
    count.map(|count| *count -= 1).is_some()
}

fn change(
    kind: &'static str,
    name: &str,
    was: Option<Described>,
    is: Option<Described>,
) -> Option<TypeChange> {
    let what = match (&was, &is) {
        (Some(_), Some(_)) => Change::Changed,
        (Some(_), None) => Change::Gone,
        (None, Some(_)) => Change::New,
        (None, None) => return None,
    };
    let size = match (&was, &is) {
        (Some(a), Some(b)) if a.size != b.size => Some([a.size, b.size]),
        _ => None,
    };
    let text = |d: &Option<Described>| d.as_ref().map_or(String::new(), |d| d.text.clone());
    let texts = [text(&was), text(&is)];
    let text = (texts[0] != texts[1]).then_some(texts);
    let parts = match (was, is) {
        (Some(was), Some(is)) => parts(was.parts, is.parts),
        _ => Vec::new(),
    };
    let none = size.is_none() && text.is_none() && parts.is_empty();
    (what != Change::Changed || !none).then(|| TypeChange {
        kind,
        name: name.to_owned(),
        change: what,
        size,
        text,
        parts,
    })
}

/// What became of the parts of one type, in the order of the type after, the ones that are gone in their old order behind.
fn parts(was: Vec<Part>, is: Vec<Part>) -> Vec<PartChange> {
    let mut before: BTreeMap<&str, &Slot> = was.iter().map(|p| (&*p.name, &p.slot)).collect();
    let mut out = Vec::new();
    for p in &is {
        let of = |change, before: Option<&Slot>| PartChange {
            name: p.name.clone(),
            change,
            before: before.cloned(),
            after: Some(p.slot.clone()),
            perhaps: None,
            elsewhere: Vec::new(),
        };
        match before.remove(&*p.name) {
            Some(slot) if *slot == p.slot => {}
            Some(slot) => {
                let moved = slot.same_but_for_place(&p.slot);
                out.push(of(if moved { Change::Moved } else { Change::Changed }, Some(slot)));
            }
            None => out.push(of(Change::New, None)),
        }
    }
    let gone: Vec<&Part> = was.iter().filter(|p| before.contains_key(&*p.name)).collect();
    let added: Vec<(String, Slot)> = (out.iter().filter(|p| p.change == Change::New))
        .filter_map(|p| Some((p.name.clone(), p.after.clone()?)))
        .collect();
    let by_slot: HashMap<&Slot, &str> = added.iter().map(|(name, slot)| (slot, &**name)).collect();
    let mut last_gone: Option<&str> = None;
    for (number, p) in gone.iter().enumerate() {
        // with a struct that is gone all of its members are
        let inside = |outer: &str| p.name.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        if last_gone.is_some_and(inside) {
            continue;
        }
        last_gone = Some(&p.name);
        let renamed = by_slot.get(&p.slot).filter(|_| p.slot.is_field());
        let hints = added.iter().take(if number < MAX_HINTS { MAX_HINTS } else { 0 });
        let perhaps = renamed.map(|name| (*name).to_owned()).or_else(|| similar(&p.name, hints));
        out.push(PartChange {
            name: p.name.clone(),
            change: if renamed.is_some() { Change::Renamed } else { Change::Gone },
            before: Some(p.slot.clone()),
            after: renamed.map(|_| p.slot.clone()),
            perhaps,
            elsewhere: Vec::new(),
        });
    }
    // what has a new name is not told a second time as new
    let names: BTreeSet<String> =
        out.iter().filter(|p| p.change == Change::Renamed).filter_map(|p| p.perhaps.clone()).collect();
    out.retain(|p| p.change != Change::New || !names.contains(&p.name));
    out
}

/// A new name that holds the old one, or is held by it: `__state` for `state`.
fn similar<'n>(name: &str, new: impl Iterator<Item = &'n (String, Slot)>) -> Option<String> {
    let near = new.map(|(new, _)| new).filter(|new| {
        let (short, long) = if new.len() < name.len() { (&***new, name) } else { (name, &***new) };
        short.len() > 2 && long.contains(short)
    });
    near.min_by_key(|new| new.len().abs_diff(name.len())).cloned()
}
