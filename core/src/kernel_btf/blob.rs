//! One BTF file: its header, its records in order, and the way back to a type by its id.

use super::source::Reader;
use super::tables::Tables;
use crate::btf::{Header, Kind, MAGIC, RECORD, Type};
use crate::bytes::Endian;
use crate::error::{Error, Part, Result};
use crate::id::TypeId;

/// Every so many records have their place kept, before the table of places is full.
const FIRST_STRIDE: u32 = 64;

/// A file whose header is read. Places of parts are from the file's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob {
    pub(super) file: u8,
    pub(super) endian: Endian,
    type_at: u64,
    type_end: u64,
    pub(super) str_at: u64,
    pub(super) str_len: u32,
    layout_at: u64,
    layout_end: u64,
    /// Id of its first type, and one past its last; the latter is known after the pass over the types.
    pub(super) first_id: u32,
    pub(super) id_end: u32,
    /// Offset of its first string: behind those of the kernel in a module.
    pub(super) first_name: u32,
    /// Table of the places of every `stride`th record.
    pub(super) marks_at: usize,
    marks: u32,
    stride: u32,
    /// Table of the offsets of names that matter, pairs of offset and number of the name, by offset.
    pub(super) found_at: usize,
    pub(super) found: usize,
}

impl Default for Blob {
    fn default() -> Self {
        Blob {
            file: 0,
            endian: Endian::HOST,
            type_at: 0,
            type_end: 0,
            str_at: 0,
            str_len: 0,
            layout_at: 0,
            layout_end: 0,
            first_id: 1,
            id_end: 1,
            first_name: 0,
            marks_at: 0,
            marks: 0,
            stride: FIRST_STRIDE,
            found_at: 0,
            found: 0,
        }
    }
}

/// A walk over the records of a blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Place of the next record in the type section.
    at: u32,
    /// Its id.
    id: u32,
}

impl Blob {
    /// Reads the header of file `file`; a module's ids and strings continue those of `kernel`.
    pub(super) fn open(reader: &mut Reader<'_, '_>, file: u8, kernel: Option<&Blob>) -> Result<Blob> {
        let header = Header::start(reader.load(file, 0, 32)?)?;
        let part = |off: u32, len: u32| {
            let at = u64::from(header.hdr_len).saturating_add(off.into());
            (at, at.saturating_add(len.into()))
        };
        let (type_at, type_end) = part(header.type_off, header.type_len);
        let (str_at, _) = part(header.str_off, header.str_len);
        let (layout_at, layout_end) = part(header.layout_off, header.layout_len);
        let mut blob = Blob {
            file,
            endian: header.endian,
            type_at,
            type_end,
            str_at,
            str_len: header.str_len,
            layout_at,
            layout_end,
            ..Blob::default()
        };
        if let Some(kernel) = kernel {
            if kernel.endian != blob.endian {
                return Err(Error::BadMagic { part: Part::BtfHeader, found: MAGIC.swap_bytes().into() });
            }
            (blob.first_id, blob.id_end) = (kernel.id_end, kernel.id_end);
            blob.first_name = kernel.str_len;
        }
        Ok(blob)
    }

    /// A walk from the first record.
    pub(super) fn walk(&self) -> Walk {
        Walk { at: 0, id: self.first_id }
    }

    /// The record at `at` of the type section, without its trailing words.
    pub(super) fn record(&self, reader: &mut Reader<'_, '_>, id: u32, at: u32) -> Result<Type<'static>> {
        let head = self.bytes::<RECORD>(reader, at)?;
        Ok(Type::head(TypeId(id), head, self.endian))
    }

    /// The first two words of row `row` of rows of `stride` bytes, which trail the record at `at`.
    pub(super) fn row2(
        &self,
        reader: &mut Reader<'_, '_>,
        at: u32,
        row: u32,
        stride: u32,
    ) -> Result<[u32; 2]> {
        let [a, b, c, d, e, f, g, h] = self.bytes::<8>(reader, row_at(at, row, stride))?;
        Ok([self.endian.u32([a, b, c, d]), self.endian.u32([e, f, g, h])])
    }

    /// Word `word` of row `row`, likewise.
    pub(super) fn word(
        &self,
        reader: &mut Reader<'_, '_>,
        at: u32,
        (row, stride, word): (u32, u32, u32),
    ) -> Result<u32> {
        let place = row_at(at, row, stride).saturating_add(word.saturating_mul(4));
        Ok(self.endian.u32(self.bytes::<4>(reader, place)?))
    }

    fn bytes<const N: usize>(&self, reader: &mut Reader<'_, '_>, at: u32) -> Result<[u8; N]> {
        let short = Error::Truncated { part: Part::BtfTypes, at };
        let place = self.type_at.saturating_add(at.into());
        if place.saturating_add(N as u64) > self.type_end {
            return Err(short);
        }
        reader.array(self.file, (place, self.type_end), Part::BtfTypes)
    }

    /// The next record and its place; `None` at the end.
    pub(super) fn next(
        &self,
        reader: &mut Reader<'_, '_>,
        walk: &mut Walk,
    ) -> Result<Option<(u32, Type<'static>)>> {
        let at = walk.at;
        if self.type_at.saturating_add(at.into()) >= self.type_end {
            return Ok(None);
        }
        let t = self.record(reader, walk.id, at)?;
        let number = t.kind_number();
        let unknown = Error::UnknownKind { id: t.id, kind: number };
        let (once, each) = match t.kind() {
            Kind::Void => return Err(unknown),
            Kind::Unknown => self.layout(reader, number)?.ok_or(unknown)?,
            kind => kind.trailing(),
        };
        let len = (each as u64).saturating_mul(t.vlen().into()).saturating_add(once as u64);
        let end = len.saturating_add(RECORD as u64).saturating_add(at.into());
        let short = Error::Truncated { part: Part::BtfTypes, at };
        if self.type_at.saturating_add(end) > self.type_end {
            return Err(short);
        }
        *walk = Walk { at: u32::try_from(end).map_err(|_| short)?, id: walk.id.saturating_add(1) };
        Ok(Some((at, t)))
    }

    /// Bytes behind a record of a kind that is not known here, once and for each of its rows; `None` where the file does not
    /// say. Source: `struct btf_layout`, `include/uapi/linux/btf.h` (kernel 7.1).
    fn layout(&self, reader: &mut Reader<'_, '_>, number: u8) -> Result<Option<(usize, usize)>> {
        let at = self.layout_at.saturating_add(u64::from(number).saturating_mul(4));
        if at.saturating_add(4) > self.layout_end {
            return Ok(None);
        }
        // beside the window, which stays where it is
        let mut entry = [0u8; 4];
        let mut read = 0usize;
        while let Some(rest) = entry.get_mut(read..).filter(|r| !r.is_empty()) {
            match reader.source.read_at(self.file, at.saturating_add(read as u64), rest)? {
                0 => return Err(Error::Truncated { part: Part::BtfLayout, at: number.into() }),
                n => read = read.saturating_add(n),
            }
        }
        let [once, each, ..] = entry;
        Ok(Some((once.into(), each.into())))
    }

    /// Keeps the place `at` of the type of number `n` in this blob, if it is one of every so many. Where `limit` places are
    /// full, every second of them is dropped.
    pub(super) fn mark(&mut self, tables: &mut Tables<'_>, n: u32, at: u32, limit: u32) {
        if n.checked_rem(self.stride) != Some(0) {
            return;
        }
        if self.marks == limit {
            self.marks /= 2;
            self.stride = self.stride.saturating_mul(2);
            for i in 0..self.marks as usize {
                let kept = tables.get(self.marks_at.saturating_add(i.saturating_mul(2)));
                tables.set(self.marks_at.saturating_add(i), kept);
            }
            if n.checked_rem(self.stride) != Some(0) {
                return;
            }
        }
        tables.set(self.marks_at.saturating_add(self.marks as usize), at);
        self.marks = self.marks.saturating_add(1);
    }

    /// Place of the type of id `id`, which is this blob's.
    pub(super) fn locate(&self, reader: &mut Reader<'_, '_>, tables: &Tables<'_>, id: u32) -> Result<u32> {
        let missing = Error::NoSuchType { id: TypeId(id) };
        let n = id.checked_sub(self.first_id).filter(|_| id < self.id_end).ok_or(missing)?;
        let mark = n.checked_div(self.stride).unwrap_or(0);
        let rest = n.checked_rem(self.stride).unwrap_or(0);
        let at = tables.get(self.marks_at.saturating_add(mark as usize));
        let mut walk = Walk { at, id: id.saturating_sub(rest) };
        for _ in 0..rest {
            self.next(reader, &mut walk)?.ok_or(missing)?;
        }
        Ok(walk.at)
    }

    /// Whether a name at offset `name_off` of a type of this blob is one that matters: its number.
    pub(super) fn named(&self, tables: &Tables<'_>, name_off: u32) -> Option<usize> {
        let (mut low, mut high) = (0usize, self.found);
        while low < high {
            let middle = low.saturating_add(high) / 2;
            let at = self.found_at.saturating_add(middle.saturating_mul(2));
            let off = tables.get(at);
            if off == name_off {
                return Some(tables.get(at.saturating_add(1)) as usize);
            }
            if off < name_off {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        None
    }
}

fn row_at(at: u32, row: u32, stride: u32) -> u32 {
    at.saturating_add(RECORD as u32).saturating_add(row.saturating_mul(stride))
}
