//! The excerpt as a blob: the fetched records under new ids, with the strings that they name.

use super::closure::Record;
use super::scan::{Blob, RECORD};
use super::{Error, TypeId};
use anyhow::{Context, Result};
use corelet_core::Part;
use corelet_core::btf::MAGIC;
use std::collections::BTreeMap;

/// Bytes of the strings that are read at once.
const CHUNK: usize = 64 << 10;

/// Writes `kept`, in the order of the ids. References to what was not kept become void: nothing reads them.
pub(super) fn write(blob: &Blob<'_>, mut kept: BTreeMap<TypeId, Record>) -> Result<Vec<u8>> {
    let endian = blob.header.endian;
    let ids: Vec<TypeId> = kept.keys().copied().collect();
    let moved = |id: u32| ids.binary_search(&TypeId(id)).map_or(0, |at| at as u32 + 1);
    let strings = Strings::read(blob, kept.values())?;
    let mut types = Vec::new();
    for record in kept.values_mut() {
        let kind = record.head.kind;
        let rows = record.rows(blob);
        let put = |record: &mut Record, word: usize, value: u32| {
            if let Some(bytes) = record.bytes.get_mut(word * 4..word * 4 + 4) {
                bytes.copy_from_slice(&endian.from_u32(value));
            }
        };
        put(record, 0, strings.moved(record.head.name_off));
        if kind.refers_to_type() {
            let target = moved(record.word(blob, 2));
            put(record, 2, target);
        }
        if kind.is_composite() && !record.members {
            record.bytes.truncate(RECORD);
            let info = record.word(blob, 1) & !0x00ff_ffff;
            put(record, 1, info);
        } else {
            for row in 0..rows.count {
                let at = RECORD / 4 + row * rows.words;
                if rows.name {
                    let name = strings.moved(record.word(blob, at));
                    put(record, at, name);
                }
                for id in rows.ids {
                    let id = at + id;
                    let value = moved(record.word(blob, id));
                    put(record, id, value);
                }
            }
        }
        types.append(&mut record.bytes);
    }
    let (layout, types_len, strings_len) = (&blob.layout, types.len() as u32, strings.bytes.len() as u32);
    let mut out = Vec::with_capacity(32 + types.len() + layout.len() + strings.bytes.len());
    out.extend(endian.from_u16(MAGIC));
    out.extend([1, 0]);
    let layout_len = layout.len() as u32;
    for word in [32, 0, types_len, types_len + layout_len, strings_len, types_len, layout_len] {
        out.extend(endian.from_u32(word));
    }
    out.extend(types);
    out.extend(layout);
    out.extend(strings.bytes);
    Ok(out)
}

/// The strings of the excerpt, in the order of the blob.
struct Strings {
    /// Offsets in the blob, ascending.
    old: Vec<u32>,
    /// Offsets in the excerpt, one for each of `old`.
    new: Vec<u32>,
    bytes: Vec<u8>,
}

impl Strings {
    /// Reads the strings that `records` name.
    fn read<'r>(blob: &Blob<'_>, records: impl Iterator<Item = &'r Record>) -> Result<Strings> {
        let mut old = vec![0];
        for record in records {
            old.push(record.head.name_off);
            let rows = record.rows(blob);
            if rows.name && (record.members || !record.head.kind.is_composite()) {
                old.extend((0..rows.count).map(|row| record.word(blob, RECORD / 4 + row * rows.words)));
            }
        }
        old.sort_unstable();
        old.dedup();
        let mut out = Strings { new: Vec::with_capacity(old.len()), bytes: vec![0], old: Vec::new() };
        let mut buffer = Vec::new();
        let (mut start, mut window): (u32, &[u8]) = (0, &[]);
        for &at in &old {
            if at == 0 {
                out.new.push(0);
                continue;
            }
            if at >= blob.header.str_len {
                return Err(blob.bad(Error::BadString { part: Part::BtfStrings, at }));
            }
            let mut end = window.get((at - start) as usize..).and_then(|text| memchr::memchr(0, text));
            if end.is_none() {
                (start, window) = (at, blob.strings(at, CHUNK, &mut buffer)?);
                end = memchr::memchr(0, window);
            }
            out.new.push(out.bytes.len() as u32);
            match end {
                Some(end) => out.bytes.extend(&window[(at - start) as usize..][..end]),
                None => out.bytes.extend(blob.string(at).context("a very long name")?),
            }
            out.bytes.push(0);
        }
        out.old = old;
        Ok(out)
    }

    /// The offset in the excerpt of the string at `at` in the blob.
    fn moved(&self, at: u32) -> u32 {
        self.old.binary_search(&at).ok().and_then(|i| self.new.get(i)).copied().unwrap_or(0)
    }
}
