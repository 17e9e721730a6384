//! What is read from ELF: the BTF and notes of a vmlinux, and the extent of ELF files inside other files.

use std::ops::Range;

use anyhow::{Context, Result};
use corelet_core::Endian;
use object::read::elf::{ElfFile, FileHeader};
use object::{Object, ObjectSection, elf};

use super::bytes::ReadAt;
use super::identity::{Arch, BuildId};

/// The parts of an ELF file that tell about a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// From `e_machine` and the class.
    pub arch: Option<Arch>,
    /// From `EI_DATA`.
    pub endian: Endian,
    /// From `EI_CLASS`, in bytes.
    pub pointer_size: u8,
    /// The bytes of the section `.BTF`.
    pub btf: Option<Range<usize>>,
    /// The bytes of the section `.BTF.base`, the distilled base of a module.
    pub btf_base: Option<Range<usize>>,
    /// The bytes of the section `.modinfo` of a module.
    pub modinfo: Option<Range<usize>>,
    /// The GNU note of the note sections or segments.
    pub build_id: Option<BuildId>,
    /// Whether this is an object file, such as a module.
    pub relocatable: bool,
    /// Whether there is DWARF.
    pub dwarf: bool,
    /// The first bytes of the code, which on arm64 and RISC-V are the Image header.
    pub head: Option<Range<usize>>,
}

/// Whether `bytes` begin as an ELF file does.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(&elf::ELFMAG)
}

/// Reads the headers and section table.
///
/// # Errors
/// What the ELF lacks, in the words of the reader.
pub fn facts(bytes: &[u8]) -> Result<Facts> {
    match bytes.get(4) {
        Some(&1) => facts_of::<elf::FileHeader32<object::Endianness>>(bytes, 4),
        _ => facts_of::<elf::FileHeader64<object::Endianness>>(bytes, 8),
    }
}

fn facts_of<H: FileHeader<Endian = object::Endianness>>(bytes: &[u8], pointer_size: u8) -> Result<Facts> {
    let file = ElfFile::<H>::parse(bytes).context("ELF: damaged headers")?;
    let endian = if file.is_little_endian() { Endian::Little } else { Endian::Big };
    let header = file.elf_header();
    let range = |name: &str| -> Option<Range<usize>> {
        let (at, len) = file.section_by_name(name)?.file_range()?;
        let range = usize::try_from(at).ok()?..usize::try_from(at.checked_add(len)?).ok()?;
        (!range.is_empty() && range.end <= bytes.len()).then_some(range)
    };
    Ok(Facts {
        arch: arch(header.e_machine(file.endian()), pointer_size),
        endian,
        pointer_size,
        btf: range(".BTF"),
        btf_base: range(".BTF.base"),
        modinfo: range(".modinfo"),
        build_id: file.build_id().ok().flatten().and_then(BuildId::new),
        relocatable: header.e_type(file.endian()) == elf::ET_REL,
        dwarf: range(".debug_info").or_else(|| range(".zdebug_info")).is_some(),
        head: range(".head.text"),
    })
}

fn arch(machine: elf::Machine, pointer_size: u8) -> Option<Arch> {
    Some(match (machine, pointer_size) {
        (elf::EM_386, _) => Arch::X86,
        (elf::EM_X86_64, _) => Arch::X86_64,
        (elf::EM_ARM, _) => Arch::Arm,
        (elf::EM_AARCH64, _) => Arch::Aarch64,
        (elf::EM_RISCV, 4) => Arch::Riscv32,
        (elf::EM_RISCV, _) => Arch::Riscv64,
        (elf::EM_MIPS, 4) => Arch::Mips,
        (elf::EM_MIPS, _) => Arch::Mips64,
        (elf::EM_PPC, _) => Arch::Powerpc,
        (elf::EM_PPC64, _) => Arch::Powerpc64,
        (elf::EM_S390, _) => Arch::S390x,
        (elf::EM_LOONGARCH, _) => Arch::Loongarch64,
        _ => return None,
    })
}

/// The ELF header fields that give a file's extent, for one class and byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Offset of the ELF header in the host's bytes.
    pub at: usize,
    /// Bytes up to the end of the last table, section or segment.
    pub len: usize,
    /// `e_type`.
    pub kind: u16,
    /// `e_machine`.
    pub machine: u16,
}

/// Every well-formed ELF file inside `bytes` that does not start inside another one, by offset. `from` is where to start
/// looking, so that a host which is an ELF itself can pass 1.
pub fn embedded(bytes: &[u8], from: usize) -> Vec<Embedded> {
    let mut out: Vec<Embedded> = Vec::new();
    let Some(rest) = bytes.get(from..) else { return out };
    for hit in memchr::memmem::find_iter(rest, &elf::ELFMAG) {
        let at = from + hit;
        if out.last().is_some_and(|last| at < last.at + last.len) {
            continue;
        }
        if let Some(found) = extent(&bytes[at..]) {
            out.push(Embedded { at, ..found });
        }
    }
    out
}

/// The extent of the ELF file that `bytes` begin with, when its header and tables hold together.
fn extent(bytes: &[u8]) -> Option<Embedded> {
    let wide = match bytes.get(4)? {
        1 => false,
        2 => true,
        _ => return None,
    };
    let endian = match bytes.get(5)? {
        1 => Endian::Little,
        2 => Endian::Big,
        _ => return None,
    };
    let half = |at| endian.u16_at(bytes, at);
    let word = |at: usize| match wide {
        true => endian.u64_at(bytes, at),
        false => endian.u32_at(bytes, at).map(u64::from),
    };
    let at = |narrow: usize, wide_at: usize| if wide { wide_at } else { narrow };
    let header_size = at(52, 64);
    if bytes.get(6) != Some(&1) || half(at(40, 52))? as usize != header_size {
        return None;
    }
    let mut end = header_size as u64;

    let (ph_at, ph_size, ph_num) = (word(at(28, 32))?, half(at(42, 54))?, half(at(44, 56))?);
    if ph_num > 0 {
        let entry = at(32, 56) as u64;
        if u64::from(ph_size) != entry {
            return None;
        }
        for i in 0..u64::from(ph_num) {
            let header = usize::try_from(ph_at.checked_add(i * entry)?).ok()?;
            let offset = word(header.checked_add(at(4, 8))?)?;
            let size = word(header.checked_add(at(16, 32))?)?;
            end = end.max(offset.checked_add(size)?).max(header as u64 + entry);
        }
    }
    let (sh_at, sh_size, sh_num) = (word(at(32, 40))?, half(at(46, 58))?, half(at(48, 60))?);
    if sh_num > 0 {
        let entry = at(40, 64) as u64;
        if u64::from(sh_size) != entry {
            return None;
        }
        for i in 0..u64::from(sh_num) {
            let header = usize::try_from(sh_at.checked_add(i * entry)?).ok()?;
            let kind = endian.u32_at(bytes, header.checked_add(4)?)?;
            let offset = word(header.checked_add(at(16, 24))?)?;
            let size = word(header.checked_add(at(20, 32))?)?;
            if kind != elf::SHT_NOBITS.0 && kind != elf::SHT_NULL.0 {
                end = end.max(offset.checked_add(size)?);
            }
            end = end.max(header as u64 + entry);
        }
    }
    let len = usize::try_from(end).ok().filter(|&len| len <= bytes.len())?;
    if ph_num == 0 && sh_num == 0 {
        return None;
    }
    Some(Embedded { at: 0, len, kind: half(16)?, machine: half(18)? })
}
