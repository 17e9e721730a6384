//! `.BTF.ext`: what belongs to single instructions of a program: its functions, its source lines, its CO-RE relocations.
//!
//! Each of the three tables is one `u32` (bytes of a record) and then blocks, one for each section of instructions:
//! `u32` name of the section in the strings of `.BTF`, `u32` number of records, the records. Records of a newer compiler
//! may be longer than those known here; what is known comes first.
//!
//! [`BtfExt::parse`] proves that header, tables and blocks lie inside the section and that records are long enough. After
//! that the iterators cannot fail. Offsets of strings and ids of types are the object's words, to be looked up in its BTF.
//!
//! Memory: none. Time: linear, a step for each block. Source: `Documentation/bpf/btf.rst`; `struct btf_ext_header` and `btf_ext_parse`, libbpf.

use crate::bytes::{Bytes, Endian};
use crate::error::{Error, Part, Result};
use crate::id::TypeId;
use core::marker::PhantomData;

/// Bytes of the header without the part for CO-RE relocations (before clang 10).
const MIN_LEN: u32 = 24;
/// Bytes of the header with it.
const CORE_RELO_LEN: u32 = 32;

/// A parsed `.BTF.ext` section.
#[derive(Clone, Copy, Debug)]
pub struct BtfExt<'a> {
    endian: Endian,
    func_info: Table<'a, FuncInfo>,
    line_info: Table<'a, LineInfo>,
    core_relo: Table<'a, CoreRelo>,
}

/// `struct bpf_func_info`: the FUNC of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuncInfo {
    /// Start of the function in its section, in bytes.
    pub insn_off: u32,
    /// Its FUNC.
    pub type_id: TypeId,
}

/// `struct bpf_line_info`: the source of an instruction and of those up to the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineInfo {
    /// The instruction's offset in its section, in bytes.
    pub insn_off: u32,
    /// Offset of the file's name in the strings of `.BTF`.
    pub file_name_off: u32,
    /// Offset of the line's text in the strings of `.BTF`.
    pub line_off: u32,
    /// Line in the upper 22 bits, column in the lower 10.
    pub line_col: u32,
}

/// `struct bpf_core_relo`: a CO-RE relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRelo {
    /// The instruction's offset in its section, in bytes.
    pub insn_off: u32,
    /// Local root type.
    pub type_id: TypeId,
    /// Offset of the access string in the strings of `.BTF`.
    pub access_str_off: u32,
    /// `enum bpf_core_relo_kind`, not checked.
    pub kind: u32,
}

impl LineInfo {
    /// Line number, from 1.
    pub fn line(&self) -> u32 {
        self.line_col >> 10
    }

    /// Column, from 1; 0 where the compiler gives none.
    pub fn column(&self) -> u32 {
        self.line_col & 0x3ff
    }
}

/// A record of one of the tables.
pub trait Record: Copy {
    /// Bytes that are known of it.
    const LEN: u32;
    /// The table it is of, for errors.
    const PART: Part;
    /// Reads the record at byte `at` of `table`.
    fn read(table: &Bytes<'_>, at: usize) -> Result<Self>;
    /// The instruction's offset in its section, in bytes.
    fn insn_off(&self) -> u32;
}

impl Record for FuncInfo {
    const LEN: u32 = 8;
    const PART: Part = Part::FuncInfo;

    fn read(table: &Bytes<'_>, at: usize) -> Result<Self> {
        let [insn_off, type_id] = words(table, at)?;
        Ok(FuncInfo { insn_off, type_id: TypeId(type_id) })
    }

    fn insn_off(&self) -> u32 {
        self.insn_off
    }
}

impl Record for LineInfo {
    const LEN: u32 = 16;
    const PART: Part = Part::LineInfo;

    fn read(table: &Bytes<'_>, at: usize) -> Result<Self> {
        let [insn_off, file_name_off, line_off, line_col] = words(table, at)?;
        Ok(LineInfo { insn_off, file_name_off, line_off, line_col })
    }

    fn insn_off(&self) -> u32 {
        self.insn_off
    }
}

impl Record for CoreRelo {
    const LEN: u32 = 16;
    const PART: Part = Part::CoreRelos;

    fn read(table: &Bytes<'_>, at: usize) -> Result<Self> {
        let [insn_off, type_id, access_str_off, kind] = words(table, at)?;
        Ok(CoreRelo { insn_off, type_id: TypeId(type_id), access_str_off, kind })
    }

    fn insn_off(&self) -> u32 {
        self.insn_off
    }
}

fn words<const N: usize>(table: &Bytes<'_>, at: usize) -> Result<[u32; N]> {
    let mut out = [0; N];
    for (i, word) in out.iter_mut().enumerate() {
        *word = table.u32(at.saturating_add(i.saturating_mul(4)))?;
    }
    Ok(out)
}

/// One of the tables: its blocks in the order of the file.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a, R> {
    bytes: Bytes<'a>,
    record_size: u32,
    records: PhantomData<R>,
}

/// The records of one section of instructions.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a, R> {
    /// Offset of the section's name in the strings of `.BTF`.
    pub section_name_off: u32,
    table: Table<'a, R>,
    start: usize,
    count: u32,
}

impl<'a, R: Record> Table<'a, R> {
    fn parse(data: &'a [u8], endian: Endian) -> Result<Self> {
        let bytes = Bytes::new(data, endian, R::PART);
        let mut table = Table { bytes, record_size: 0, records: PhantomData };
        if data.is_empty() {
            return Ok(table);
        }
        table.record_size = bytes.u32(0)?;
        if table.record_size < R::LEN || !table.record_size.is_multiple_of(4) {
            return Err(Error::BadValue { part: R::PART, at: 0, found: table.record_size });
        }
        let mut at = 4;
        while let Some((_, next)) = table.block(at)? {
            at = next;
        }
        Ok(table)
    }

    /// The block at byte `at`, and where the next one starts; `None` at the end.
    fn block(&self, at: usize) -> Result<Option<(Block<'a, R>, usize)>> {
        if at >= self.bytes.len() {
            return Ok(None);
        }
        let [section_name_off, count] = words(&self.bytes, at)?;
        if count == 0 {
            let at = at.saturating_add(4) as u32;
            return Err(Error::BadValue { part: R::PART, at, found: 0 });
        }
        let start = at.saturating_add(8);
        let len = (self.record_size as usize).saturating_mul(count as usize);
        self.bytes.slice(start, len)?;
        Ok(Some((Block { section_name_off, table: *self, start, count }, start.saturating_add(len))))
    }

    /// The blocks in the order of the file.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'a, R>> + use<'a, R> {
        let table = *self;
        let mut at = 4usize;
        core::iter::from_fn(move || {
            let (block, next) = table.block(at).ok().flatten()?;
            at = next;
            Some(block)
        })
    }

    /// Number of records in all blocks.
    pub fn len(&self) -> u32 {
        self.blocks().fold(0, |n, b| n.saturating_add(b.count))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl<'a, R: Record> Block<'a, R> {
    /// Number of records.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Never: an empty block is refused.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Record number `index` within the section, the number that libbpf prints as `relo #N`.
    pub fn get(&self, index: u32) -> Option<R> {
        if index >= self.count {
            return None;
        }
        let at = (self.table.record_size as usize).saturating_mul(index as usize).saturating_add(self.start);
        R::read(&self.table.bytes, at).ok()
    }
}

impl<'a> BtfExt<'a> {
    /// Checks `data`, the bytes of a `.BTF.ext` section.
    ///
    /// # Errors
    /// [`Error::BadMagic`], [`Error::UnknownVersion`], [`Error::Truncated`]; [`Error::BadValue`] for a header or records
    /// that are too short, and for blocks without records.
    pub fn parse(data: &'a [u8]) -> Result<BtfExt<'a>> {
        let short = Error::Truncated { part: Part::BtfExtHeader, at: data.len() as u32 };
        let endian = match data {
            [0x9f, 0xeb, ..] => Endian::Little,
            [0xeb, 0x9f, ..] => Endian::Big,
            [a, b, ..] => {
                let found = u16::from_le_bytes([*a, *b]).into();
                return Err(Error::BadMagic { part: Part::BtfExtHeader, found });
            }
            _ => return Err(short),
        };
        // magic, version, flags, hdr_len, then offset and length of func_info and line_info
        let header = Bytes::new(data, endian, Part::BtfExtHeader);
        let fixed = || Ok((header.u8(2)?, header.u32(4)?, words(&header, 8)?));
        let (version, hdr_len, [func_off, func_len, line_off, line_len]) =
            fixed().map_err(|_: Error| short)?;
        if version != 1 {
            return Err(Error::UnknownVersion { found: version.into() });
        }
        if hdr_len < MIN_LEN {
            return Err(Error::BadValue { part: Part::BtfExtHeader, at: 4, found: hdr_len });
        }
        let tables = data.get(hdr_len as usize..).ok_or(short)?;
        let [relo_off, relo_len] = match hdr_len {
            CORE_RELO_LEN.. => words(&header, MIN_LEN as usize).map_err(|_| short)?,
            _ => [0, 0],
        };
        let part = |off: u32, len: u32, part| {
            let table = tables.get(off as usize..).and_then(|t| t.get(..len as usize));
            table.ok_or(Error::Truncated { part, at: off })
        };
        Ok(BtfExt {
            endian,
            func_info: Table::parse(part(func_off, func_len, Part::FuncInfo)?, endian)?,
            line_info: Table::parse(part(line_off, line_len, Part::LineInfo)?, endian)?,
            core_relo: Table::parse(part(relo_off, relo_len, Part::CoreRelos)?, endian)?,
        })
    }

    /// Byte order of the section.
    pub fn endian(&self) -> Endian {
        self.endian
    }

    /// The functions.
    pub fn func_info(&self) -> Table<'a, FuncInfo> {
        self.func_info
    }

    /// The source lines.
    pub fn line_info(&self) -> Table<'a, LineInfo> {
        self.line_info
    }

    /// The CO-RE relocations; empty for objects of compilers that knew none.
    pub fn core_relo(&self) -> Table<'a, CoreRelo> {
        self.core_relo
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Two blocks of relocations with records of 20 bytes behind a header of `hdr_len` bytes, and two of func_info.
    fn sample(e: Endian, hdr_len: u32) -> Vec<u8> {
        let func: Vec<u32> = [8, 1, 1, 0, 7].into();
        let relo: Vec<u32> = [20, 9, 2, 8, 3, 4, 0, 99, 16, 3, 5, 1, 99, 30, 1, 24, 6, 7, 2, 99].into();
        let mut out = Vec::new();
        out.extend(e.from_u16(0xeb9f));
        out.extend([1, 0]);
        let mut head = [hdr_len, 0, 20, 20, 0, 20, 80, 0].to_vec();
        head.resize(hdr_len as usize / 4 - 1, 0);
        out.extend(head.into_iter().chain(func).chain(relo).flat_map(|w| e.from_u32(w)));
        out
    }

    #[test]
    fn blocks_and_long_records() {
        for e in [Endian::Little, Endian::Big] {
            for hdr_len in [32, 40] {
                let data = sample(e, hdr_len);
                let ext = BtfExt::parse(&data).unwrap();
                assert_eq!((ext.func_info().len(), ext.line_info().len(), ext.core_relo().len()), (1, 0, 3));
                let blocks: Vec<_> = ext.core_relo().blocks().collect();
                let [first, second]: [_; 2] = blocks.try_into().unwrap();
                assert_eq!((first.section_name_off, first.len(), second.section_name_off), (9, 2, 30));
                let relo = |insn_off, id, access_str_off, kind| CoreRelo {
                    insn_off,
                    type_id: TypeId(id),
                    access_str_off,
                    kind,
                };
                assert_eq!(first.get(1), Some(relo(16, 3, 5, 1)));
                assert_eq!(second.get(0), Some(relo(24, 6, 7, 2)));
                assert_eq!(second.get(1), None);
            }
        }
    }

    #[test]
    fn an_old_header_has_no_relocations() {
        let data = sample(Endian::Little, 24);
        assert!(BtfExt::parse(&data).unwrap().core_relo().is_empty());
    }

    #[test]
    fn short_records_and_cut_tables_are_refused() {
        let data = sample(Endian::Little, 32);
        let mut short = data.clone();
        short[32] = 4;
        let e = BtfExt::parse(&short).unwrap_err();
        assert_eq!(e, Error::BadValue { part: Part::FuncInfo, at: 0, found: 4 });
        for len in 0..data.len() {
            assert!(BtfExt::parse(&data[..len]).is_err(), "cut at {len}");
        }
    }

    /// The parts of a sample with one of its words changed.
    fn with(at: usize, value: u32) -> Result<()> {
        let mut data = sample(Endian::Little, 32);
        data[at..at + 4].copy_from_slice(&value.to_le_bytes());
        BtfExt::parse(&data).map(drop)
    }

    /// Where a sample's table of functions and that of relocations start.
    const TABLES: [(usize, Part); 2] = [(32, Part::FuncInfo), (52, Part::CoreRelos)];

    #[test]
    fn records_of_sizes_that_lie_are_refused() {
        for (table, part) in TABLES {
            for size in [0, 1, 3, 4, 7, 18, u32::MAX, u32::MAX - 1] {
                assert_eq!(with(table, size), Err(Error::BadValue { part, at: 0, found: size }));
            }
            // multiples of four that end behind the table, one of which wraps where lengths are of 32 bits
            for size in [24, 1 << 31, u32::MAX - 3] {
                let e = with(table, size).unwrap_err();
                assert!(matches!(e, Error::Truncated { part: p, .. } if p == part), "{size:#x}: {e:?}");
            }
        }
    }

    #[test]
    fn counts_of_records_that_lie_are_refused() {
        for (table, part) in TABLES {
            let count = table + 8;
            assert_eq!(with(count, 0), Err(Error::BadValue { part, at: 8, found: 0 }));
            // 2^29 records of 8 bytes are none where lengths wrap at 32 bits
            for n in [5, 1 << 28, 1 << 29, 1 << 31, u32::MAX] {
                let e = with(count, n).unwrap_err();
                assert!(matches!(e, Error::Truncated { part: p, .. } if p == part), "{n:#x}: {e:?}");
            }
        }
    }

    #[test]
    fn tables_and_headers_that_wrap_or_pass_the_end_are_refused() {
        let len = sample(Endian::Little, 32).len() as u32;
        for (offset, part) in [(8, Part::FuncInfo), (16, Part::LineInfo), (24, Part::CoreRelos)] {
            for value in [len, 1 << 31, u32::MAX - 19, u32::MAX - 31, u32::MAX] {
                let e = with(offset, value).unwrap_err();
                assert_eq!(e, Error::Truncated { part, at: value }, "offset {value:#x}");
                let e = with(offset + 4, value).unwrap_err();
                assert!(matches!(e, Error::Truncated { part: p, .. } if p == part), "length {value:#x}");
            }
        }
        for hdr_len in [0, 1, 8, 23] {
            assert_eq!(
                with(4, hdr_len),
                Err(Error::BadValue { part: Part::BtfExtHeader, at: 4, found: hdr_len })
            );
        }
        for hdr_len in [len + 1, 1 << 31, u32::MAX - 31, u32::MAX] {
            assert_eq!(with(4, hdr_len), Err(Error::Truncated { part: Part::BtfExtHeader, at: len }));
        }
        // a header that ends with the section leaves no table
        assert!(matches!(with(4, len), Err(Error::Truncated { part: Part::FuncInfo, .. })));
    }

    #[test]
    fn tables_may_share_bytes() {
        let mut data = sample(Endian::Little, 32);
        data[8..16].copy_from_slice(&[[20, 0, 0, 0], [80, 0, 0, 0]].concat());
        let ext = BtfExt::parse(&data).unwrap();
        assert_eq!((ext.func_info().len(), ext.core_relo().len()), (3, 3));
    }
}
