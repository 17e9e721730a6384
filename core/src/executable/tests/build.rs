//! Writes shared objects to be read, of either class and byte order.

use super::ET_DYN;
use crate::bytes::Endian;
use std::vec;
use std::vec::Vec;

/// A symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sym<'a> {
    pub(super) name: &'a str,
    pub(super) value: u64,
    pub(super) info: u8,
    pub(super) section: u16,
    pub(super) version: u16,
}

impl<'a> Sym<'a> {
    /// A global function of `.text`.
    pub(super) fn function(name: &'a str, value: u64) -> Self {
        Sym { name, value, info: 0x12, section: 1, version: 1 }
    }
}

/// A note: provider, name, arguments, address, base, semaphore.
type Note<'a> = (&'a str, &'a str, &'a str, u64, u64, u64);

/// A file to be.
#[derive(Clone, Debug)]
pub(super) struct Built<'a> {
    pub(super) wide: bool,
    pub(super) endian: Endian,
    pub(super) machine: u16,
    pub(super) dynsym: Vec<Sym<'a>>,
    pub(super) symtab: Vec<Sym<'a>>,
    pub(super) versions: Vec<(u16, &'a str)>,
    pub(super) notes: Vec<Note<'a>>,
    pub(super) base: Option<u64>,
}

impl Default for Built<'_> {
    fn default() -> Self {
        Built {
            wide: true,
            endian: Endian::Little,
            machine: 62,
            dynsym: Vec::new(),
            symtab: Vec::new(),
            versions: Vec::new(),
            notes: Vec::new(),
            base: None,
        }
    }
}

/// Bytes of `.text`, which is all of the one segment; its address is 0.
const TEXT: usize = 0x4000;

struct Out {
    bytes: Vec<u8>,
    wide: bool,
    endian: Endian,
}

impl Out {
    fn half(&mut self, v: u16) {
        self.bytes.extend(self.endian.from_u16(v));
    }
    fn word(&mut self, v: u32) {
        self.bytes.extend(self.endian.from_u32(v));
    }
    fn long(&mut self, v: u64) {
        let halves = [v as u32, (v >> 32) as u32];
        match (self.wide, self.endian) {
            (false, _) => self.word(v as u32),
            (true, Endian::Little) => halves.into_iter().for_each(|h| self.word(h)),
            (true, Endian::Big) => halves.into_iter().rev().for_each(|h| self.word(h)),
        }
    }
    fn text(&mut self, text: &str) -> u32 {
        let at = self.bytes.len() as u32;
        self.bytes.extend(text.bytes());
        self.bytes.push(0);
        at
    }
}

impl Built<'_> {
    fn out(&self) -> Out {
        Out { bytes: Vec::new(), wide: self.wide, endian: self.endian }
    }

    fn header_len(&self) -> usize {
        if self.wide { 64 + 56 } else { 52 + 32 }
    }

    /// Offset of `.text` in the file.
    pub(super) fn text(&self) -> u64 {
        self.header_len() as u64
    }

    fn symbols(&self, all: &[Sym<'_>]) -> (Vec<u8>, Vec<u8>) {
        let (mut table, mut strings) = (self.out(), self.out());
        strings.text("");
        let null = Sym { name: "", value: 0, info: 0, section: 0, version: 0 };
        for s in [null].iter().chain(all) {
            let name = strings.text(s.name);
            table.word(name);
            if self.wide {
                table.bytes.extend([s.info, 0]);
                table.half(s.section);
                table.long(s.value);
                table.long(8);
            } else {
                table.word(s.value as u32);
                table.word(8);
                table.bytes.extend([s.info, 0]);
                table.half(s.section);
            }
        }
        (table.bytes, strings.bytes)
    }

    /// The file.
    pub(super) fn file(&self) -> Vec<u8> {
        // name, type, address, contents, link
        let mut sections: Vec<(&str, u32, u64, Vec<u8>, u32)> = vec![("", 0, 0, vec![], 0)];
        sections.push((".text", 1, 0, vec![0; TEXT], 0));
        for (name, kind, symbols) in [(".dynsym", 11, &self.dynsym), (".symtab", 2, &self.symtab)] {
            if !symbols.is_empty() {
                let (table, strings) = self.symbols(symbols);
                sections.push((name, kind, 0, table, sections.len() as u32 + 1));
                sections.push((".strtab", 3, 0, strings, 0));
            }
        }
        if !self.versions.is_empty() {
            let mut numbers = self.out();
            numbers.half(0);
            self.dynsym.iter().for_each(|s| numbers.half(s.version));
            let (mut defs, mut strings) = (self.out(), self.out());
            for (i, (number, name)) in self.versions.iter().enumerate() {
                let at = strings.text(name);
                [1, 0, *number, 1].into_iter().for_each(|h| defs.half(h));
                let next = if i + 1 < self.versions.len() { 28 } else { 0 };
                [0, 20, next, at, 0].into_iter().for_each(|w| defs.word(w));
            }
            sections.push((".gnu.version", 0x6fff_ffff, 0, numbers.bytes, 0));
            sections.push((".gnu.version_d", 0x6fff_fffd, 0, defs.bytes, sections.len() as u32 + 1));
            sections.push((".dynstr", 3, 0, strings.bytes, 0));
        }
        if !self.notes.is_empty() {
            let mut notes = self.out();
            for &(provider, name, args, address, base, semaphore) in &self.notes {
                let mut desc = self.out();
                [address, base, semaphore].into_iter().for_each(|a| desc.long(a));
                [provider, name, args].into_iter().for_each(|t| _ = desc.text(t));
                [8, desc.bytes.len() as u32, 3].into_iter().for_each(|w| notes.word(w));
                notes.text("stapsdt");
                notes.bytes.extend(desc.bytes);
                notes.bytes.resize(notes.bytes.len().next_multiple_of(4), 0);
            }
            sections.push((".note.stapsdt", 7, 0, notes.bytes, 0));
        }
        if let Some(base) = self.base {
            sections.push((".stapsdt.base", 1, base, vec![0], 0));
        }
        let mut names = self.out();
        let mut at: Vec<u32> = sections.iter().map(|s| names.text(s.0)).collect();
        at.push(names.text(".shstrtab"));
        sections.push((".shstrtab", 3, 0, names.bytes, 0));
        let mut body: Vec<u8> = Vec::new();
        let mut headers = self.out();
        for ((_, kind, addr, bytes, link), name) in sections.iter().zip(&at) {
            let offset = (self.header_len() + body.len()) as u64;
            headers.word(*name);
            headers.word(*kind);
            [0, *addr, offset, bytes.len() as u64].into_iter().for_each(|l| headers.long(l));
            headers.word(*link);
            headers.word(0);
            [1, 0].into_iter().for_each(|l| headers.long(l));
            body.extend(bytes);
        }
        let mut out = self.out();
        let class = if self.wide { 2 } else { 1 };
        let order = if self.endian == Endian::Little { 1 } else { 2 };
        out.bytes.extend([0x7f, b'E', b'L', b'F', class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.half(ET_DYN);
        out.half(self.machine);
        out.word(1);
        let (header, segment, section) = if self.wide { (64, 56, 64) } else { (52, 32, 40) };
        let shoff = self.header_len() + body.len();
        [0, header, shoff as u64].into_iter().for_each(|l| out.long(l));
        out.word(0);
        [header as u16, segment, 1, section, sections.len() as u16, sections.len() as u16 - 1]
            .into_iter()
            .for_each(|h| out.half(h));
        // one segment: readable, executable
        out.word(1);
        if self.wide {
            out.word(5);
        }
        [self.text(), 0, 0, TEXT as u64, TEXT as u64].into_iter().for_each(|l| out.long(l));
        if !self.wide {
            out.word(5);
        }
        out.long(4096);
        out.bytes.extend(body);
        out.bytes.extend(headers.bytes);
        out.bytes
    }
}
