//! Builds small ELF objects for tests, in either byte order.

use super::{SHT_NOBITS, SHT_REL, SHT_STRTAB, SHT_SYMTAB};
use crate::bytes::Endian;
use std::vec;
use std::vec::Vec;

/// A section to be.
pub(crate) struct Sec {
    pub(crate) name: &'static str,
    pub(crate) kind: u32,
    pub(crate) flags: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) info: u32,
    pub(crate) entsize: u64,
}

/// A symbol to be: name, section, value, size, kind, bind.
pub(crate) struct Sym(
    pub(crate) &'static str,
    pub(crate) u16,
    pub(crate) u64,
    pub(crate) u64,
    pub(crate) u8,
    pub(crate) u8,
);

/// An object to be. Sections are numbered from 1 in the order they are added.
pub(crate) struct Builder {
    pub(crate) endian: Endian,
    pub(crate) sections: Vec<Sec>,
    pub(crate) symbols: Vec<Sym>,
}

impl Builder {
    pub(crate) fn new(endian: Endian) -> Self {
        Builder { endian, sections: Vec::new(), symbols: vec![Sym("", 0, 0, 0, 0, 0)] }
    }

    /// Adds a section and gives its number.
    pub(crate) fn section(&mut self, name: &'static str, kind: u32, flags: u64, data: Vec<u8>) -> u16 {
        let size = data.len() as u64;
        self.sections.push(Sec { name, kind, flags, data, size, info: 0, entsize: 0 });
        self.sections.len() as u16
    }

    /// Adds a section of `size` zero bytes.
    pub(crate) fn zeros(&mut self, name: &'static str, size: u64) -> u16 {
        let n = self.section(name, SHT_NOBITS, 3, Vec::new());
        self.sections.last_mut().unwrap().size = size;
        n
    }

    /// Adds relocations of (offset, symbol, type) for section `of`.
    pub(crate) fn rels(&mut self, of: u16, rels: &[(u64, u32, u32)]) {
        let mut data = Vec::new();
        for &(offset, symbol, kind) in rels {
            data.extend(self.u64(offset));
            data.extend(self.u64(u64::from(symbol) << 32 | u64::from(kind)));
        }
        self.section(".rel", SHT_REL, 0, data);
        let s = self.sections.last_mut().unwrap();
        (s.info, s.entsize) = (of.into(), 16);
    }

    /// Adds a symbol and gives its number.
    pub(crate) fn symbol(&mut self, s: Sym) -> u32 {
        self.symbols.push(s);
        self.symbols.len() as u32 - 1
    }

    fn u64(&self, v: u64) -> [u8; 8] {
        if self.endian == Endian::Little { v.to_le_bytes() } else { v.to_be_bytes() }
    }

    /// The file.
    pub(crate) fn build(mut self) -> Vec<u8> {
        let e = self.endian;
        let mut strings = vec![0u8];
        let mut intern = |name: &str| {
            if name.is_empty() {
                return 0;
            }
            let at = strings.len() as u32;
            strings.extend(name.bytes());
            strings.push(0);
            at
        };
        let mut symtab = Vec::new();
        for &Sym(name, section, value, size, kind, bind) in &self.symbols {
            symtab.extend(e.from_u32(intern(name)));
            symtab.extend([bind << 4 | kind, 0]);
            symtab.extend(e.from_u16(section));
            symtab.extend(self.u64(value));
            symtab.extend(self.u64(size));
        }
        let names: Vec<u32> = self.sections.iter().map(|s| intern(s.name)).collect();
        let (symtab_name, strtab_name) = (intern(".symtab"), intern(".strtab"));
        let symbols = self.section(".symtab", SHT_SYMTAB, 0, symtab);
        let strtab = self.section(".strtab", SHT_STRTAB, 0, strings);
        self.sections[usize::from(symbols) - 1].entsize = 24;

        let mut body: Vec<u8> = Vec::new();
        let mut table = vec![0u8; 64];
        let name_offs = names.into_iter().chain([symtab_name, strtab_name]);
        for (s, name) in self.sections.iter().zip(name_offs) {
            let link = match s.kind {
                SHT_SYMTAB => strtab,
                SHT_REL => symbols,
                _ => 0,
            };
            table.extend(e.from_u32(name));
            table.extend(e.from_u32(s.kind));
            table.extend([s.flags, 0, 64 + body.len() as u64, s.size].map(|v| self.u64(v)).concat());
            table.extend(e.from_u32(link.into()));
            table.extend(e.from_u32(s.info));
            table.extend([1, s.entsize].map(|v| self.u64(v)).concat());
            body.extend(&s.data);
        }
        let order = if e == Endian::Little { 1 } else { 2 };
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, order, 1, 0];
        file.resize(16, 0);
        file.extend(e.from_u16(1));
        file.extend(e.from_u16(247));
        file.extend(e.from_u32(1));
        file.extend([0, 0, 64 + body.len() as u64].map(|v| self.u64(v)).concat());
        file.extend(e.from_u32(0));
        let count = self.sections.len() as u16 + 1;
        file.extend([64, 0, 0, 64, count, strtab].map(|v| e.from_u16(v)).concat());
        file.extend(body);
        file.extend(table);
        file
    }
}
