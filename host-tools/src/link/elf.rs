//! Writing an ELF64 object: header, sections, their relocations, symbols, names, and the table of sections at the end.
//! Source: `include/uapi/linux/elf.h`.

use super::sections::Joined;
use super::symbols::Entry;
use anyhow::{Result, ensure};
use corelet_core::Endian;
use corelet_core::elf::{
    Rel, SHN_LORESERVE, SHT_NOBITS, SHT_PROGBITS, SHT_REL, SHT_STRTAB, SHT_SYMTAB, STB_LOCAL,
};
use std::collections::HashMap;

/// Bytes of the file header and of an entry of the table of sections.
const HEADER_LEN: usize = 64;
/// Bytes of a symbol.
const SYMBOL_LEN: u64 = 24;
/// Bytes of a relocation.
const REL_LEN: u64 = 16;
/// `e_type`, `e_machine`, `e_version`.
const ET_REL: u16 = 1;
const EM_BPF: u16 = 247;
const EV_CURRENT: u8 = 1;
/// `sh_flags`: `sh_info` is the number of a section.
const SHF_INFO_LINK: u64 = 0x40;

/// What a linked object is made of.
pub(super) struct Parts<'x, 'a> {
    pub(super) endian: Endian,
    pub(super) sections: &'x [Joined<'a>],
    /// Of each section.
    pub(super) relocations: &'x [Vec<Rel>],
    /// Local ones first, without the null symbol.
    pub(super) symbols: &'x [Entry<'a>],
    pub(super) btf: Vec<u8>,
    pub(super) btf_ext: Option<Vec<u8>>,
}

/// An entry of the table of sections.
#[derive(Clone, Copy, Default)]
struct Header {
    name: u32,
    kind: u32,
    flags: u64,
    offset: u64,
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entsize: u64,
}

/// The file as it grows.
struct Out {
    endian: Endian,
    bytes: Vec<u8>,
    headers: Vec<Header>,
    names: Vec<u8>,
    known: HashMap<String, u32>,
}

impl Parts<'_, '_> {
    /// The file.
    ///
    /// # Errors
    /// More sections than an ELF file numbers plainly.
    pub(super) fn write(&self) -> Result<Vec<u8>> {
        let mut out = Out {
            endian: self.endian,
            bytes: vec![0; HEADER_LEN],
            headers: vec![Header::default()],
            names: vec![0],
            known: HashMap::from([(String::new(), 0)]),
        };
        for s in self.sections {
            let size = if s.kind == SHT_NOBITS { s.size } else { s.data.len() as u64 };
            let header = Header {
                kind: s.kind,
                flags: s.flags,
                align: s.align,
                entsize: s.entsize,
                ..Header::default()
            };
            out.section(s.name, header, &s.data);
            out.last().size = size;
        }
        out.section(".BTF", Header { kind: SHT_PROGBITS, align: 4, ..Header::default() }, &self.btf);
        if let Some(ext) = &self.btf_ext {
            out.section(".BTF.ext", Header { kind: SHT_PROGBITS, align: 4, ..Header::default() }, ext);
        }
        let with_relocations = self.relocations.iter().filter(|r| !r.is_empty()).count();
        let symtab = out.headers.len() + with_relocations;
        for (number, relocations) in self.relocations.iter().enumerate().filter(|(_, r)| !r.is_empty()) {
            let header = Header {
                kind: SHT_REL,
                flags: SHF_INFO_LINK,
                link: symtab as u32,
                info: number as u32 + 1,
                align: 8,
                entsize: REL_LEN,
                ..Header::default()
            };
            let info = |r: &Rel| u64::from(r.symbol) << 32 | u64::from(r.kind);
            let words = relocations.iter().flat_map(|r| [r.offset, info(r)]);
            let bytes: Vec<u8> = words.flat_map(|word| xword(self.endian, word)).collect();
            out.section(&format!(".rel{}", self.sections[number].name), header, &bytes);
        }
        self.symbols(&mut out);
        let strtab = Header { kind: SHT_STRTAB, align: 1, ..Header::default() };
        out.name(".strtab");
        let names = out.names.clone();
        out.section(".strtab", strtab, &names);
        ensure!(
            out.headers.len() < usize::from(SHN_LORESERVE),
            "{} sections are too many",
            out.headers.len()
        );
        Ok(out.finish())
    }

    /// The table of symbols, whose names are in the next section.
    fn symbols(&self, out: &mut Out) {
        let mut bytes = vec![0; SYMBOL_LEN as usize];
        for s in self.symbols {
            bytes.extend(self.endian.from_u32(out.name(s.name)));
            bytes.extend([s.bind << 4 | s.kind, s.visibility]);
            bytes.extend(self.endian.from_u16(s.section.map_or(0, |at| at as u16 + 1)));
            bytes.extend([s.value, s.size].into_iter().flat_map(|word| xword(self.endian, word)));
        }
        let locals = self.symbols.iter().filter(|s| s.bind == STB_LOCAL).count();
        let header = Header {
            kind: SHT_SYMTAB,
            link: out.headers.len() as u32 + 1,
            info: locals as u32 + 1,
            align: 8,
            entsize: SYMBOL_LEN,
            ..Header::default()
        };
        out.section(".symtab", header, &bytes);
    }
}

impl Out {
    /// Offset of a name, added at its first use.
    fn name(&mut self, name: &str) -> u32 {
        if let Some(&at) = self.known.get(name) {
            return at;
        }
        let at = self.names.len() as u32;
        self.names.extend(name.as_bytes());
        self.names.push(0);
        self.known.insert(name.to_owned(), at);
        at
    }

    fn section(&mut self, name: &str, header: Header, bytes: &[u8]) {
        self.bytes.resize(self.bytes.len().next_multiple_of(header.align as usize), 0);
        let (offset, size) = (self.bytes.len() as u64, bytes.len() as u64);
        let name = self.name(name);
        self.headers.push(Header { name, offset, size, ..header });
        self.bytes.extend(bytes);
    }

    fn last(&mut self) -> &mut Header {
        self.headers.last_mut().expect("the null section is there")
    }

    /// Adds the table of sections and fills in the file header.
    fn finish(mut self) -> Vec<u8> {
        let e = self.endian;
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let table = self.bytes.len() as u64;
        for h in &self.headers {
            self.bytes.extend([h.name, h.kind].into_iter().flat_map(|word| e.from_u32(word)));
            self.bytes.extend([h.flags, 0, h.offset, h.size].into_iter().flat_map(|word| xword(e, word)));
            self.bytes.extend([h.link, h.info].into_iter().flat_map(|word| e.from_u32(word)));
            self.bytes.extend([h.align, h.entsize].into_iter().flat_map(|word| xword(e, word)));
        }
        let order = if e == Endian::Big { 2 } else { 1 };
        let mut head = vec![0x7f, b'E', b'L', b'F', 2, order, EV_CURRENT, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        head.extend([ET_REL, EM_BPF].into_iter().flat_map(|half| e.from_u16(half)));
        head.extend(e.from_u32(EV_CURRENT.into()));
        // entry, program headers, section headers; flags
        head.extend([0, 0, table].into_iter().flat_map(|word| xword(e, word)));
        head.extend(e.from_u32(0));
        let count = self.headers.len() as u16;
        let halves = [HEADER_LEN as u16, 0, 0, HEADER_LEN as u16, count, count - 1];
        head.extend(halves.into_iter().flat_map(|half| e.from_u16(half)));
        self.bytes[..HEADER_LEN].copy_from_slice(&head);
        self.bytes
    }
}

fn xword(endian: Endian, word: u64) -> [u8; 8] {
    match endian {
        Endian::Little => word.to_le_bytes(),
        Endian::Big => word.to_be_bytes(),
    }
}
