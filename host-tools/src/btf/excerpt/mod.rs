//! The types of a kernel that some relocations can read, without holding the rest of them.
//!
//! A kernel's BTF has a hundred thousand types; an object asks about a dozen by name. [`excerpt`] goes through the blob
//! twice, piece by piece: through the types (`scan`), noting where they are and which have a name that counts, and
//! through the strings, to see which of those names are asked for. What those types consist of is then fetched
//! (`closure`) and written as a small blob of its own (`write`), under new ids in the old order. For every relocation
//! that was announced in [`Wanted`] it gives what the whole blob gives: all candidates, in the same order, with every type
//! that matching can look at.
//!
//! Checked are the header, the bounds of every record, and all that is fetched; what is not fetched is not looked at.
//!
//! Memory: 64 KiB, four bytes for each sixteen types, eight for each type that a relocation could be about, and
//! what is fetched. Time: linear in the blob.

mod closure;
mod scan;
mod write;

#[cfg(test)]
pub(crate) mod tests;

use super::{BadBtf, OwnedBtf, Source};
use anyhow::Result;
use corelet_core::btf::{Btf, Kind, names};
use corelet_core::relo::{CoreRelo, ReloKind};
use corelet_core::{Error, TypeId};
use std::collections::BTreeMap;

/// How far the closure goes from a type. Each widens what is kept, so that the union of two is right for both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Reach {
    /// Into the members of structs and unions; else a composite is kept as a name.
    members: bool,
    /// To what pointers point at and what functions take and give.
    pointers: bool,
}

impl Reach {
    /// What a relocation of `kind` may read of a candidate: fields are reached by value only; compatibility follows
    /// pointers but never enters a composite; matching does both.
    fn of(kind: ReloKind) -> Reach {
        Reach { members: !kind.is_type() || kind == ReloKind::TypeMatches, pointers: kind.is_type() }
    }
}

/// The relocations that an excerpt is to serve: the names of their local root types.
#[derive(Default)]
pub struct Wanted {
    names: BTreeMap<Box<[u8]>, Vec<Reach>>,
    /// Some root is of a kind that no compiler writes a relocation for, so types of all kinds count.
    every_kind: bool,
}

impl Wanted {
    /// Adds the relocations `relos`, compiled against `local`; whether an excerpt made before cannot serve them.
    pub fn add<'r>(&mut self, local: &Btf<'_>, relos: impl Iterator<Item = &'r CoreRelo>) -> bool {
        let mut news = false;
        for relo in relos.filter(|r| r.kind != ReloKind::TypeIdLocal) {
            let Ok(t) = local.ty(relo.type_id) else { continue };
            let name = names::essential(local.name(&t));
            if name.is_empty() {
                continue;
            }
            if !may_be_candidate(t.kind()) && !self.every_kind {
                (self.every_kind, news) = (true, true);
            }
            let reach = Reach::of(relo.kind);
            match self.names.get_mut(name.as_bytes()) {
                Some(known) if known.contains(&reach) => continue,
                Some(known) => known.push(reach),
                None => drop(self.names.insert(name.as_bytes().into(), vec![reach])),
            }
            news = true;
        }
        news
    }
}

/// Functions, variables and sections are never the root of a relocation, and make up half of a kernel's names.
pub(crate) fn may_be_candidate(kind: Kind) -> bool {
    !matches!(kind, Kind::Func | Kind::FuncProto | Kind::Var | Kind::Datasec | Kind::DeclTag)
}

/// The types in `source` that relocations in `wanted` can read, and all integers, by which the pointer size is told.
///
/// # Errors
/// [`BadBtf`] with the offset in the blob, or a file that cannot be read.
pub fn excerpt(source: &Source<'_>, wanted: &Wanted) -> Result<OwnedBtf> {
    let blob = scan::Blob::open(source)?;
    let scanned = scan::types(&blob, wanted)?;
    let kept = closure::close(&blob, &scanned, scan::candidates(&blob, &scanned, wanted)?)?;
    Ok(OwnedBtf::from_bytes(write::write(&blob, kept)?)?)
}
