//! The kept types as a BTF blob of 24 header bytes, types and strings, in the order of their nodes.

use super::Select;
use super::blob::Blob;
use super::close::Node;
use super::wanted::ask;
use crate::btf::{Kind, MAGIC, RECORD, Type};
use crate::bytes::Endian;
use crate::error::{Error, Limit, Part, Result};
use crate::id::TypeId;
use crate::limits::KERNEL_BTF_WINDOW;

/// Words of the header.
const HEADER: usize = 6;
/// Bytes of a name that are read at first.
const NAME: u64 = 64;

impl Select<'_, '_, '_> {
    /// Writes the blob and the ids behind it: where it begins in the tables' bytes, and the bytes of each.
    pub(super) fn write(&mut self) -> Result<(usize, usize, usize)> {
        let endian = self.blob(0).endian;
        let start = self.tables.front(HEADER)?;
        let types = self.tables.end();
        for i in 0..self.nodes {
            self.write_type(i, endian)?;
        }
        let strings = self.tables.end();
        let str_len = self.write_names(types, strings, endian)?;
        let ids = self.write_ids(strings, str_len)?;
        self.tables.used(strings, str_len.saturating_add(ids));
        let bytes = |words: usize| words.saturating_mul(4);
        let type_len = bytes(strings.saturating_sub(types));
        let header = bytes(HEADER);
        let [m, n] = endian.from_u16(MAGIC);
        self.tables.set(start, u32::from_ne_bytes([m, n, 1, 0]));
        let words = [header, 0, type_len, type_len, str_len];
        for (at, word) in (start.saturating_add(1)..).zip(words) {
            self.put(at, word as u32, endian);
        }
        Ok((bytes(start), header.saturating_add(type_len).saturating_add(str_len), ids))
    }

    /// Puts a word in the blob's byte order at `at`.
    fn put(&mut self, at: usize, word: u32, endian: Endian) {
        self.tables.set(at, u32::from_ne_bytes(endian.from_u32(word)));
    }

    fn push_words<const N: usize>(&mut self, words: [u32; N], endian: Endian) -> Result<()> {
        self.tables.push(words.map(|w| u32::from_ne_bytes(endian.from_u32(w))))
    }

    /// The new id of a type that one of `file` refers to; void for one that is not kept.
    fn moved(&self, id: u32, file: u8) -> u32 {
        self.find_node(id, file).map_or(0, |i| i.saturating_add(1) as u32)
    }

    /// Writes the record of node `i`. Its names are still offsets in the source.
    fn write_type(&mut self, i: usize, endian: Endian) -> Result<()> {
        let node = self.node(i);
        let blob = self.blob(node.file);
        let t = blob.record(&mut self.reader, node.id, node.at)?;
        let mut name = 0;
        if Self::has_name(&node, &t) {
            name = t.name_off;
            self.check_twin(&blob, &node, &t)?;
        }
        let kind = t.kind();
        // what is neither compared nor measured stands as a kind that nothing is compatible with
        let written = match kind {
            Kind::Unknown | Kind::Var | Kind::Datasec | Kind::DeclTag => Kind::Func,
            kind => kind,
        };
        let target = match kind {
            k if k.is_modifier() || matches!(k, Kind::Ptr | Kind::FuncProto) => {
                self.moved(t.target().0, node.file)
            }
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Float => t.size(),
            _ => 0,
        };
        let info = self.tables.end().saturating_add(1);
        self.push_words([name, 0, target], endian)?;
        let matching = node.asked & (ask::MATCH | ask::MATCH_BEHIND) != 0;
        let vlen = match kind {
            Kind::Int => {
                let word = blob.word(&mut self.reader, node.at, (0, 0, 0))?;
                self.push_words([word], endian)?;
                0
            }
            Kind::Array => {
                let elem = blob.word(&mut self.reader, node.at, (0, 0, 0))?;
                let nelems = blob.word(&mut self.reader, node.at, (0, 0, 2))?;
                let elem = self.moved(elem, node.file);
                self.push_words([elem, 0, nelems], endian)?;
                0
            }
            Kind::FuncProto if matching || node.asked & ask::COMPAT != 0 => {
                for row in 0..t.vlen() {
                    let [_, ty] = blob.row2(&mut self.reader, node.at, row, 8)?;
                    let ty = self.moved(ty, node.file);
                    self.push_words([0, ty], endian)?;
                }
                t.vlen()
            }
            Kind::Struct | Kind::Union if node.asked & (ask::FIELDS | ask::MATCH) != 0 => {
                self.write_rows(&blob, &node, &t, 3, endian)?
            }
            Kind::Enum if matching || node.asked & ask::VALUES != 0 => {
                self.write_rows(&blob, &node, &t, 2, endian)?
            }
            Kind::Enum64 if matching || node.asked & ask::VALUES != 0 => {
                self.write_rows(&blob, &node, &t, 3, endian)?
            }
            _ => 0,
        };
        let word = u32::from(t.kflag()) << 31 | u32::from(written as u8) << 24 | vlen;
        self.put(info, word, endian);
        Ok(())
    }

    /// Refuses a module's type that is no candidate but would be taken for one by its name and kind: its twin in the kernel
    /// is the candidate.
    fn check_twin(&self, blob: &Blob, node: &Node, t: &Type<'_>) -> Result<()> {
        if node.file == 0 || node.asked & ask::CANDIDATE != 0 {
            return Ok(());
        }
        let twin = self.name_number(blob, t.name_off);
        if twin.is_some_and(|n| self.wanted.has_candidate(&self.tables, n, t.kind_number())) {
            return Err(Error::Ambiguous { first: TypeId(node.id), second: TypeId(node.id) });
        }
        Ok(())
    }

    /// Writes the members or enumerators that are kept, in rows of `words` words; returns their number.
    fn write_rows(
        &mut self,
        blob: &Blob,
        node: &Node,
        t: &Type<'_>,
        words: u32,
        endian: Endian,
    ) -> Result<u32> {
        let composite = t.kind().is_composite();
        let stride = words.saturating_mul(4);
        let kept = |s: &Self, name_off: u32| s.is_kept(blob, name_off) && (composite || name_off != 0);
        let (mut rows, mut last) = (0u32, true);
        for row in 0..t.vlen() {
            let name_off = blob.word(&mut self.reader, node.at, (row, stride, 0))?;
            last = kept(self, name_off);
            rows = rows.saturating_add(last.into());
        }
        // in place of the last member, so that what is not the last does not become it
        let end = u32::from(composite && !last);
        // in the place of others, so that a local type has no more rows where it had not more before; in front, so that
        // what is the last stays it
        let mut start = 0;
        if node.asked & (ask::MATCH | ask::MATCH_BEHIND) != 0 {
            start = t.vlen().min(self.wanted.most_rows).saturating_sub(rows).saturating_sub(end);
        }
        let nameless = |s: &mut Self, n: u32| {
            for _ in 0..n.saturating_mul(words) {
                s.push_words([0], endian)?;
            }
            Ok(())
        };
        nameless(self, start)?;
        for row in 0..t.vlen() {
            let [name_off, second] = blob.row2(&mut self.reader, node.at, row, stride)?;
            if !kept(self, name_off) {
                continue;
            }
            let second = if composite { self.moved(second, node.file) } else { second };
            self.push_words([name_off, second], endian)?;
            if words == 3 {
                let third = blob.word(&mut self.reader, node.at, (row, stride, 2))?;
                self.push_words([third], endian)?;
            }
        }
        nameless(self, end)?;
        Ok(start.saturating_add(rows).saturating_add(end))
    }

    /// Writes the names of all records, which stand from word `types` on, behind them; returns the bytes of all strings.
    fn write_names(&mut self, types: usize, strings: usize, endian: Endian) -> Result<usize> {
        let mut len = 0usize;
        self.push_bytes(strings, &mut len, &[0])?;
        let mut at = types;
        for i in 0..self.nodes {
            let blob = self.blob(self.node(i).file);
            let mut head = [0; RECORD];
            for (bytes, i) in head.as_chunks_mut::<4>().0.iter_mut().zip(at..) {
                *bytes = self.tables.get(i).to_ne_bytes();
            }
            let t = Type::head(TypeId(0), head, endian);
            self.write_name(&blob, at, strings, &mut len, endian)?;
            let (once, each) = t.kind().trailing();
            at = at.saturating_add(RECORD.saturating_add(once) / 4);
            for _ in 0..t.vlen() {
                if each > 0 {
                    self.write_name(&blob, at, strings, &mut len, endian)?;
                    at = at.saturating_add(each / 4);
                }
            }
        }
        Ok(len)
    }

    /// Puts the name whose offset in the source is in word `at` behind the strings so far, if it is not among them, and its
    /// place there in that word.
    fn write_name(
        &mut self,
        blob: &Blob,
        at: usize,
        strings: usize,
        len: &mut usize,
        endian: Endian,
    ) -> Result<()> {
        let name_off = endian.u32(self.tables.get(at).to_ne_bytes());
        if name_off == 0 {
            return Ok(());
        }
        let from = self.blob_of_name(blob, name_off);
        let bad = Error::BadString { part: Part::BtfStrings, at: name_off };
        let off = name_off.saturating_sub(from.first_name);
        let rest = from.str_len.checked_sub(off).filter(|&rest| rest > 0).ok_or(bad)?;
        let place = from.str_at.saturating_add(off.into());
        let mut want = NAME;
        let text_len = loop {
            let seen = self.reader.load(from.file, place, want.min(rest.into()))?;
            if let Some(end) = seen.iter().position(|&b| b == 0) {
                break end.saturating_add(1);
            }
            if seen.len() as u64 == u64::from(rest) {
                return Err(bad);
            }
            if (seen.len() as u64) < want {
                return Err(Error::Truncated { part: Part::BtfStrings, at: name_off });
            }
            if want > NAME {
                return Err(Error::TooMany { what: Limit::KernelName, limit: KERNEL_BTF_WINDOW as u32 });
            }
            want = KERNEL_BTF_WINDOW as u64;
        };
        let text = self.reader.seen().get(..text_len).unwrap_or_default();
        let area = self.tables.bytes(strings);
        let known = area.get(..*len).and_then(|known| known.windows(text_len).position(|w| w == text));
        let new = match known {
            Some(at) => at,
            None => {
                let new = *len;
                let full = Err(self.tables.full());
                let area = self.tables.bytes(strings);
                let Some(into) = area.get_mut(new..).and_then(|a| a.get_mut(..text_len)) else { return full };
                into.iter_mut().zip(text).for_each(|(slot, b)| *slot = *b);
                *len = new.saturating_add(text_len);
                new
            }
        };
        self.put(at, new as u32, endian);
        Ok(())
    }

    /// Adds bytes behind the `len` from word `start` on.
    fn push_bytes(&mut self, start: usize, len: &mut usize, bytes: &[u8]) -> Result<()> {
        for &b in bytes {
            let full = self.tables.full();
            *self.tables.bytes(start).get_mut(*len).ok_or(full)? = b;
            *len = len.saturating_add(1);
        }
        Ok(())
    }

    /// Writes records `KernelId` of all candidates behind the strings: two numbers each, seven bits a byte from the lowest.
    fn write_ids(&mut self, strings: usize, str_len: usize) -> Result<usize> {
        let mut len = str_len;
        for i in 0..self.nodes {
            let node = self.node(i);
            if node.asked & ask::CANDIDATE == 0 {
                continue;
            }
            for mut number in [i.saturating_add(1) as u32, node.id] {
                while number > 0x7f {
                    self.push_bytes(strings, &mut len, &[number as u8 | 0x80])?;
                    number >>= 7;
                }
                self.push_bytes(strings, &mut len, &[number as u8])?;
            }
        }
        Ok(len.saturating_sub(str_len))
    }
}
