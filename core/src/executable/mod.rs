//! Executables and shared objects of user space, of either class and byte order, read piece by piece from wherever they are: at
//! which byte of the file a function is ([`Executable::find`], [`Executable::matching`]), and the probes that the authors put in
//! ([`notes::Notes`], [`arg_spec`]).
//!
//! A probe in user space is a place in a file, so addresses are turned into offsets. Sources: the ELF specification (`Elf64_Ehdr`
//! and its like, `include/uapi/linux/elf.h`); what counts as a match is libbpf's rule (`src/elf.c`, `src/usdt.c`).
//!
//! Memory: a window of 2 KiB on the stack. Time: one pass over a table of symbols and one over its names, in pieces, and a read
//! for each symbol whose name can be the one; [`crate::limits::MAX_EXECUTABLE_SYMBOLS`] of them at most. The bytes may be
//! anything and may change meanwhile: then the answer is an error, or an offset at which the kernel finds what it finds.

pub mod arg_spec;
pub mod glob;
pub mod notes;
mod symbols;
#[cfg(test)]
mod tests;
mod version;

pub use symbols::{Lookup, Symbol, Tables};

use crate::bytes::{Bytes, Endian};
use crate::error::{Error, Part, Result};

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
/// Bytes of an ELF64 header, the longest record that is read at once.
const HEADER_LEN: usize = 64;

/// The file header, as far as it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Byte order.
    pub endian: Endian,
    /// Whether addresses have 8 bytes.
    pub wide: bool,
    /// `e_type`: [`ET_DYN`], or a program that is mapped where it says.
    pub kind: u16,
    /// `e_machine`
    pub machine: u16,
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

/// Fields of a record, whose places and lengths depend on the class.
struct Fields<'b> {
    bytes: Bytes<'b>,
    wide: bool,
}

impl Fields<'_> {
    /// An address or offset, at one place of a 32-bit record and at another of a 64-bit one.
    fn long(&self, narrow: usize, wide: usize) -> Result<u64> {
        if self.wide { self.bytes.u64(wide) } else { Ok(self.bytes.u32(narrow)?.into()) }
    }

    fn word(&self, narrow: usize, wide: usize) -> Result<u32> {
        self.bytes.u32(if self.wide { wide } else { narrow })
    }

    fn half(&self, narrow: usize, wide: usize) -> Result<u16> {
        self.bytes.u16(if self.wide { wide } else { narrow })
    }
}

impl<'f, F: File> Executable<'f, F> {
    /// Reads the file header.
    ///
    /// # Errors
    /// [`Error::BadMagic`], [`Error::ElfClass`], [`Error::ElfType`], [`Error::BadValue`] where it is no ELF file or another kind of
    /// one, [`Error::Truncated`], and those of `file`.
    pub fn new(file: &'f mut F) -> Result<Self> {
        const PART: Part = Part::ElfHeader;
        let mut start = [0; HEADER_LEN];
        let mut len = 0;
        // an ELF32 header is shorter, and so may the file be
        while let Some(rest) = start.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match file.read_at(len as u32, rest)? {
                0 => break,
                n => len = len.saturating_add(n),
            }
        }
        let [0x7f, b'E', b'L', b'F', class, order, ..] = start else {
            let found = start.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
            return Err(Error::BadMagic { part: PART, found });
        };
        let wide = match class {
            1 => false,
            2 => true,
            found => return Err(Error::ElfClass { found }),
        };
        let endian = match order {
            1 => Endian::Little,
            2 => Endian::Big,
            n => return Err(Error::BadValue { part: PART, at: 5, found: n.into() }),
        };
        let bytes = Bytes::new(start.get(..len).unwrap_or(&start), endian, PART);
        let f = Fields { bytes, wide };
        let head = Head {
            endian,
            wide,
            kind: bytes.u16(16)?,
            machine: bytes.u16(18)?,
            phoff: f.long(28, 32)?,
            phnum: f.half(44, 56)?,
            shoff: f.long(32, 40)?,
            shnum: f.half(48, 60)?,
            shstrndx: f.half(50, 62)?,
        };
        if head.kind != ET_DYN && head.kind != ET_EXEC {
            return Err(Error::ElfType { found: head.kind });
        }
        let (phentsize, shentsize) = (f.half(42, 54)?, f.half(46, 58)?);
        for (count, size, is, at) in
            [(head.phnum, phentsize, head.segment_len(), 42), (head.shnum, shentsize, head.section_len(), 46)]
        {
            if count != 0 && usize::from(size) != is {
                return Err(Error::BadValue { part: PART, at, found: size.into() });
            }
        }
        Ok(Executable { file, head })
    }

    /// The file header.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Fills `into` from `at`.
    fn fill(&mut self, part: Part, at: u64, into: &mut [u8]) -> Result<()> {
        let cut = Error::Truncated { part, at: at.min(u32::MAX.into()) as u32 };
        let mut at = u32::try_from(at).map_err(|_| cut)?;
        let mut rest = into;
        while !rest.is_empty() {
            let n = self.file.read_at(at, rest)?;
            rest = match rest.get_mut(n..) {
                Some(left) if n != 0 => left,
                _ => return Err(cut),
            };
            at = at.checked_add(n as u32).ok_or(cut)?;
        }
        Ok(())
    }

    /// Fills as much of `into` as the file has from `at` on; how much.
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

    /// The fields of a record.
    fn fields<'b>(&self, bytes: &'b [u8], part: Part) -> Fields<'b> {
        Fields { bytes: Bytes::new(bytes, self.head.endian, part), wide: self.head.wide }
    }

    /// The header of section `index`.
    ///
    /// # Errors
    /// [`Error::NoSuchIndex`], [`Error::Truncated`].
    fn section(&mut self, index: u16) -> Result<Section> {
        const PART: Part = Part::Sections;
        if index >= self.head.shnum {
            return Err(Error::NoSuchIndex { part: PART, index: index.into() });
        }
        let mut record = [0; HEADER_LEN];
        let record = record.get_mut(..self.head.section_len()).unwrap_or_default();
        let before = u64::from(index).saturating_mul(record.len() as u64);
        self.fill(PART, self.head.shoff.saturating_add(before), record)?;
        let f = self.fields(record, PART);
        Ok(Section {
            name: f.word(0, 0)?,
            kind: f.word(4, 4)?,
            addr: f.long(12, 16)?,
            offset: f.long(16, 24)?,
            size: f.long(20, 32)?,
            link: f.word(24, 40)?,
        })
    }

    /// The section that a field of another names.
    fn linked(&mut self, link: u32) -> Result<Section> {
        let none = Error::NoSuchIndex { part: Part::Sections, index: link };
        self.section(u16::try_from(link).map_err(|_| none)?)
    }

    /// The first section of the type `kind`.
    fn of_kind(&mut self, kind: u32) -> Result<Option<Section>> {
        for index in 0..self.head.shnum {
            let section = self.section(index)?;
            if section.kind == kind {
                return Ok(Some(section));
            }
        }
        Ok(None)
    }

    /// The first section of this name.
    fn named(&mut self, name: &str) -> Result<Option<Section>> {
        if self.head.shnum == 0 {
            return Ok(None);
        }
        let names = self.section(self.head.shstrndx)?;
        for index in 0..self.head.shnum {
            let section = self.section(index)?;
            if self.is_text(&names, section.name, name.as_bytes())? {
                return Ok(Some(section));
            }
        }
        Ok(None)
    }

    /// Whether `text` and then a NUL stand at `at` of a section of strings.
    fn is_text(&mut self, strings: &Section, at: u32, text: &[u8]) -> Result<bool> {
        let mut piece = [0; 64];
        let (mut text, mut at) = (text, u64::from(at));
        loop {
            let (here, rest) = text.split_at_checked(piece.len()).unwrap_or((text, &[]));
            let is_last = here.len() < piece.len();
            let wanted = here.len().saturating_add(usize::from(is_last));
            let into = piece.get_mut(..wanted).unwrap_or_default();
            if at.saturating_add(wanted as u64) > strings.size
                || self.fill_some(strings.offset.saturating_add(at), into)? < wanted
                || into.get(..here.len()) != Some(here)
            {
                return Ok(false);
            }
            if is_last {
                return Ok(into.last() == Some(&0));
            }
            (text, at) = (rest, at.saturating_add(wanted as u64));
        }
    }

    /// The place in the file of an address in a segment that is executable, or in one that is not; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Truncated`].
    fn in_segment(&mut self, address: u64, executable: bool) -> Result<Option<u64>> {
        const PART: Part = Part::Sections;
        let mut at = self.head.phoff;
        for _ in 0..self.head.phnum {
            let mut record = [0; HEADER_LEN];
            let record = record.get_mut(..self.head.segment_len()).unwrap_or_default();
            self.fill(PART, at, record)?;
            at = at.saturating_add(record.len() as u64);
            let f = self.fields(record, PART);
            let (offset, start, size) = (f.long(4, 8)?, f.long(8, 16)?, f.long(20, 40)?);
            let Some(inside) = address.checked_sub(start).filter(|&inside| inside < size) else { continue };
            if f.word(0, 0)? == PT_LOAD {
                let fits = (f.word(24, 4)? & PF_X != 0) == executable;
                return Ok(offset.checked_add(inside).filter(|_| fits));
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
