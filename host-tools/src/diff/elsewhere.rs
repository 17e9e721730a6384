//! Where members that are gone have come to be: found by name and type in other structs.

use super::describe::Slot;
use super::{Change, TypeChange};
use crate::btf::shape::{self, Nameless};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Type};
use std::collections::{HashMap, HashSet};

/// Members of one name that are looked at: a name that more structs have says nothing.
const MAX_PLACES: usize = 64;

/// Places that are told.
const MAX_TOLD: usize = 3;

/// Fills [`super::PartChange::elsewhere`] of members that are gone.
///
/// A place counts if the struct is new or did not have the member before. If the struct that lost the member leads to one of
/// the places, by a member or a pointer, only such are told.
pub(super) fn find(before: &Btf<'_>, after: &Btf<'_>, changes: &mut [TypeChange]) {
    let wanted: HashSet<&str> = changes.iter().flat_map(gone).map(|p| last(&p.name)).collect();
    if wanted.is_empty() {
        return;
    }
    let places = places(after, &wanted);
    let had = owners(before, &wanted);
    let by_name: HashMap<_, _> = composites(after).map(|t| ((t.kind().name(), after.name(&t)), t)).collect();
    let mut told = Vec::new();
    for (number, change) in changes.iter().enumerate() {
        let mut leads = None;
        for (at, part) in change.parts.iter().enumerate().filter(|(_, p)| p.change == Change::Gone) {
            let Some(Slot::Field { r#type, .. }) = &part.before else { continue };
            let found = places.get(last(&part.name)).map_or(&[][..], Vec::as_slice);
            if found.is_empty() || found.len() > MAX_PLACES {
                continue;
            }
            let fits = found.iter().filter(|(owner, text, _)| {
                let name = after.name(owner);
                text == r#type && name != change.name && !had.contains(&(name, last(&part.name)))
            });
            let fits: Vec<_> = fits.collect();
            let leads: &HashSet<&str> =
                leads.get_or_insert_with(|| led_to(after, by_name.get(&(change.kind, &*change.name))));
            let near = fits.iter().any(|(owner, ..)| leads.contains(after.name(owner)));
            let shown = fits.iter().filter(|(owner, ..)| !near || leads.contains(after.name(owner)));
            let words = shown.take(MAX_TOLD).map(|(owner, _, offset)| {
                let (kind, name) = (owner.kind().name(), after.name(owner));
                format!("{kind} {name} .{} at {}", last(&part.name), offset / 8)
            });
            told.push((number, at, words.collect::<Vec<_>>()));
        }
    }
    for (number, at, words) in told {
        changes[number].parts[at].elsewhere = words;
    }
}

fn gone(change: &TypeChange) -> impl Iterator<Item = &super::PartChange> {
    change.parts.iter().filter(|p| p.change == Change::Gone && p.before.as_ref().is_some_and(Slot::is_field))
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn composites<'b>(btf: &Btf<'b>) -> impl Iterator<Item = Type<'b>> + use<'b> {
    let btf = *btf;
    let all = (1..btf.id_end()).filter_map(move |id| btf.ty(TypeId(id)).ok());
    all.filter(|t| t.kind().is_composite() && t.name_off != 0)
}

/// The members of the wanted names, in structs with a name: the struct, the member's type, its bit offset.
fn places<'b, 'n>(
    btf: &Btf<'b>,
    wanted: &HashSet<&'n str>,
) -> HashMap<&'n str, Vec<(Type<'b>, String, u32)>> {
    let mut out: HashMap<&str, Vec<_>> = HashMap::new();
    for t in composites(btf) {
        for m in t.members() {
            let Some(name) = wanted.get(btf.string(m.name_off)) else { continue };
            let found = out.entry(*name).or_default();
            if found.len() <= MAX_PLACES {
                found.push((t, shape::of(btf, m.ty, Nameless::Whole), m.bit_offset));
            }
        }
    }
    out
}

/// Structs and the wanted members that they have.
fn owners<'b>(btf: &Btf<'b>, wanted: &HashSet<&str>) -> HashSet<(&'b str, &'b str)> {
    let mut out = HashSet::new();
    for t in composites(btf) {
        let names = t.members().map(|m| btf.string(m.name_off)).filter(|name| wanted.contains(name));
        out.extend(names.map(|name| (btf.name(&t), name)));
    }
    out
}

/// Names of the structs that members of a struct hold or point to.
fn led_to<'b>(btf: &Btf<'b>, of: Option<&Type<'b>>) -> HashSet<&'b str> {
    let mut out = HashSet::new();
    for m in of.into_iter().flat_map(|t| t.members()) {
        let Ok(mut t) = btf.skip_mods(m.ty) else { continue };
        if t.kind() == Kind::Ptr {
            t = btf.skip_mods(t.target()).unwrap_or(t);
        }
        if t.kind().is_composite() && t.name_off != 0 {
            out.insert(btf.name(&t));
        }
    }
    out
}
