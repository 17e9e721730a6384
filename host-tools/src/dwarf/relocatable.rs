//! Object files, such as modules: sections without addresses, and values that relocations fill in.
//!
//! Each section of the program gets an address of its own, so that what is found by address in a linked file is found here
//! too. Sections of DWARF begin at 0, as their offsets do.

use std::collections::HashMap;

use corelet_core::Endian;
use object::{
    Object, ObjectSection, ObjectSymbol, ReadRef, RelocationKind, RelocationTarget, SectionFlags,
    SectionIndex,
};

/// The addresses of an object file's sections; nothing for a linked file, whose own are right.
#[derive(Debug, Default)]
pub(super) struct Layout {
    addresses: HashMap<SectionIndex, u64>,
    relocatable: bool,
}

/// The first address that is given to a section, so that none is at 0, which is no address.
const FIRST: u64 = 0x1_0000;

impl Layout {
    pub(super) fn of<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>) -> Layout {
        if elf.kind() != object::ObjectKind::Relocatable {
            return Layout::default();
        }
        let mut layout = Layout { relocatable: true, ..Layout::default() };
        let mut next = FIRST;
        for section in elf.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            if sh_flags.0 & object::elf::SHF_ALLOC.0 == 0 {
                continue;
            }
            layout.addresses.insert(section.index(), next);
            next = next.saturating_add(section.size()).saturating_add(0xfff) & !0xfff;
        }
        layout
    }

    pub(super) fn is_relocatable(&self) -> bool {
        self.relocatable
    }

    /// The address of a section: the one that it was given, or its own.
    pub(super) fn address<'d>(&self, section: &impl ObjectSection<'d>) -> u64 {
        self.addresses.get(&section.index()).copied().unwrap_or_else(|| section.address())
    }

    /// What is to be added to the value of a symbol in section number `index`.
    pub(super) fn base(&self, index: usize) -> u64 {
        self.addresses.get(&SectionIndex(index)).copied().unwrap_or(0)
    }

    /// Fills in the values of section `name`, whose bytes are `bytes`. Values outside of it are none. Other relocations than
    /// those to an address are of differences (lengths of code, lists of places), which nobody here asks for.
    pub(super) fn relocate<'d, R: ReadRef<'d>>(
        &self,
        elf: &object::File<'d, R>,
        name: &str,
        bytes: &mut [u8],
        endian: Endian,
    ) {
        let Some(section) = elf.section_by_name(name).filter(|_| self.relocatable) else { return };
        for (at, relocation) in section.relocations() {
            if !matches!(relocation.kind(), RelocationKind::Absolute | RelocationKind::SectionOffset) {
                continue;
            }
            let size = usize::from(relocation.size() / 8);
            let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
            let Ok(symbol) = elf.symbol_by_index(symbol) else { continue };
            let base = symbol.section_index().map_or(0, |index| self.base(index.0));
            let Some(place) =
                usize::try_from(at).ok().and_then(|at| bytes.get_mut(at..at.checked_add(size)?))
            else {
                continue;
            };
            let implicit = if relocation.has_implicit_addend() { number(place, endian) } else { 0 };
            let value = base
                .wrapping_add(symbol.address())
                .wrapping_add(relocation.addend() as u64)
                .wrapping_add(implicit);
            match (&mut *place, endian) {
                (place @ [_, _, _, _], _) => place.copy_from_slice(&endian.from_u32(value as u32)),
                (place @ [_, _, _, _, _, _, _, _], Endian::Little) => {
                    place.copy_from_slice(&value.to_le_bytes())
                }
                (place @ [_, _, _, _, _, _, _, _], Endian::Big) => {
                    place.copy_from_slice(&value.to_be_bytes())
                }
                _ => {}
            }
        }
    }
}

fn number(bytes: &[u8], endian: Endian) -> u64 {
    let step = |n: u64, &byte: &u8| n << 8 | u64::from(byte);
    match endian {
        Endian::Little => bytes.iter().rev().fold(0, step),
        Endian::Big => bytes.iter().fold(0, step),
    }
}
