//! Executables and shared objects of user space, of either class and byte order, read piece by piece from wherever they are: at
//! which byte of the file a function is ([`Executable::find`], [`Executable::matching`]), and the probes that the authors put in
//! ([`notes::Notes`], [`arg_spec`]).
//!
//! A probe in user space is a place in a file, so addresses are turned into offsets. Sources: the ELF specification (`Elf64_Ehdr`
//! and its like, `include/uapi/linux/elf.h`); what counts as a match is libbpf's rule (`src/elf.c`, `src/usdt.c`).
//!
//! Memory: a window of 2 KiB on the stack. Time: one pass over a table of symbols and one over its names, in pieces, and a read
//! for each symbol whose name can be the one, and the names of sections; [`crate::limits::MAX_EXECUTABLE_SYMBOLS`] of them at most. The bytes may be
//! anything and may change meanwhile: then the answer is an error, or an offset at which the kernel finds what it finds.

pub mod arg_spec;
pub mod glob;
pub mod notes;
mod symbols;
#[cfg(test)]
mod tests;
mod version;

pub use symbols::{Lookup, Symbol, Tables};

use crate::error::{Error, Part, Result};
use crate::limits::MAX_NAME_LEN;

/// A file that is read at any place.
pub trait File {
    /// Reads bytes from `at` on into `into`: how many, which may be less than fit; 0 at the end.
    fn read_at(&mut self, at: u32, into: &mut [u8]) -> Result<usize>;
}

/// `e_type` of what is mapped where the kernel chooses: shared objects, and programs that are position-independent.
pub const ET_DYN: u16 = 3;
const ET_EXEC: u16 = 2;
const SHT_NOBITS: u32 = 8;
const PT_LOAD: u32 = 1;
const PF_X: u32 = 1;
/// Bytes of a name with its NUL; a longer one is none that is looked for.
const TEXT_LEN: usize = MAX_NAME_LEN;
/// Bytes of the longest record, a header of ELF64.
const RECORD_LEN: usize = 64;

/// The file header, as far as it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Whether addresses have 8 bytes.
    pub wide: bool,
    /// `e_type`: [`ET_DYN`], or a program that is mapped where it says.
    pub kind: u16,
    /// `e_machine`
    pub machine: u16,
    big_endian: bool,
    phoff: u64,
    phnum: u16,
    shoff: u64,
    shnum: u16,
    shstrndx: u16,
}

/// An executable or a shared object.
pub struct Executable<'f, F> {
    file: &'f mut F,
    head: Head,
}

/// A section header, as far as it is needed.
#[derive(Clone, Copy, Debug, Default)]
struct Section {
    name: u32,
    kind: u32,
    addr: u64,
    offset: u64,
    size: u64,
    link: u32,
}

/// A header or an entry of a table, whose fields' places and lengths depend on the class.
struct Record {
    bytes: [u8; RECORD_LEN],
    wide: bool,
    big_endian: bool,
}

impl Record {
    /// The number that `len` bytes from `at` are; 0 outside of the record, where no field is.
    #[inline(never)]
    fn number(&self, at: usize, len: usize) -> u64 {
        let field = self.bytes.get(at..).and_then(|rest| rest.get(..len)).unwrap_or_default();
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { field.iter().fold(0, join) } else { field.iter().rev().fold(0, join) }
    }

    /// An address or offset, at one place of a 32-bit record and at another of a 64-bit one.
    #[inline(never)]
    fn long(&self, narrow: usize, wide: usize) -> u64 {
        if self.wide { self.number(wide, 8) } else { self.number(narrow, 4) }
    }

    fn word(&self, narrow: usize, wide: usize) -> u32 {
        self.number(if self.wide { wide } else { narrow }, 4) as u32
    }

    fn half(&self, narrow: usize, wide: usize) -> u16 {
        self.number(if self.wide { wide } else { narrow }, 2) as u16
    }
}

impl<'f, F: File> Executable<'f, F> {
    /// Reads the file header.
    ///
    /// # Errors
    /// [`Error::BadMagic`], [`Error::ElfClass`], [`Error::ElfType`], [`Error::BadValue`] where it is no ELF file or another kind of
    /// one, and those of `file`.
    pub fn new(file: &'f mut F) -> Result<Self> {
        const PART: Part = Part::ElfHeader;
        let head = Head {
            wide: false,
            kind: 0,
            machine: 0,
            big_endian: false,
            phoff: 0,
            phnum: 0,
            shoff: 0,
            shnum: 0,
            shstrndx: 0,
        };
        let mut new = Executable { file, head };
        let mut record = Record { bytes: [0; RECORD_LEN], wide: false, big_endian: false };
        // an ELF32 header is shorter, and so may the file be
        new.fill_some(0, &mut record.bytes)?;
        let [0x7f, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), ..] = record.bytes else {
            let found = record.bytes.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
            return Err(Error::BadMagic { part: PART, found });
        };
        (record.wide, record.big_endian) = (class == 2, order == 2);
        let r = &record;
        new.head = Head {
            wide: r.wide,
            kind: r.half(16, 16),
            machine: r.half(18, 18),
            big_endian: r.big_endian,
            phoff: r.long(28, 32),
            phnum: r.half(44, 56),
            shoff: r.long(32, 40),
            shnum: r.half(48, 60),
            shstrndx: r.half(50, 62),
        };
        if new.head.kind != ET_DYN && new.head.kind != ET_EXEC {
            return Err(Error::ElfType { found: new.head.kind });
        }
        let sizes = (u32::from(r.half(42, 54)) << 16) | u32::from(r.half(46, 58));
        let wanted = ((new.head.segment_len() as u32) << 16) | new.head.section_len() as u32;
        if sizes != wanted && new.head.shnum != 0 {
            return Err(Error::BadValue { part: PART, at: 42, found: sizes });
        }
        Ok(new)
    }

    /// The file header.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Fills `into` from `at`.
    #[inline(never)]
    fn fill(&mut self, part: Part, at: u64, into: &mut [u8]) -> Result<()> {
        if self.fill_some(at, into)? < into.len() {
            return Err(Error::Truncated { part, at: at.min(u32::MAX.into()) as u32 });
        }
        Ok(())
    }

    /// Fills as much of `into` as the file has from `at` on; how much.
    #[inline(never)]
    fn fill_some(&mut self, at: u64, into: &mut [u8]) -> Result<usize> {
        let mut len = 0usize;
        while let Some(rest) = into.get_mut(len..).filter(|rest| !rest.is_empty()) {
            let Ok(place) = u32::try_from(at.saturating_add(len as u64)) else { break };
            match self.file.read_at(place, rest)? {
                0 => break,
                n => len = len.saturating_add(n),
            }
        }
        Ok(len)
    }

    /// The record of `len` bytes at `at`.
    #[inline(never)]
    fn record(&mut self, part: Part, at: u64, len: usize) -> Result<Record> {
        let Head { wide, big_endian, .. } = self.head;
        let mut record = Record { bytes: [0; RECORD_LEN], wide, big_endian };
        self.fill(part, at, record.bytes.get_mut(..len).unwrap_or_default())?;
        Ok(record)
    }

    /// The header of section `index`.
    ///
    /// # Errors
    /// [`Error::NoSuchIndex`], [`Error::Truncated`].
    #[inline(never)]
    fn section(&mut self, index: u32) -> Result<Section> {
        const PART: Part = Part::Sections;
        if index >= self.head.shnum.into() {
            return Err(Error::NoSuchIndex { part: PART, index });
        }
        let len = self.head.section_len();
        let before = u64::from(index).saturating_mul(len as u64);
        let r = self.record(PART, self.head.shoff.saturating_add(before), len)?;
        Ok(Section {
            name: r.word(0, 0),
            kind: r.word(4, 4),
            addr: r.long(12, 16),
            offset: r.long(16, 24),
            size: r.long(20, 32),
            link: r.word(24, 40),
        })
    }

    /// The first section of the type `kind`, and where a name is given, of that name.
    #[inline(never)]
    fn find_section(&mut self, kind: u32, name: &str) -> Result<Option<Section>> {
        let names = match self.head.shstrndx {
            0 => Section::default(),
            index => self.section(index.into())?,
        };
        for index in 0..self.head.shnum.into() {
            let section = self.section(index)?;
            if section.kind == kind
                && (name.is_empty()
                    || self.text(&names, section.name, &mut [0; TEXT_LEN])? == name.as_bytes())
            {
                return Ok(Some(section));
            }
        }
        Ok(None)
    }

    /// The text at `at` of a section of strings, up to its NUL; empty where it has none in [`TEXT_LEN`] bytes.
    #[inline(never)]
    fn text<'t>(&mut self, strings: &Section, at: u32, into: &'t mut [u8; TEXT_LEN]) -> Result<&'t [u8]> {
        let len = self.fill_some(strings.offset.saturating_add(at.into()), into)?;
        let text = into.get(..len).unwrap_or_default();
        let end = text.iter().position(|&b| b == 0).unwrap_or(0);
        Ok(text.get(..end).unwrap_or_default())
    }

    /// The place in the file of an address in a segment that is executable, or in one that is not; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Truncated`].
    #[inline(never)]
    fn in_segment(&mut self, address: u64, executable: bool) -> Result<Option<u64>> {
        let len = self.head.segment_len();
        let mut at = self.head.phoff;
        for _ in 0..self.head.phnum {
            let r = self.record(Part::Sections, at, len)?;
            at = at.saturating_add(len as u64);
            let inside = address.wrapping_sub(r.long(8, 16));
            if r.word(0, 0) == PT_LOAD && inside < r.long(20, 40) {
                let fits = (r.word(24, 4) & PF_X != 0) == executable;
                return Ok(r.long(4, 8).checked_add(inside).filter(|_| fits));
            }
        }
        Ok(None)
    }
}

impl Head {
    fn section_len(&self) -> usize {
        if self.wide { 64 } else { 40 }
    }

    fn segment_len(&self) -> usize {
        if self.wide { 56 } else { 32 }
    }
}
