//! Histograms: where their slots are, what each slot counts, and plots of them.

use super::value::Layout;
use super::write::{Style, Writer};
use crate::btf::{Btf, Kind};
use crate::bytes::{Bytes, Endian};
use crate::error::Part;
use crate::id::TypeId;
use crate::pack::{How, View};

/// Columns of a histogram's longest bar.
const BAR: u64 = 40;
/// Slots of a histogram whose slots are powers of two: as many as a number has bits.
const LOG2_SLOTS: u32 = 64;

/// Where a result has its histograms, and what they count.
#[derive(Clone, Copy)]
pub(super) struct Hist {
    offset: usize,
    slots: u32,
    size: u8,
    base: u32,
    step: u32,
    /// Names of the elements of an array of histograms.
    pub(super) labels: TypeId,
}

impl Hist {
    pub(super) fn of(how: How) -> Option<Hist> {
        match how {
            How::Log2 { offset, slots } => Some(Hist {
                offset: offset as usize,
                slots: slots.min(LOG2_SLOTS),
                size: 4,
                base: 0,
                step: 0,
                labels: TypeId::VOID,
            }),
            How::Hist { offset, slots, size, base, step, labels } => {
                let slots = if step == 0 { slots.min(LOG2_SLOTS) } else { slots };
                Some(Hist { offset: offset as usize, slots, size, base, step, labels })
            }
            How::Entries | How::Counters { .. } => None,
        }
    }

    /// Type and size of what holds one histogram: the elements of an array of structs, else the value of type `ty` itself.
    pub(super) fn element(btf: &Btf<'_>, ty: TypeId, len: usize) -> (TypeId, usize, bool) {
        let elem = btf.element(ty);
        let several = btf.behind(ty).kind() == Kind::Array && elem.kind().is_composite();
        let size = if several { btf.size_of(elem.id).unwrap_or(0) as usize } else { len };
        (if several { elem.id } else { ty }, size.max(1), several)
    }

    /// The bytes of the slots in one element, and of a slot.
    pub(super) fn range(&self) -> (usize, usize, usize) {
        let size = if self.size == 8 { 8 } else { 4 };
        (self.offset, (self.slots as usize).saturating_mul(size), size)
    }

    fn slot(&self, value: &[u8], endian: Endian, index: u32) -> u64 {
        let (offset, _, size) = self.range();
        let b = Bytes::new(value, endian, Part::Event);
        let at = offset.saturating_add((index as usize).saturating_mul(size));
        // what is cut off counts nothing
        if size == 8 { b.u64(at) } else { b.u32(at).map(u64::from) }.unwrap_or(0)
    }

    /// The values that slot `index` counts.
    fn bounds(&self, index: u32) -> (u64, u64) {
        if self.step == 0 {
            let to = (2u64.checked_shl(index).unwrap_or(0)).wrapping_sub(1);
            return (if index == 0 { 0 } else { (to >> 1).wrapping_add(1) }, to);
        }
        let from = u64::from(self.step).saturating_mul(index.into()).saturating_add(self.base.into());
        (from, from.saturating_add(self.step.into()).saturating_sub(1))
    }

    /// The slots between the empty ones at both ends.
    fn used(&self, value: &[u8], endian: Endian) -> core::ops::Range<u32> {
        // as many as there are bytes for
        let (offset, _, size) = self.range();
        let there = value.len().saturating_sub(offset).checked_div(size).unwrap_or(0);
        let slots = self.slots.min(u32::try_from(there).unwrap_or(u32::MAX));
        let full = |i: &u32| self.slot(value, endian, *i) != 0;
        let end = (0..slots).rev().find(full).map_or(0, |last| last.saturating_add(1));
        (0..end).find(full).unwrap_or(0)..end
    }

    /// Prints one histogram: in JSON as members of the line.
    pub(super) fn print(&self, w: &mut Writer<'_, '_>, value: &[u8], endian: Endian, unit: &str) {
        let used = self.used(value, endian);
        if w.style == Style::Json {
            if !unit.is_empty() {
                w.headline("unit", unit);
            }
            w.name(if self.step == 0 { b"log2" } else { b"linear" });
            w.open(b'[');
            for i in used {
                let (from, to) = self.bounds(i);
                w.element();
                w.open(b'{');
                for (name, n) in [("from", from), ("to", to), ("count", self.slot(value, endian, i))] {
                    w.name(name.as_bytes());
                    w.unsigned(n);
                }
                w.close(b'}');
            }
            return w.close(b']');
        }
        let mut most = 1;
        used.clone().for_each(|i| most = self.slot(value, endian, i).max(most));
        w.out.put_str("\n        from -> to ");
        fill(w, 9, |w| w.word(unit.as_bytes()));
        w.out.put_str(" :      count |distribution");
        for i in used {
            let ((from, to), count) = (self.bounds(i), self.slot(value, endian, i));
            w.out.put_byte(b'\n');
            w.out.put_u64_in(from, 12);
            w.out.put_str(" -> ");
            fill(w, 12, |w| w.out.put_u64(to));
            w.out.put_str(" : ");
            w.out.put_u64_in(count, 10);
            w.out.put_str(" |");
            let stars = count.saturating_mul(BAR).checked_div(most).unwrap_or(0);
            for column in 0..BAR {
                w.out.put_byte(if column < stars { b'*' } else { b' ' });
            }
            w.out.put_byte(b'|');
        }
    }
}

/// Prints with `print`, and spaces up to `width` bytes.
fn fill(w: &mut Writer<'_, '_>, width: usize, print: impl FnOnce(&mut Writer<'_, '_>)) {
    let before = w.out.len();
    print(w);
    for _ in w.out.len().saturating_sub(before)..width {
        w.out.put_byte(b' ');
    }
}

impl Layout<'_> {
    /// Prints the members of a histogram's value other than the slots.
    pub(super) fn beside(&self, w: &mut Writer<'_, '_>, ty: TypeId, hist: &Hist, value: &[u8]) {
        let t = self.btf.behind(ty);
        let slots = Some(hist.offset);
        self.members_but(w, &t, value, 0, slots);
    }
}

impl<'a> View<'a> {
    /// The unit that the variable chooses, which is in `data`, the contents of the map that holds it; empty for none.
    pub fn unit(&self, endian: Endian, data: &[u8]) -> &'a str {
        let bytes = data.get(self.unit_offset as usize..).and_then(|d| d.get(..self.unit_size.into()));
        let up = |n: usize, &b: &u8| n << 8 | usize::from(b);
        let index = bytes.map_or(0, |bytes| match endian {
            Endian::Little => bytes.iter().rev().fold(0, up),
            Endian::Big => bytes.iter().fold(0, up),
        });
        // not `str::split`, whose search of characters brings a panic
        let unit = self.units.as_bytes().split(|&b| b == b' ').nth(index);
        unit.and_then(|u| core::str::from_utf8(u).ok()).unwrap_or("")
    }
}
