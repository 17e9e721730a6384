//! The names that matter: essential names of the relocations' root types, and of the members and enumerators of their specs.

use super::work::Work;
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
    #[inline(never)] // the spec is on the stack
    pub(super) fn new(
        local: &Btf<'l>,
        relos: &mut dyn Iterator<Item = Result<CoreRelo>>,
        work: &mut Work<'_, '_>,
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
            wanted.add(work, t.name_off, asked, kinds);
            if spec.parse(local, relo.type_id, relo.access_str_off, relo.kind).is_err() {
                continue;
            }
            for point in spec.points.iter().filter(|p| p.named) {
                let t = local.get(point.type_id);
                let name_off = match relo.kind.is_enumval() {
                    true => t.enumerator(point.index).map(|e| e.name_off),
                    false => t.member(point.index).map(|m| m.name_off),
                };
                wanted.add(work, name_off.unwrap_or(0), 0, 0);
            }
        }
        if matches {
            wanted.add_all(work);
        }
        Ok(wanted)
    }

    /// Adds the members and enumerators of all local types: more than matching compares, and simpler.
    fn add_all(&mut self, work: &mut Work<'_, '_>) {
        let local = self.local;
        for t in local.own_types().filter(|t| t.kind().is_composite() || t.kind().is_enum()) {
            self.most_rows = self.most_rows.max(t.vlen());
            let names = t.members().map(|m| m.name_off).chain(t.enumerators().map(|e| e.name_off));
            for name_off in names {
                self.add(work, name_off, 0, 0);
            }
        }
    }

    #[inline(never)]
    fn add(&mut self, work: &mut Work<'_, '_>, name_off: u32, asked: u32, kinds: u32) {
        let name = names::essential(self.local.string(name_off));
        if name.is_empty() {
            return;
        }
        let h = hash_all(name);
        let at = match self.find(work, h, name.as_bytes()) {
            Some(i) => i.wrapping_mul(ENTRY),
            None => {
                let at = self.first(work, h).wrapping_mul(ENTRY);
                work.insert(at, ENTRY);
                for (i, word) in (at..).zip([h, name_off, name.len() as u32, 0, 0, 0]) {
                    work.set(i, word);
                }
                self.len = self.len.wrapping_add(1);
                at
            }
        };
        for (i, bits) in [(3, asked), (4, kinds)] {
            let place = at.wrapping_add(i);
            work.set(place, work.get(place) | bits);
        }
    }

    /// The first entry of a hash of `h` or above.
    fn first(&self, work: &Work<'_, '_>, h: u32) -> usize {
        let (mut low, mut high) = (0usize, self.len);
        while low < high {
            let middle = low.wrapping_add(high) / 2;
            if work.get(middle.wrapping_mul(ENTRY)) < h {
                low = middle.wrapping_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// Number of the essential name `name`, whose hash is `h`.
    pub(super) fn find(&self, work: &Work<'_, '_>, h: u32, name: &[u8]) -> Option<usize> {
        (self.first(work, h)..self.len).take_while(|&i| work.get(i.wrapping_mul(ENTRY)) == h).find(|&i| {
            let at = i.wrapping_mul(ENTRY);
            let len = work.get(at.wrapping_add(2)) as usize;
            let own = self.local.string(work.get(at.wrapping_add(1)));
            len == name.len() && own.as_bytes().get(..len) == Some(name)
        })
    }

    /// A bit for each remainder of a hash, set where some name has it: most strings need no look into the table.
    pub(super) fn filter(&self, work: &Work<'_, '_>) -> Filter {
        let mut filter = Filter { bits: [0; 128] };
        for i in 0..self.len {
            let h = work.get(i.wrapping_mul(ENTRY));
            if let Some(word) = filter.bits.get_mut(Filter::word(h)) {
                *word |= 1u32.wrapping_shl(h);
            }
        }
        filter
    }

    /// What is asked of a type of `kind` whose name is the one of number `i`; 0 where it is no candidate.
    pub(super) fn asked(&self, work: &Work<'_, '_>, i: usize, kind: u8) -> u32 {
        let at = i.wrapping_mul(ENTRY);
        let bit = bit(kind);
        if bit & work.get(at.wrapping_add(4)) == 0 { 0 } else { work.get(at.wrapping_add(3)) }
    }

    /// Notes that the name of number `i` has a candidate of `kind`.
    pub(super) fn found(&self, work: &mut Work<'_, '_>, i: usize, kind: Kind) {
        let at = i.wrapping_mul(ENTRY).wrapping_add(5);
        work.set(at, work.get(at) | kinds_for(kind));
    }

    /// Whether a candidate of a kind like `kind` has the name of number `i`.
    pub(super) fn has_candidate(&self, work: &Work<'_, '_>, i: usize, kind: u8) -> bool {
        work.get(i.wrapping_mul(ENTRY).wrapping_add(5)) & bit(kind) != 0
    }

    fn missing(&self, work: &Work<'_, '_>, i: usize) -> u32 {
        let at = i.wrapping_mul(ENTRY);
        work.get(at.wrapping_add(4)) & !work.get(at.wrapping_add(5))
    }

    /// From here on only root types without candidates have any more.
    pub(super) fn only_missing(&mut self, work: &mut Work<'_, '_>) {
        self.kinds = 0;
        for i in 0..self.len {
            let missing = self.missing(work, i);
            work.set(i.wrapping_mul(ENTRY).wrapping_add(4), missing);
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
