//! ELF64 of relocatable BPF objects, read in place, in either byte order.
//!
//! [`Elf::parse`] proves: the header is that of a BPF object; the section header table, the bytes of every section and the
//! one symbol table lie inside the file; string tables are terminated UTF-8 and every name points into them. After that
//! the iterators cannot fail; an index given by the caller can be out of range.
//!
//! Memory: none. Time: linear in sections and symbols, of whose names [`crate::limits::MAX_ELF_NAME_LEN`] bytes are looked at;
//! a lookup by name walks the table. Sections may share bytes.

mod header;
mod rel;
mod section;
mod strings;
mod symbol;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use header::{Header, SHN_LORESERVE};
pub use rel::{R_BPF_64_32, R_BPF_64_64, R_BPF_64_ABS64, Rel, Rels};
pub use section::{SHF_EXECINSTR, SHT_NOBITS, SHT_PROGBITS, SHT_REL, SHT_STRTAB, SHT_SYMTAB, Section};
pub use symbol::{
    SHN_UNDEF, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_OBJECT, STT_SECTION, Symbol,
};

use crate::bytes::{Bytes, Endian};
use crate::error::{Error, Part, Result};
use header::SECTION_LEN;
use rel::REL_LEN;
use strings::Strings;
use symbol::SYMBOL_LEN;

/// A parsed BPF object file.
#[derive(Clone, Copy, Debug)]
pub struct Elf<'a> {
    file: &'a [u8],
    header: Header,
    headers: Bytes<'a>,
    section_names: Strings<'a>,
    symbols: Bytes<'a>,
    symbol_names: Strings<'a>,
}

impl<'a> Elf<'a> {
    /// Checks `file`.
    ///
    /// # Errors
    /// Those of [`Header::parse`]; [`Error::Stripped`] without a symbol table; [`Error::Truncated`], [`Error::BadString`]
    /// and [`Error::BadValue`] for tables that are broken.
    pub fn parse(file: &'a [u8]) -> Result<Elf<'a>> {
        let header = Header::parse(file)?;
        let endian = header.endian;
        let len = usize::from(header.shnum).saturating_mul(SECTION_LEN);
        let table = slice(file, header.shoff, len as u64)
            .ok_or(Error::Truncated { part: Part::Sections, at: header.shoff.min(u32::MAX.into()) as u32 })?;
        let none = Bytes::new(&[], endian, Part::Symbols);
        let mut elf = Elf {
            file,
            header,
            headers: Bytes::new(table, endian, Part::Sections),
            section_names: Strings::parse(&[])?,
            symbols: none,
            symbol_names: Strings::parse(&[])?,
        };
        elf.section_names = Strings::parse(elf.raw(header.shstrndx)?.0.data)?;
        let mut symtab = None;
        for index in 0..header.shnum {
            let s = elf.section(index)?;
            if s.kind == SHT_SYMTAB && symtab.replace(s).is_some() {
                return Err(bad_section(index, 4, SHT_SYMTAB));
            }
        }
        let symtab = symtab.ok_or(Error::Stripped)?;
        table_of(&symtab, SYMBOL_LEN)?;
        elf.symbols = Bytes::new(symtab.data, endian, Part::Symbols);
        let strtab = u16::try_from(symtab.link).map_err(|_| bad_section(symtab.index, 40, symtab.link))?;
        elf.symbol_names = Strings::parse(elf.raw(strtab)?.0.data)?;
        for index in 0..elf.symbol_count() {
            elf.symbol(index)?;
        }
        Ok(elf)
    }

    /// Byte order of the file and of its instructions.
    pub fn endian(&self) -> Endian {
        self.header.endian
    }

    /// Number of sections, the null section at 0 included.
    pub fn section_count(&self) -> u16 {
        self.header.shnum
    }

    /// Section number `index`.
    pub fn section(&self, index: u16) -> Result<Section<'a>> {
        let (mut s, name) = self.raw(index)?;
        s.name = self.section_names.get(name)?;
        Ok(s)
    }

    /// All sections, the null section included, in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        let elf = *self;
        (0..elf.section_count()).map_while(move |i| elf.section(i).ok())
    }

    /// The first section of exactly this name.
    pub fn find(&self, name: &str) -> Option<Section<'a>> {
        self.sections().find(|s| s.name == name)
    }

    /// Number of symbols, the null symbol at 0 included.
    pub fn symbol_count(&self) -> u32 {
        (self.symbols.len() / SYMBOL_LEN) as u32
    }

    /// Symbol number `index`.
    pub fn symbol(&self, index: u32) -> Result<Symbol<'a>> {
        let (mut s, name) = self.raw_symbol(index)?;
        s.name = self.symbol_names.get(name)?;
        Ok(s)
    }

    /// A symbol without its name, and the offset of that.
    fn raw_symbol(&self, index: u32) -> Result<(Symbol<'a>, u32)> {
        if index >= self.symbol_count() {
            return Err(Error::NoSuchIndex { part: Part::Symbols, index });
        }
        let at = (index as usize).saturating_mul(SYMBOL_LEN);
        let b = &self.symbols;
        let info = b.u8(at.saturating_add(4))?;
        let symbol = Symbol {
            index,
            name: "",
            section: b.u16(at.saturating_add(6))?,
            value: b.u64(at.saturating_add(8))?,
            size: b.u64(at.saturating_add(16))?,
            kind: info & 15,
            bind: info >> 4,
            visibility: b.u8(at.saturating_add(5))? & 3,
        };
        Ok((symbol, b.u32(at)?))
    }

    /// All symbols, the null symbol included, in the order of the file.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let elf = *self;
        (0..elf.symbol_count()).map_while(move |i| elf.symbol(i).ok())
    }

    /// The same without names, for walks that look at numbers only.
    pub(crate) fn unnamed_symbols(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let elf = *self;
        (0..elf.symbol_count()).map_while(move |i| elf.raw_symbol(i).ok().map(|(s, _)| s))
    }

    /// Whether section `index` holds instructions.
    pub(crate) fn is_executable(&self, index: u16) -> bool {
        self.raw(index).is_ok_and(|(s, _)| s.is_executable())
    }

    /// The relocations for section `index`; empty where it has none.
    ///
    /// # Errors
    /// [`Error::BadValue`] for a second table for one section and for records that are not 16 bytes long.
    pub fn rels_of(&self, index: u16) -> Result<Rels<'a>> {
        let mut tables = self.sections().filter(|s| s.kind == SHT_REL && s.info == u32::from(index));
        let data = match tables.next() {
            Some(s) => table_of(&s, REL_LEN)?,
            None => &[],
        };
        if let Some(second) = tables.next() {
            return Err(bad_section(second.index, 44, second.info));
        }
        Ok(Rels { bytes: Bytes::new(data, self.endian(), Part::Rels) })
    }

    /// A section without its name, and the offset of that.
    fn raw(&self, index: u16) -> Result<(Section<'a>, u32)> {
        if index >= self.header.shnum {
            return Err(Error::NoSuchIndex { part: Part::Sections, index: index.into() });
        }
        let at = usize::from(index).saturating_mul(SECTION_LEN);
        let b = &self.headers;
        let word = |field: usize| b.u32(at.saturating_add(field));
        let xword = |field: usize| b.u64(at.saturating_add(field));
        let (kind, offset, size) = (word(4)?, xword(24)?, xword(32)?);
        let data = if kind == SHT_NOBITS || index == 0 {
            &[]
        } else {
            slice(self.file, offset, size)
                .ok_or(Error::Truncated { part: Part::SectionData, at: offset.min(u32::MAX.into()) as u32 })?
        };
        let section = Section {
            index,
            name: "",
            kind,
            flags: xword(8)?,
            data,
            size,
            link: word(40)?,
            info: word(44)?,
            entsize: xword(56)?,
        };
        Ok((section, word(0)?))
    }
}

/// The bytes of a table whose entries are `len` bytes long.
fn table_of<'a>(s: &Section<'a>, len: usize) -> Result<&'a [u8]> {
    if s.entsize != len as u64 {
        return Err(bad_section(s.index, 56, s.entsize.min(u32::MAX.into()) as u32));
    }
    if !s.data.len().is_multiple_of(len) {
        return Err(bad_section(s.index, 32, s.data.len() as u32));
    }
    Ok(s.data)
}

/// An error for the field at `field` of the header of section `index`.
fn bad_section(index: u16, field: u32, found: u32) -> Error {
    let at = u32::from(index).saturating_mul(SECTION_LEN as u32).saturating_add(field);
    Error::BadValue { part: Part::Sections, at, found }
}

fn slice(data: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    data.get(at..at.checked_add(usize::try_from(len).ok()?)?)
}
