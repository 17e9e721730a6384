//! What the candidates consist of: their records and those that matching can go on to, fetched by id.

use super::scan::{Blob, Head, RECORD, STRIDE, Scanned, vlen};
use super::{Error, Reach, TypeId};
use anyhow::Result;
use corelet_core::Part;
use corelet_core::btf::Kind;
use std::collections::BTreeMap;

/// A fetched record.
pub(super) struct Record {
    pub(super) head: Head,
    /// All of its bytes, as they stand in the blob.
    pub(super) bytes: Vec<u8>,
    /// Whether its members were followed; those of a composite that only its name counts of were not.
    pub(super) members: bool,
    /// The ways it was reached.
    reached: Vec<Reach>,
}

/// Where names and ids stand in what trails a record, in words: rows from `RECORD` on.
pub(super) struct Rows {
    /// Number of rows.
    pub(super) count: usize,
    /// Words of a row.
    pub(super) words: usize,
    /// The first word is an offset of a name.
    pub(super) name: bool,
    /// Words that are ids.
    pub(super) ids: &'static [usize],
}

impl Rows {
    /// Of a record of `kind` and `vlen` elements.
    pub(super) fn of(kind: Kind, vlen: usize) -> Rows {
        let (count, words, name, ids): (_, _, _, &[usize]) = match kind {
            Kind::Struct | Kind::Union => (vlen, 3, true, &[1]),
            Kind::FuncProto => (vlen, 2, true, &[1]),
            Kind::Enum => (vlen, 2, true, &[]),
            Kind::Enum64 => (vlen, 3, true, &[]),
            Kind::Datasec => (vlen, 3, false, &[0]),
            Kind::Array => (1, 3, false, &[0, 1]),
            _ => (0, 1, false, &[]),
        };
        Rows { count, words, name, ids }
    }
}

impl Record {
    /// Word number `index` of the record.
    pub(super) fn word(&self, blob: &Blob<'_>, index: usize) -> u32 {
        let bytes = self.bytes.get(index * 4..).and_then(|b| b.first_chunk());
        blob.header.endian.u32(*bytes.unwrap_or(&[0; 4]))
    }

    /// Its rows.
    pub(super) fn rows(&self, blob: &Blob<'_>) -> Rows {
        Rows::of(self.head.kind, vlen(self.word(blob, 1)))
    }

    /// The types that matching can go on to from here, and how.
    fn next(&self, blob: &Blob<'_>, reach: Reach, mut found: impl FnMut(TypeId, Reach)) {
        let kind = self.head.kind;
        let target = TypeId(self.word(blob, 2));
        match kind {
            // names only, behind it, until a struct's members are entered anew
            Kind::Ptr if reach.pointers => found(target, Reach { members: false, ..reach }),
            Kind::FuncProto if reach.pointers => found(target, reach),
            Kind::Ptr | Kind::FuncProto | Kind::Func => return,
            Kind::Struct | Kind::Union if !reach.members => return,
            _ if kind.refers_to_type() => found(target, reach),
            Kind::Struct | Kind::Union | Kind::Array => {}
            _ => return,
        }
        let rows = self.rows(blob);
        for row in 0..rows.count {
            for id in rows.ids {
                found(TypeId(self.word(blob, RECORD / 4 + row * rows.words + id)), reach);
            }
        }
    }
}

/// Fetches the `roots` and all that can be read from there.
pub(super) fn close(
    blob: &Blob<'_>,
    scanned: &Scanned,
    roots: Vec<(TypeId, Reach)>,
) -> Result<BTreeMap<TypeId, Record>> {
    let mut kept: BTreeMap<TypeId, Record> = BTreeMap::new();
    let mut fetch = Fetch { blob, scanned, block: None, bytes: Vec::new() };
    let mut open = roots;
    while !open.is_empty() {
        // neighbours are fetched together
        open.sort_unstable();
        open.dedup();
        let mut next = Vec::new();
        for (id, reach) in open {
            let record = match kept.entry(id) {
                std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
                std::collections::btree_map::Entry::Vacant(e) => e.insert(fetch.record(id)?),
            };
            if record.reached.contains(&reach) {
                continue;
            }
            record.reached.push(reach);
            record.members |= reach.members;
            record.next(blob, reach, |id, reach| {
                if id != TypeId::VOID {
                    next.push((id, reach));
                }
            });
        }
        open = next;
    }
    Ok(kept)
}

/// Reads records by id.
struct Fetch<'x> {
    blob: &'x Blob<'x>,
    scanned: &'x Scanned,
    /// The block that `bytes` hold.
    block: Option<usize>,
    bytes: Vec<u8>,
}

impl Fetch<'_> {
    fn record(&mut self, id: TypeId) -> Result<Record> {
        let (blob, places) = (self.blob, &self.scanned.places);
        let missing = || blob.bad(Error::NoSuchType { id });
        if id.0 > self.scanned.count {
            return Err(missing());
        }
        let index = id.0.checked_sub(1).ok_or_else(missing)?;
        let block = (index / STRIDE) as usize;
        let start = *places.get(block).ok_or_else(missing)?;
        if self.block != Some(block) {
            let end = places.get(block + 1).copied().unwrap_or(blob.header.type_len);
            let mut buffer = std::mem::take(&mut self.bytes);
            let len = (end - start) as usize;
            let bytes = blob.types(start, len, &mut buffer)?;
            // of a file the bytes are in the buffer already
            if matches!(blob.source, super::Source::Memory(_)) {
                let bytes = bytes.to_vec();
                buffer = bytes;
            }
            (self.bytes, self.block) = (buffer, Some(block));
        }
        let mut rest = &self.bytes[..];
        // what was checked may have changed in the file since
        let cut = || blob.bad(Error::Truncated { part: Part::BtfTypes, at: start });
        for step in 0..=index % STRIDE {
            let head = blob.head(rest.first_chunk().ok_or_else(cut)?, id).map_err(|e| blob.bad(e))?;
            let bytes = rest.get(..head.len).ok_or_else(cut)?;
            if step == index % STRIDE {
                return Ok(Record { head, bytes: bytes.to_vec(), members: false, reached: Vec::new() });
            }
            rest = &rest[head.len..];
        }
        Err(missing())
    }
}
