//! The ELF file header of a BPF object. Source: `Elf64_Ehdr`, `include/uapi/linux/elf.h`, and what `bpf_object__elf_init`
//! of libbpf asks of it.

use crate::bytes::{Bytes, Endian};
use crate::error::{Error, Part, Result};

/// Bytes of an ELF64 header.
const HEADER_LEN: usize = 64;
/// Bytes of an entry of the section header table.
pub(super) const SECTION_LEN: usize = 64;

const CLASS64: u8 = 2;
const ET_REL: u16 = 1;
const EM_NONE: u16 = 0;
const EM_BPF: u16 = 247;
/// Section numbers from here on have special meanings; a file with more sections keeps their number elsewhere.
pub const SHN_LORESERVE: u16 = 0xff00;

/// Where the sections of a file are.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Byte order of the file.
    pub endian: Endian,
    /// Offset of the section header table in the file.
    pub shoff: u64,
    /// Number of its entries.
    pub shnum: u16,
    /// Number of the section that holds the names of sections.
    pub shstrndx: u16,
}

impl Header {
    /// Reads the header at the start of `data`.
    ///
    /// # Errors
    /// [`Error::BadMagic`] where this is no ELF file, [`Error::ElfClass`], [`Error::ElfMachine`] and [`Error::ElfType`]
    /// where it is another one than a 64-bit relocatable BPF object, [`Error::Truncated`].
    pub fn parse(data: &[u8]) -> Result<Header> {
        let short = Error::Truncated { part: Part::ElfHeader, at: data.len().min(HEADER_LEN) as u32 };
        let (class, order) = match data {
            [0x7f, b'E', b'L', b'F', class, order, ..] => (*class, *order),
            [a, b, c, d, _, _, ..] => {
                let found = u32::from_be_bytes([*a, *b, *c, *d]);
                return Err(Error::BadMagic { part: Part::ElfHeader, found });
            }
            _ => return Err(short),
        };
        if class != CLASS64 {
            return Err(Error::ElfClass { found: class });
        }
        let endian = match order {
            1 => Endian::Little,
            2 => Endian::Big,
            n => return Err(Error::BadValue { part: Part::ElfHeader, at: 5, found: n.into() }),
        };
        let b = Bytes::new(data.get(..HEADER_LEN).ok_or(short)?, endian, Part::ElfHeader);
        let (kind, machine, shoff) = (b.u16(16)?, b.u16(18)?, b.u64(40)?);
        let (shentsize, shnum, shstrndx) = (b.u16(58)?, b.u16(60)?, b.u16(62)?);
        if machine != EM_BPF && machine != EM_NONE {
            return Err(Error::ElfMachine { found: machine });
        }
        if kind != ET_REL {
            return Err(Error::ElfType { found: kind });
        }
        if usize::from(shentsize) != SECTION_LEN {
            return Err(Error::BadValue { part: Part::ElfHeader, at: 58, found: shentsize.into() });
        }
        if shnum == 0 || shnum >= SHN_LORESERVE {
            return Err(Error::BadValue { part: Part::ElfHeader, at: 60, found: shnum.into() });
        }
        Ok(Header { endian, shoff, shnum, shstrndx })
    }
}
