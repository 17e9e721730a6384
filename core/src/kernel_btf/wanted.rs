//! The names that matter: essential names of the relocations' root types, and of the members and enumerators of their specs.

use super::tables::Tables;
use crate::btf::{Btf, Kind, names};
use crate::error::Result;
use crate::relo::{CoreRelo, ReloKind, Spec};

/// What relocation asks of a type, in bits. The first four are what relocations ask of candidates.
pub(super) mod ask {
    /// The place of a field: members of the names that matter.
    pub(crate) const FIELDS: u32 = 1;
    /// Whether it is compatible: kinds, through pointers (`compat`).
    pub(crate) const COMPAT: u32 = 2;
    /// Whether it matches: names and kinds, through pointers (`matches`).
    pub(crate) const MATCH: u32 = 4;
    /// Enumerators.
    pub(crate) const VALUES: u32 = 8;
    /// As [`MATCH`], behind a pointer, where structs and unions count by their names.
    pub(crate) const MATCH_BEHIND: u32 = 16;
    /// It is a candidate.
    pub(crate) const CANDIDATE: u32 = 32;
}

/// Words of an entry: hash, offset in the local strings, length, what is asked of the types of that name, kinds that they may
/// have (a bit each), kinds that were found.
const ENTRY: usize = 6;

/// The table, sorted by hash.
pub(super) struct Wanted<'l> {
    local: Btf<'l>,
    len: usize,
    /// The kinds of all root types.
    pub(super) kinds: u32,
    /// Members or enumerators of the local type that has most, where one is asked whether it matches.
    pub(super) most_rows: u32,
}

/// The kinds that a type for a local one of `kind` may have, a bit each.
fn kinds_for(kind: Kind) -> u32 {
    let bit = |k: Kind| 1u32.wrapping_shl(k as u32);
    if kind.is_enum() { bit(Kind::Enum) | bit(Kind::Enum64) } else { bit(kind) }
}

/// Adds the byte before those that were hashed: names are hashed from their ends, since those are what ends of strings share.
pub(super) fn hash(hash: u32, byte: u8) -> u32 {
    hash.wrapping_mul(31).wrapping_add(byte.into())
}

fn hash_all(name: &str) -> u32 {
    name.bytes().rev().fold(0, hash)
}

impl<'l> Wanted<'l> {
    /// What `relos` ask for. A relocation that cannot be understood asks for nothing: applying it says so.
    pub(super) fn new(
        local: &Btf<'l>,
        relos: &mut dyn Iterator<Item = Result<CoreRelo>>,
        tables: &mut Tables<'_>,
    ) -> Result<Self> {
        let mut wanted = Wanted { local: *local, len: 0, kinds: 0, most_rows: 0 };
        let mut spec = Spec::default();
        let mut matches = false;
        for relo in relos {
            let relo = relo?;
            let Ok(t) = local.ty(relo.type_id) else { continue };
            if relo.kind == ReloKind::TypeIdLocal || local.name(&t).is_empty() {
                continue;
            }
            let asked = match relo.kind {
                ReloKind::TypeMatches => ask::MATCH,
                k if k.is_field() => ask::FIELDS,
                k if k.is_enumval() => ask::VALUES,
                _ => ask::COMPAT,
            };
            matches |= asked == ask::MATCH;
            let kinds = kinds_for(t.kind());
            wanted.kinds |= kinds;
            wanted.add(tables, t.name_off, asked, kinds)?;
            if spec.parse(local, relo.type_id, relo.access_str_off, relo.kind).is_err() {
                continue;
            }
            for point in spec.points.iter().filter(|p| p.named) {
                let t = local.get(point.type_id);
                let name_off = match relo.kind.is_enumval() {
                    true => t.enumerator(point.index).map(|e| e.name_off),
                    false => t.member(point.index).map(|m| m.name_off),
                };
                wanted.add(tables, name_off.unwrap_or(0), 0, 0)?;
            }
        }
        if matches {
            wanted.add_all(tables)?;
        }
        Ok(wanted)
    }

    /// Adds the members and enumerators of all local types: more than matching compares, and simpler.
    fn add_all(&mut self, tables: &mut Tables<'_>) -> Result<()> {
        let local = self.local;
        for t in local.own_types().filter(|t| t.kind().is_composite() || t.kind().is_enum()) {
            self.most_rows = self.most_rows.max(t.vlen());
            let names = t.members().map(|m| m.name_off).chain(t.enumerators().map(|e| e.name_off));
            for name_off in names {
                self.add(tables, name_off, 0, 0)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, tables: &mut Tables<'_>, name_off: u32, asked: u32, kinds: u32) -> Result<()> {
        let name = names::essential(self.local.string(name_off));
        if name.is_empty() {
            return Ok(());
        }
        let h = hash_all(name);
        let at = match self.find(tables, h, name.as_bytes()) {
            Some(i) => i.saturating_mul(ENTRY),
            None => {
                let at = self.first(tables, h).saturating_mul(ENTRY);
                tables.insert(at, ENTRY)?;
                for (i, word) in (at..).zip([h, name_off, name.len() as u32, 0, 0, 0]) {
                    tables.set(i, word);
                }
                self.len = self.len.saturating_add(1);
                at
            }
        };
        for (i, bits) in [(3, asked), (4, kinds)] {
            let place = at.saturating_add(i);
            tables.set(place, tables.get(place) | bits);
        }
        Ok(())
    }

    /// The first entry of a hash of `h` or above.
    fn first(&self, tables: &Tables<'_>, h: u32) -> usize {
        let (mut low, mut high) = (0usize, self.len);
        while low < high {
            let middle = low.saturating_add(high) / 2;
            if tables.get(middle.saturating_mul(ENTRY)) < h {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// Number of the essential name `name`, whose hash is `h`.
    pub(super) fn find(&self, tables: &Tables<'_>, h: u32, name: &[u8]) -> Option<usize> {
        (self.first(tables, h)..self.len).take_while(|&i| tables.get(i.saturating_mul(ENTRY)) == h).find(
            |&i| {
                let at = i.saturating_mul(ENTRY);
                let len = tables.get(at.saturating_add(2)) as usize;
                let own = self.local.string(tables.get(at.saturating_add(1)));
                len == name.len() && own.as_bytes().get(..len) == Some(name)
            },
        )
    }

    /// A bit for each remainder of a hash, set where some name has it: most strings need no look into the table.
    pub(super) fn filter(&self, tables: &Tables<'_>) -> Filter {
        let mut filter = Filter { bits: [0; 128] };
        for i in 0..self.len {
            let h = tables.get(i.saturating_mul(ENTRY));
            if let Some(word) = filter.bits.get_mut(Filter::word(h)) {
                *word |= 1u32.wrapping_shl(h);
            }
        }
        filter
    }

    /// What is asked of a type of `kind` whose name is the one of number `i`; 0 where it is no candidate.
    pub(super) fn asked(&self, tables: &Tables<'_>, i: usize, kind: u8) -> u32 {
        let at = i.saturating_mul(ENTRY);
        let bit = bit(kind);
        if bit & tables.get(at.saturating_add(4)) == 0 { 0 } else { tables.get(at.saturating_add(3)) }
    }

    /// Notes that the name of number `i` has a candidate of `kind`.
    pub(super) fn found(&self, tables: &mut Tables<'_>, i: usize, kind: Kind) {
        let at = i.saturating_mul(ENTRY).saturating_add(5);
        tables.set(at, tables.get(at) | kinds_for(kind));
    }

    /// Whether a candidate of a kind like `kind` has the name of number `i`.
    pub(super) fn has_candidate(&self, tables: &Tables<'_>, i: usize, kind: u8) -> bool {
        tables.get(i.saturating_mul(ENTRY).saturating_add(5)) & bit(kind) != 0
    }

    /// Whether some root type has no candidate yet.
    pub(super) fn any_missing(&self, tables: &Tables<'_>) -> bool {
        (0..self.len).any(|i| self.missing(tables, i) != 0)
    }

    fn missing(&self, tables: &Tables<'_>, i: usize) -> u32 {
        let at = i.saturating_mul(ENTRY);
        tables.get(at.saturating_add(4)) & !tables.get(at.saturating_add(5))
    }

    /// From here on only root types without candidates have any more.
    pub(super) fn only_missing(&mut self, tables: &mut Tables<'_>) {
        self.kinds = 0;
        for i in 0..self.len {
            let missing = self.missing(tables, i);
            tables.set(i.saturating_mul(ENTRY).saturating_add(4), missing);
            self.kinds |= missing;
        }
    }
}

/// The bit of a kind of number `kind`; none for numbers that no kind of today has.
pub(super) fn bit(kind: u8) -> u32 {
    1u32.checked_shl(kind.into()).unwrap_or(0)
}

/// See [`Wanted::filter`].
pub(super) struct Filter {
    bits: [u32; 128],
}

impl Filter {
    fn word(h: u32) -> usize {
        (h >> 5 & 127) as usize
    }

    /// Whether a name may have hash `h`.
    pub(super) fn may_have(&self, h: u32) -> bool {
        self.bits.get(Filter::word(h)).is_some_and(|w| w & 1u32.wrapping_shl(h) != 0)
    }
}
