//! Reading packs: the header and section table, then one section at a time, so that a device holds only what it uses.
//!
//! Time: linear in the table, of [`MAX_PACK_SECTIONS`] entries at most, and in each section that is read; a record by number
//! walks those before it.

use super::crc::{Crc, crc32};
use super::wire::{Reader, Wire};
use super::{CRITICAL, ENTRY_LEN, HEADER_LEN, MAGIC, VERSION, section};
use crate::bytes::{Bytes, Endian};
use crate::error::{Error, Limit, Part, Result};
use crate::limits::MAX_PACK_SECTIONS;
use std::marker::PhantomData;

/// The little-endian words that `bytes` start with; 0 behind their end.
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut out = [0; N];
    for (word, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    out
}

/// The first and the second half of a little-endian word.
fn halves(word: u32) -> (u16, u16) {
    (word as u16, (word >> 16) as u16)
}

/// The fixed start of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of sections.
    pub sections: u16,
    /// Length of the file in bytes.
    pub file_len: u32,
}

impl Header {
    /// Reads the first [`HEADER_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::BadMagic`] where it is no pack, [`Error::UnknownVersion`], [`Error::TooMany`] sections.
    pub fn parse(data: &[u8]) -> Result<Header> {
        let short = Error::Truncated { part: Part::PackHeader, at: data.len() as u32 };
        let [magic, _, version, file_len, _, _] = words(data.first_chunk::<HEADER_LEN>().ok_or(short)?);
        if !data.starts_with(&MAGIC) {
            return Err(Error::BadMagic { part: Part::PackHeader, found: magic });
        }
        let (version, sections) = halves(version);
        if version != VERSION {
            return Err(Error::UnknownVersion { found: version });
        }
        if usize::from(sections) > MAX_PACK_SECTIONS {
            return Err(Error::TooMany { what: Limit::Sections, limit: MAX_PACK_SECTIONS as u32 });
        }
        Ok(Header { sections, file_len })
    }

    /// Bytes of header and section table together.
    pub fn table_end(&self) -> usize {
        usize::from(self.sections).saturating_mul(ENTRY_LEN).saturating_add(HEADER_LEN)
    }
}

/// An entry of the section table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Section id.
    pub id: u16,
    /// Whether a reader must know the id.
    pub critical: bool,
    /// Number of the object or target it belongs to.
    pub owner: u16,
    /// Offset in the file, in bytes.
    pub offset: u32,
    /// Length in bytes.
    pub len: u32,
    /// CRC-32 of its bytes.
    pub crc: u32,
}

impl Entry {
    #[inline(never)]
    fn read(bytes: &[u8; ENTRY_LEN]) -> Entry {
        let [id, owner, offset, len, crc] = words(bytes);
        let (id, flags) = halves(id);
        let (owner, _) = halves(owner);
        Entry { id, critical: flags & CRITICAL != 0, owner, offset, len, crc }
    }

    /// Whether `bytes` are the section's.
    ///
    /// # Errors
    /// [`Error::BadChecksum`] with the section's id.
    pub fn verify(&self, bytes: &[u8]) -> Result<()> {
        if bytes.len() == self.len as usize && crc32(bytes) == self.crc {
            Ok(())
        } else {
            Err(Error::BadChecksum { part: Part::PackSection, id: self.id })
        }
    }
}

/// A checked section table over the first bytes of a file.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    header: Header,
    data: &'a [u8],
}

impl<'a> Table<'a> {
    /// Checks header and table, which `data` begins with; `file_len` is what the file system says.
    ///
    /// Proves: the checksum of header and table, that no critical section is unknown, that every section lies behind the
    /// table and inside the file, on a multiple of 8. Sections may share bytes.
    pub fn parse(data: &'a [u8], file_len: u64) -> Result<Table<'a>> {
        let header = Header::parse(data)?;
        let data = Bytes::new(data, Endian::Little, Part::PackTable).slice(0, header.table_end())?;
        if u64::from(header.file_len) != file_len {
            return Err(Error::Truncated {
                part: Part::PackHeader,
                at: file_len.min(u32::MAX.into()) as u32,
            });
        }
        let b = Bytes::new(data, Endian::Little, Part::PackTable);
        let mut crc = Crc::new();
        crc.update(b.slice(0, 16)?);
        crc.update(&[0; 4]);
        crc.update(data.get(20..).unwrap_or(&[]));
        if crc.finish() != b.u32(16)? {
            return Err(Error::BadChecksum { part: Part::PackHeader, id: 0 });
        }
        let table = Table { header, data };
        for e in table.entries() {
            let end = e.offset.checked_add(e.len);
            let inside =
                e.offset as usize >= header.table_end() && end.is_some_and(|end| end <= header.file_len);
            if !inside || e.offset % 8 != 0 {
                return Err(Error::BadValue { part: Part::PackTable, at: e.offset, found: e.id.into() });
            }
            if e.critical && !section::known(e.id) {
                return Err(Error::UnknownSection { id: e.id });
            }
        }
        Ok(table)
    }

    /// The header.
    pub fn header(&self) -> Header {
        self.header
    }

    /// All entries, in file order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + use<'a> {
        let mut rest = self.data.get(HEADER_LEN..).unwrap_or(&[]);
        // one after the other: how many there are would be a division, which small machines do by a function
        std::iter::from_fn(move || {
            let (entry, behind) = rest.split_first_chunk::<ENTRY_LEN>()?;
            rest = behind;
            Some(Entry::read(entry))
        })
    }

    /// The section `id` of object or target `owner`.
    pub fn find(&self, id: u16, owner: u16) -> Option<Entry> {
        self.entries().find(|e| e.id == id && e.owner == owner)
    }

    /// The bytes of a section of a file that is wholly in memory, checksum verified; empty where it is left out.
    pub fn section<'f>(&self, file: &'f [u8], id: u16, owner: u16) -> Result<&'f [u8]> {
        let Some(e) = self.find(id, owner) else { return Ok(&[]) };
        let bytes =
            Bytes::new(file, Endian::Little, Part::PackSection).slice(e.offset as usize, e.len as usize)?;
        e.verify(bytes)?;
        Ok(bytes)
    }
}

/// The records of a section, decoded one at a time; [`Checked`] is for sections that were checked as a whole.
///
/// Ends at the section's end; an item that does not decode is an error and the last one.
#[derive(Clone, Debug)]
pub struct Records<'a, T> {
    reader: Reader<'a>,
    id: u16,
    index: u32,
    of: PhantomData<T>,
}

impl<'a, T: Wire<'a>> Records<'a, T> {
    /// The records in `bytes`, which are section `id`'s.
    pub fn new(bytes: &'a [u8], id: u16) -> Self {
        Records { reader: Reader::new(bytes), id, index: 0, of: PhantomData }
    }

    /// The record of number `index`.
    pub fn at(mut self, index: u16) -> Result<T> {
        for _ in 0..index {
            self.next();
        }
        self.next().unwrap_or(Err(Error::BadRecord { id: self.id, index: index.into() }))
    }
}

impl<'a, T: Wire<'a>> Iterator for Records<'a, T> {
    type Item = Result<T>;

    #[inline(never)] // one copy for every type of record
    fn next(&mut self) -> Option<Result<T>> {
        if self.reader.is_empty() {
            return None;
        }
        let record = T::read(&mut self.reader);
        if self.reader.failed() {
            return Some(Err(Error::BadRecord { id: self.id, index: self.index }));
        }
        self.index = self.index.saturating_add(1);
        Some(Ok(record))
    }
}

/// The records of a section in which [`super::check`] found nothing wrong, so that no record can fail any more.
///
/// In other bytes what does not decode is zeros and empty, and the last record.
#[derive(Clone, Debug)]
pub struct Checked<'a, T> {
    reader: Reader<'a>,
    id: u16,
    of: PhantomData<T>,
}

impl<'a, T: Wire<'a>> Checked<'a, T> {
    /// The records in `bytes`, which are section `id`'s.
    pub fn new(bytes: &'a [u8], id: u16) -> Self {
        Checked { reader: Reader::new(bytes), id, of: PhantomData }
    }

    /// The record of number `index`.
    ///
    /// # Errors
    /// [`Error::BadRecord`] where there is none.
    pub fn at(mut self, index: u16) -> Result<T> {
        for _ in 0..index {
            self.next();
        }
        self.next().ok_or(Error::BadRecord { id: self.id, index: index.into() })
    }
}

impl<'a, T: Wire<'a>> Iterator for Checked<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        (!self.reader.is_empty()).then(|| T::read(&mut self.reader))
    }
}

#[cfg(test)]
mod tests;
