//! One BTF file: its header, its records in order, and the way back to a type by its id.

use super::work::Work;
use crate::btf::{Header, Kind, MAGIC, RECORD, Type};
use crate::bytes::Endian;
use crate::error::{Error, Part, Result};
use crate::id::TypeId;

/// Every so many records have their place kept, where the table of places has room for more.
const FIRST_STRIDE: u32 = 64;

/// A file whose header is read. Places are bytes from the file's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob {
    pub(super) file: u8,
    pub(super) endian: Endian,
    type_at: u32,
    type_end: u32,
    pub(super) str_at: u32,
    pub(super) str_len: u32,
    layout_at: u32,
    layout_len: u32,
    /// Id of its first type, and one past its last; the latter is known after the pass over the types.
    pub(super) first_id: u32,
    pub(super) id_end: u32,
    /// Offset of its first string: behind those of the kernel in a module.
    pub(super) first_name: u32,
    /// Table of the places of every `stride`th record.
    pub(super) marks_at: usize,
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
            layout_len: 0,
            first_id: 1,
            id_end: 1,
            first_name: 0,
            marks_at: 0,
            stride: FIRST_STRIDE,
            found_at: 0,
            found: 0,
        }
    }
}

/// A walk over the records of a blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Place of the next record.
    at: u32,
    /// Its id.
    id: u32,
}

impl Blob {
    /// Reads the header of file `file`; a module's ids and strings continue those of `kernel`.
    pub(super) fn open(work: &mut Work<'_, '_>, file: u8, kernel: Option<&Blob>) -> Result<Blob> {
        work.load(file, 0, 32);
        work.check()?;
        let header = Header::start(work.seen())?;
        // a part's start, which with the part is below 4 GiB
        let place = |off: u32, len: u32, part: Part| {
            let at = header.hdr_len.checked_add(off).filter(|at| at.checked_add(len).is_some());
            at.ok_or(Error::Truncated { part, at: off })
        };
        let type_at = place(header.type_off, header.type_len, Part::BtfTypes)?;
        let mut blob = Blob {
            file,
            endian: header.endian,
            type_at,
            type_end: type_at.wrapping_add(header.type_len),
            str_at: place(header.str_off, header.str_len, Part::BtfStrings)?,
            str_len: header.str_len,
            layout_at: place(header.layout_off, header.layout_len, Part::BtfLayout)?,
            layout_len: header.layout_len,
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
        Walk { at: self.type_at, id: self.first_id }
    }

    /// The record at `at`, without its trailing words.
    #[inline(never)]
    pub(super) fn record(&self, work: &mut Work<'_, '_>, id: u32, at: u32) -> Type<'static> {
        let words = [self.word(work, at, 0), self.word(work, at, 1), self.word(work, at, 2)];
        Type::head(TypeId(id), words)
    }

    /// Word `word` of the record at `at`.
    #[inline(never)]
    pub(super) fn word(&self, work: &mut Work<'_, '_>, at: u32, word: u32) -> u32 {
        let at = at.wrapping_add(word.wrapping_mul(4));
        self.endian.u32(work.four(self.file, at, self.type_end))
    }

    /// The next record and its place; `None` at the end.
    #[inline(never)]
    pub(super) fn next(&self, work: &mut Work<'_, '_>, walk: &mut Walk) -> Option<(u32, Type<'static>)> {
        let Walk { at, id } = *walk;
        if at >= self.type_end {
            return None;
        }
        let t = self.record(work, id, at);
        let number = t.kind_number();
        let (once, each) = match t.kind() {
            Kind::Void | Kind::Unknown => self.layout(work, id, number),
            kind => kind.trailing(),
        };
        // 24 bits of rows of 255 bytes at most
        let rows = (each as u32).wrapping_mul(t.vlen());
        let len = rows.saturating_add((once as u32).wrapping_add(RECORD as u32));
        if len > self.type_end.wrapping_sub(at) {
            work.fail(Error::Truncated { part: Part::BtfTypes, at: at.wrapping_sub(self.type_at) });
        }
        *walk = Walk { at: at.wrapping_add(len), id: id.wrapping_add(1) };
        (!work.failed()).then_some((at, t))
    }

    /// Bytes behind a record of a kind that is not known here, once and for each of its rows, as the file says.
    /// Source: `struct btf_layout`, `include/uapi/linux/btf.h` (kernel 7.1).
    #[cold]
    fn layout(&self, work: &mut Work<'_, '_>, id: u32, number: u8) -> (usize, usize) {
        let off = u32::from(number).wrapping_mul(4);
        if number == 0 || off.wrapping_add(4) > self.layout_len {
            work.fail(Error::UnknownKind { id: TypeId(id), kind: number });
        }
        // the window is over the types again with the next word
        match *work.load(self.file, self.layout_at.wrapping_add(off), 2) {
            [once, each] => (once.into(), each.into()),
            _ => {
                work.fail(Error::Truncated { part: Part::BtfLayout, at: off });
                (0, 0)
            }
        }
    }

    /// Every how many records of `limit` in all their place is kept. A record has 12 bytes or more.
    pub(super) fn set_stride(&mut self, limit: u32) {
        let bytes = self.type_end.wrapping_sub(self.type_at);
        let each = bytes.checked_div(limit.wrapping_mul(RECORD as u32)).unwrap_or(0);
        self.stride = each.wrapping_add(1).max(FIRST_STRIDE);
    }

    /// Number of the place that is kept of record number `n`, and how many records that one is before it.
    fn mark(&self, n: u32) -> (usize, u32) {
        let mark = n.checked_div(self.stride).unwrap_or(0);
        (self.marks_at.wrapping_add(mark as usize), n.wrapping_sub(mark.wrapping_mul(self.stride)))
    }

    /// Keeps the place `at` of record number `n`, if it is one of every so many.
    pub(super) fn keep(&self, work: &mut Work<'_, '_>, n: u32, at: u32) {
        if let (place, 0) = self.mark(n) {
            work.set(place, at);
        }
    }

    /// Place of the type of id `id`, which is this blob's.
    pub(super) fn locate(&self, work: &mut Work<'_, '_>, id: u32) -> u32 {
        let Some(n) = id.checked_sub(self.first_id).filter(|_| id < self.id_end) else {
            work.fail(Error::NoSuchType { id: TypeId(id) });
            return 0;
        };
        let (place, rest) = self.mark(n);
        let mut walk = Walk { at: work.get(place), id: id.wrapping_sub(rest) };
        for _ in 0..rest {
            self.next(work, &mut walk);
        }
        walk.at
    }

    /// Whether a name at offset `name_off` of a type of this blob is one that matters: its number.
    #[inline(never)]
    pub(super) fn named(&self, work: &Work<'_, '_>, name_off: u32) -> Option<usize> {
        let (mut low, mut high) = (0usize, self.found);
        while low < high {
            let middle = low.wrapping_add(high) / 2;
            let at = self.found_at.wrapping_add(middle.wrapping_mul(2));
            let off = work.get(at);
            if off == name_off {
                return Some(work.get(at.wrapping_add(1)) as usize);
            }
            if off < name_off {
                low = middle.wrapping_add(1);
            } else {
                high = middle;
            }
        }
        None
    }
}
