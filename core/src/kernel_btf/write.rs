//! The kept types as a BTF blob of 24 header bytes, types and strings, in the order of their nodes.

use super::Select;
use super::blob::Blob;
use super::close::Node;
use super::wanted::ask;
use crate::btf::{Kind, MAGIC, RECORD, Type};
use crate::bytes::Endian;
use crate::error::{Error, Part};
use crate::id::TypeId;

/// Words of the header.
const HEADER: usize = 6;
/// Bytes of a name that are read at first.
const NAME: u32 = 64;

impl Select<'_, '_, '_> {
    /// Writes the blob and the ids behind it: where it begins in the tables' words, and the bytes of each.
    #[inline(never)]
    pub(super) fn write(&mut self) -> (usize, usize, usize) {
        let endian = self.blob(0).endian;
        let start = self.work.front(HEADER);
        let types = self.work.end();
        for i in 0..self.nodes {
            self.write_type(i, endian);
        }
        let strings = self.work.end();
        let mut len = 0;
        self.push_byte(strings, &mut len, 0);
        self.write_names(types, strings, &mut len, endian);
        let str_len = len;
        self.write_ids(strings, &mut len);
        self.work.front(len.div_ceil(4));
        let type_len = strings.wrapping_sub(types).wrapping_mul(4);
        let header = HEADER.wrapping_mul(4);
        let [m, n] = endian.from_u16(MAGIC);
        self.work.set(start, u32::from_ne_bytes([m, n, 1, 0]));
        for (at, word) in (start.wrapping_add(1)..).zip([header, 0, type_len, type_len, str_len]) {
            self.put(at, word as u32, endian);
        }
        (start, header.wrapping_add(type_len).wrapping_add(str_len), len.wrapping_sub(str_len))
    }

    /// Puts a word in the blob's byte order at `at`.
    fn put(&mut self, at: usize, word: u32, endian: Endian) {
        self.work.set(at, u32::from_ne_bytes(endian.from_u32(word)));
    }

    /// Writes the record of node `i`. Its names are still offsets in the source.
    fn write_type(&mut self, i: usize, endian: Endian) {
        let node = self.node(i);
        let blob = self.blob(node.file);
        let t = blob.record(&mut self.work, node.id, node.at);
        let mut name = 0;
        if Self::has_name(&node, &t) {
            name = t.name_off;
            self.check_twin(&blob, &node, &t);
        }
        let kind = t.kind();
        // what is neither compared nor measured stands as a kind that nothing is compatible with
        let written = match kind {
            Kind::Unknown | Kind::Var | Kind::Datasec | Kind::DeclTag => Kind::Func,
            kind => kind,
        };
        let target = match kind {
            k if k.is_modifier() || matches!(k, Kind::Ptr | Kind::FuncProto) => {
                self.find_node(t.target().0, node.file).map_or(0, |i| i.wrapping_add(1) as u32)
            }
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Float => t.size(),
            _ => 0,
        };
        let info = self.work.end().wrapping_add(1);
        for word in [name, 0, target] {
            self.work.push(u32::from_ne_bytes(endian.from_u32(word)));
        }
        let mut vlen = self.write_rows(&blob, &node, &t, endian);
        if matches!(kind, Kind::Int | Kind::Array) {
            vlen = 0;
        }
        let word = u32::from(t.kflag()) << 31 | u32::from(written as u8) << 24 | vlen;
        self.put(info, word, endian);
    }

    /// Refuses a module's type that is no candidate but would be taken for one by its name and kind: its twin in the kernel
    /// is the candidate.
    fn check_twin(&mut self, blob: &Blob, node: &Node, t: &Type<'_>) {
        if node.file != 0
            && node.asked & ask::CANDIDATE == 0
            && let Some(name) = self.name_number(blob, t.name_off)
            && self.wanted.has_candidate(&self.work, name, t.kind_number())
        {
            self.work.fail(Error::Ambiguous { first: t.id, second: t.id });
        }
    }

    /// Writes the rows that are kept; returns their number.
    fn write_rows(&mut self, blob: &Blob, node: &Node, t: &Type<'_>, endian: Endian) -> u32 {
        let kind = t.kind();
        let rows = Self::rows(t, node.asked);
        let first_row = self.work.end();
        let (mut count, mut last) = (0u32, true);
        for row in 0..rows.count {
            let place = row.wrapping_mul(rows.words).wrapping_add(3);
            let first = blob.word(&mut self.work, node.at, place);
            last = self.keeps(blob, kind, first);
            if !last {
                continue;
            }
            count = count.wrapping_add(1);
            for i in 0..rows.words {
                let mut word = blob.word(&mut self.work, node.at, place.wrapping_add(i));
                if i == rows.ty {
                    word = self.find_node(word, node.file).map_or(0, |i| i.wrapping_add(1) as u32);
                } else if matches!((kind, i), (Kind::Array, 1) | (Kind::FuncProto, 0)) {
                    // neither an array's index type nor a parameter's name is compared
                    word = 0;
                }
                self.work.push(u32::from_ne_bytes(endian.from_u32(word)));
            }
        }
        // A nameless member in place of the last, so that what is not the last does not become it. Where types are matched,
        // others in front, so that a local type has no more rows where it had not more before.
        let end = u32::from(kind.is_composite() && !last);
        let mut start = 0;
        if node.asked & (ask::MATCH | ask::MATCH_BEHIND) != 0 {
            start = rows.count.min(self.wanted.most_rows).saturating_sub(count).saturating_sub(end);
        }
        for (at, rows_more) in [(self.work.end(), end), (first_row, start)] {
            for _ in 0..rows_more.wrapping_mul(rows.words) {
                self.work.insert(at, 1);
                self.work.set(at, 0);
            }
        }
        start.wrapping_add(count).wrapping_add(end)
    }

    /// Writes the names of all records, which stand from word `types` on, behind the `len` bytes of strings.
    fn write_names(&mut self, types: usize, strings: usize, len: &mut usize, endian: Endian) {
        let mut at = types;
        for i in 0..self.nodes {
            let blob = self.blob(self.node(i).file);
            let info = endian.u32(self.work.get(at.wrapping_add(1)).to_ne_bytes());
            let t = Type::head(TypeId::VOID, [0, info, 0]);
            self.write_name(&blob, at, strings, len, endian);
            let (once, each) = t.kind().trailing();
            at = at.wrapping_add(RECORD.wrapping_add(once) / 4);
            for _ in 0..t.vlen() {
                self.write_name(&blob, at, strings, len, endian);
                at = at.wrapping_add(each / 4);
            }
        }
    }

    /// Puts the name whose offset in the source is in word `at` behind the strings so far, if it is not among them, and its
    /// place there in that word.
    #[inline(never)]
    fn write_name(&mut self, blob: &Blob, at: usize, strings: usize, len: &mut usize, endian: Endian) {
        let name_off = endian.u32(self.work.get(at).to_ne_bytes());
        if name_off == 0 {
            return;
        }
        let from = self.blob_of_name(blob, name_off);
        let off = name_off.wrapping_sub(from.first_name);
        let rest = from.str_len.saturating_sub(off);
        let mut text_len = 0;
        for want in [NAME, rest] {
            let seen = self.work.load(from.file, from.str_at.wrapping_add(off), want.min(rest));
            if let Some(end) = seen.iter().position(|&b| b == 0) {
                text_len = end.wrapping_add(1);
                break;
            }
        }
        // the pass over the strings saw where they end, so that this is an offset behind them
        if text_len == 0 {
            return self.work.fail(Error::BadString { part: Part::BtfStrings, at: name_off });
        }
        let (text, area) = self.work.seen_and_bytes(strings);
        let text = text.get(..text_len).unwrap_or_default();
        let known = (0..*len).find(|&i| area.get(i..i.wrapping_add(text_len)) == Some(text));
        let new = known.unwrap_or(*len);
        let end = new.wrapping_add(text_len);
        let Some(into) = area.get_mut(new..end) else { return self.work.full() };
        into.iter_mut().zip(text).for_each(|(slot, b)| *slot = *b);
        *len = end.max(*len);
        self.put(at, new as u32, endian);
    }

    /// Adds a byte behind the `len` from word `start` on.
    #[inline(never)]
    fn push_byte(&mut self, start: usize, len: &mut usize, byte: u8) {
        match self.work.seen_and_bytes(start).1.get_mut(*len) {
            Some(slot) => *slot = byte,
            None => self.work.full(),
        }
        *len = len.wrapping_add(1);
    }

    /// Writes records `KernelId` of all candidates behind the strings: two numbers each, seven bits a byte from the lowest.
    fn write_ids(&mut self, strings: usize, len: &mut usize) {
        for i in 0..self.nodes {
            let node = self.node(i);
            if node.asked & ask::CANDIDATE == 0 {
                continue;
            }
            for mut number in [i.wrapping_add(1) as u32, node.id] {
                while number > 0x7f {
                    self.push_byte(strings, len, number as u8 | 0x80);
                    number >>= 7;
                }
                self.push_byte(strings, len, number as u8);
            }
        }
    }
}
