//! Results: entries of maps, counters with names, histograms.

use super::Printer;
use super::out::Out;
use super::write::{Style, Writer};
use crate::bytes::{Bytes, Endian, pieces};
use crate::error::Part;
use crate::id::TypeId;
use crate::pack::{How, ResultMap};

/// Columns of a histogram's longest bar.
const BAR: u64 = 40;

impl<'a> Printer<'a> {
    /// Prints one result with a newline: an entry of a map with its key, or a variable, whose key is empty. In front stands
    /// the result's name, in JSON as member `result`.
    ///
    /// ```text
    /// data key=59 count=3 total_ns=812                               How::Entries
    /// {"result":"data","key":59,"value":{"count":3,"total_ns":812}}
    /// stats S_READ=12 S_WRITE=3                                      How::Counters
    /// {"result":"stats","counters":{"S_READ":12,"S_WRITE":3}}
    /// hists key={dev=8388608}                                        How::Log2
    ///         from -> to           :      count |distribution
    ///            4 -> 7            :          2 |********************                    |
    ///            8 -> 15           :          4 |****************************************|
    /// {"result":"hists","key":{"dev":8388608},"log2":[{"from":4,"to":7,"count":2},{"from":8,"to":15,"count":4}]}
    /// ```
    ///
    /// Counters without a name are called by their index, and left out where they are 0. A histogram starts and ends with its
    /// first and last slot that is not 0.
    pub fn result(
        &self,
        out: &mut Out<'_>,
        result: &ResultMap<'_>,
        key_type: TypeId,
        key: &[u8],
        value: &[u8],
    ) {
        let mut w = Writer::new(out, self.style, key.len().saturating_add(value.len()));
        w.open_line();
        w.headline("result", result.name);
        match result.how {
            How::Entries => {
                self.key(&mut w, key_type, key);
                match self.style {
                    Style::Text => self.flat(&mut w, result.type_id, value),
                    Style::Json => self.named(&mut w, "value", result.type_id, value),
                }
            }
            How::Counters { labels } => self.counters(&mut w, result.type_id, labels, key, value),
            How::Log2 { offset, slots } => {
                self.key(&mut w, key_type, key);
                self.beside(&mut w, result.type_id, offset, value);
                let slots = Slots { value, at: offset as usize, n: slots, endian: self.layout.btf.endian() };
                slots.print(&mut w);
            }
        }
        w.close_line();
    }

    fn key(&self, w: &mut Writer<'_, '_>, ty: TypeId, key: &[u8]) {
        if !key.is_empty() {
            self.named(w, "key", ty, key);
        }
    }

    /// Prints counters by name. The key of a map's entry is the index of its first counter.
    fn counters(&self, w: &mut Writer<'_, '_>, ty: TypeId, labels: TypeId, key: &[u8], value: &[u8]) {
        let btf = self.layout.btf;
        let labels = btf.behind(labels);
        let elem = btf.element(ty);
        let size = btf.size_of(elem.id).unwrap_or(0) as usize;
        let first = Bytes::new(key, btf.endian(), Part::Event).u32(0).unwrap_or(0);
        if self.style == Style::Json {
            w.name(b"counters");
            w.open(b'{');
        }
        for (i, part) in pieces(value, size.max(1)).enumerate() {
            let Some(n) = self.layout.number(&elem, part, 0, None).filter(|_| w.step()) else { break };
            let index = (i as u64).saturating_add(first.into());
            match self.layout.enumerator(&labels, index, 32) {
                Some(name) => w.name(name.as_bytes()),
                None if n.raw == 0 => continue,
                None => w.number_name(index),
            }
            self.layout.scalar(w, &elem, n, None);
        }
        if self.style == Style::Json {
            w.close(b'}');
        }
    }

    /// Prints the members of a histogram's value other than the slots at byte `offset`.
    fn beside(&self, w: &mut Writer<'_, '_>, ty: TypeId, offset: u32, value: &[u8]) {
        let t = self.layout.btf.behind(ty);
        for m in t.members().filter(|m| m.bitfield_size == 0 && m.bit_offset / 8 != offset) {
            let name = self.layout.btf.string(m.name_off);
            let data = value.get(m.bit_offset as usize / 8..).unwrap_or(&[]);
            if !name.is_empty() && !data.is_empty() && w.step() {
                self.named(w, name, m.ty, data);
            }
        }
    }
}

/// The slots of a histogram: `n` counters of four bytes from byte `at` of `value`.
struct Slots<'v> {
    value: &'v [u8],
    at: usize,
    n: u32,
    endian: Endian,
}

/// A counter with the least and the largest value that it counts.
#[derive(Clone, Copy)]
struct Slot {
    from: u64,
    to: u64,
    count: u64,
}

impl Slots<'_> {
    /// Calls `each` for the slots between the empty ones at both ends. There are no more slots than bits in a number.
    #[inline(never)]
    fn used(&self, each: &mut dyn FnMut(Slot)) {
        let slots = self.value.get(self.at..).unwrap_or(&[]).as_chunks::<4>().0;
        let slots = slots.get(..(self.n.min(64) as usize)).unwrap_or(slots);
        let full = |s: &[u8; 4]| *s != [0; 4];
        let end = slots.iter().rposition(full).map_or(0, |last| last.saturating_add(1));
        let mut from = 0;
        let mut to = 1u64;
        let mut any = false;
        for s in slots.iter().take(end) {
            any |= full(s);
            if any {
                each(Slot { from, to, count: self.endian.u32(*s).into() });
            }
            from = to.wrapping_add(1);
            to = to << 1 | 1;
        }
    }

    fn print(&self, w: &mut Writer<'_, '_>) {
        if w.style == Style::Json {
            w.name(b"log2");
            w.open(b'[');
            self.used(&mut |slot| {
                w.element();
                w.open(b'{');
                for (name, n) in [("from", slot.from), ("to", slot.to), ("count", slot.count)] {
                    w.name(name.as_bytes());
                    w.unsigned(n);
                }
                w.close(b'}');
            });
            return w.close(b']');
        }
        let mut most = 1;
        self.used(&mut |slot| most = slot.count.max(most));
        w.out.put_str("\n        from -> to           :      count |distribution");
        self.used(&mut |slot| {
            w.out.put_byte(b'\n');
            w.out.put_u64_in(slot.from, 12);
            w.out.put_str(" -> ");
            let before = w.out.len();
            w.out.put_u64(slot.to);
            for _ in w.out.len().saturating_sub(before)..12 {
                w.out.put_byte(b' ');
            }
            w.out.put_str(" : ");
            w.out.put_u64_in(slot.count, 10);
            w.out.put_str(" |");
            let stars = slot.count.saturating_mul(BAR).checked_div(most).unwrap_or(0);
            for column in 0..BAR {
                w.out.put_byte(if column < stars { b'*' } else { b' ' });
            }
            w.out.put_byte(b'|');
        });
    }
}
