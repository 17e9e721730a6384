//! How much memory printing takes beyond the stream's buffers ([`super::STREAM_FIXED`]): sorted rows, stacks with their names,
//! values at the last print, events that are longer than a buffer. Most packs have none of it.
//!
//! Host and device compute it with this one function: it is a part of the formula that a pack carries ([`super::work`]).
//!
//! Time: each record of the sections is read once, and once more for each view.

use super::{Checked, Event, Format, Hint, Map, MapRole, ResultMap, STREAM_FIXED, View, section};
use crate::TypeId;
use crate::btf::Btf;

/// Bytes for the rows of a sorted result.
pub const ROWS: usize = 32 << 10;
/// Bytes for stacks and their names, at most: 1024 addresses in the kernel, 127 of a stack in user space, 26 KiB of names, and
/// what reading them takes.
pub const STACKS: usize = 64 << 10;
/// Largest event in bytes that there is memory for.
pub const MAX_EVENT: usize = 64 << 10;
/// Bytes that a record may have behind its event: a perf buffer's are padded so that they end on 8, four behind their size.
pub const EVENT_PADDING: usize = 7;

/// The sections of an object that say what is printed, each checked ([`super::check`]).
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a> {
    /// Section `BTF`, with the pointer size of BPF objects (8).
    pub btf: Btf<'a>,
    /// Section `MAPS`.
    pub maps: &'a [u8],
    /// Section `EVENTS`, maybe empty.
    pub events: &'a [u8],
    /// Section `RESULTS`, maybe empty.
    pub results: &'a [u8],
    /// Section `HINTS`, maybe empty.
    pub hints: &'a [u8],
    /// Section `VIEWS`, maybe empty.
    pub views: &'a [u8],
}

/// Bytes of each kind of memory, multiples of 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Printing {
    /// For a record that half the stream's buffers do not hold, and for what is printed of it.
    pub large: usize,
    /// [`ROWS`] or 0.
    pub rows: usize,
    /// Values of variables that are counted anew at each print.
    pub earlier: usize,
    /// [`STACKS`] or 0.
    pub stacks: usize,
}

impl Printing {
    /// What results and events of one object take.
    #[cold] // once, behind all loading
    #[inline(never)]
    pub fn of(p: &Printed<'_>) -> Printing {
        let mut all = Printing::default();
        for view in Checked::<View<'_>>::new(p.views, section::VIEWS) {
            if view.sort_size > 0 {
                all.rows = ROWS;
            }
            all.earlier = all.earlier.saturating_add(p.earlier(&view).saturating_add(7) & !7);
        }
        if p.has_stacks() {
            all.stacks = STACKS;
        }
        let largest = p.largest();
        if largest > STREAM_FIXED as usize / 2 {
            // one place to read it to, and one for what is printed of it: as text a number takes thrice its bytes
            all.large = (largest.saturating_add(7) & !7).saturating_mul(4);
        }
        all
    }

    /// What this object and `other` take, printed by one process.
    pub fn and(self, other: Printing) -> Printing {
        Printing {
            large: self.large.max(other.large),
            rows: self.rows.max(other.rows),
            earlier: self.earlier.saturating_add(other.earlier),
            stacks: self.stacks.max(other.stacks),
        }
    }

    /// All of it.
    pub fn bytes(&self) -> usize {
        let earlier = self.earlier.saturating_add(self.stacks);
        self.large.saturating_add(self.rows).saturating_add(earlier)
    }
}

impl Printed<'_> {
    /// Bytes of the variable that is counted anew at each print; 0 for what is none.
    #[cold] // as Printing::of
    pub fn earlier(&self, view: &View<'_>) -> usize {
        let record = Checked::<ResultMap<'_>>::new(self.results, section::RESULTS).at(view.result).ok();
        let record = record.filter(|_| view.clear);
        let map = |r: &ResultMap<'_>| Checked::<Map<'_>>::new(self.maps, section::MAPS).at(r.map).ok();
        let variable = record.filter(|r| map(r).is_some_and(|m| m.role != MapRole::Declared));
        variable.map_or(0, |r| self.size(r.type_id))
    }

    /// Whether results have stacks or addresses in the kernel.
    #[cold] // as Printing::of
    pub fn has_stacks(&self) -> bool {
        let of_device = |f: Format| {
            matches!(
                f,
                Format::KernelStack { .. } | Format::UserStack { .. } | Format::Ksym | Format::Ksyms { .. }
            )
        };
        !self.results.is_empty()
            && (Checked::<Hint>::new(self.hints, section::HINTS).any(|h| of_device(h.format))
                || Checked::<View<'_>>::new(self.views, section::VIEWS)
                    .any(|v| of_device(v.key) || of_device(v.value)))
    }

    /// Bytes of the largest event with padding, or of the largest value that is a result; [`MAX_EVENT`] at most.
    #[cold] // as Printing::of
    pub fn largest(&self) -> usize {
        let results = Checked::<ResultMap<'_>>::new(self.results, section::RESULTS);
        let values = results.map(|r| self.size(r.type_id)).max().unwrap_or(0);
        let events = Checked::<Event<'_>>::new(self.events, section::EVENTS);
        let events = events.map(|e| self.size(e.type_id)).max().unwrap_or(0);
        events.saturating_add(EVENT_PADDING).max(values).min(MAX_EVENT)
    }

    fn size(&self, ty: TypeId) -> usize {
        self.btf.size_of(ty).unwrap_or(0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_objects_rows_and_stacks_are_shared_and_earlier_values_are_not() {
        let a = Printing { large: 40_000, rows: ROWS, earlier: 64, stacks: 0 };
        let b = Printing { large: 36_000, rows: 0, earlier: 128, stacks: STACKS };
        let both = a.and(b);
        assert_eq!(both, Printing { large: 40_000, rows: ROWS, earlier: 192, stacks: STACKS });
        assert_eq!(both.bytes(), 40_000 + ROWS + 192 + STACKS);
    }
}
