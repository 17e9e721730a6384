//! Sections of variables, which become maps: `.data`, `.rodata`, `.bss` and their likes.
//! Source: `bpf_object__elf_collect`, `bpf_object__init_global_data_maps` and `btf_fixup_datasec`, libbpf `src/libbpf.c`.
//! Time: a walk over the types for each section, and one over the symbols for each variable.

use super::{Fault, Object};
use crate::btf::{Kind, SecVar};
use crate::elf::{SHT_NOBITS, SHT_PROGBITS, STT_OBJECT, Section};
use crate::error::{Error, Result};
use crate::id::TypeId;

/// Linkage of a VAR: static.
const VAR_STATIC: u32 = 0;

/// Section of the variables that clang puts into address space 1: what the object's arena begins with.
const ARENA: &str = ".addr_space.1";

/// What a section of variables is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataRole {
    /// `.data`: writable, with first contents.
    Data,
    /// `.rodata`: constants of a running program.
    Rodata,
    /// `.bss`: writable, zeros at first.
    Bss,
}

/// A section of variables.
#[derive(Clone, Copy, Debug)]
pub struct DataSection<'a> {
    /// Number of the ELF section.
    pub section: u16,
    /// Its name, such as `.rodata.cst16`.
    pub name: &'a str,
    /// What it is.
    pub role: DataRole,
    /// First contents; empty for `.bss`.
    pub data: &'a [u8],
    /// Bytes, zeros included.
    pub size: u32,
    /// Its DATASEC; sections of constants that the compiler made have none.
    pub ty: Option<TypeId>,
}

/// A variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// Its name; static variables of functions are named `function.variable`.
    pub name: &'a str,
    /// Its VAR.
    pub ty: TypeId,
    /// Offset in its section, in bytes.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// Whether it is seen in its file only.
    pub is_static: bool,
}

/// The role of a section, by type and name.
pub(super) fn role_of(s: &Section<'_>) -> Option<DataRole> {
    let is =
        |base: &str| s.name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    match s.kind {
        SHT_PROGBITS if s.is_executable() => None,
        SHT_PROGBITS if is(".data") => Some(DataRole::Data),
        SHT_PROGBITS if is(".rodata") => Some(DataRole::Rodata),
        SHT_NOBITS if is(".bss") => Some(DataRole::Bss),
        _ => None,
    }
}

/// Whether the section has the variables of an arena.
pub(super) fn is_arena(s: &Section<'_>) -> bool {
    s.kind == SHT_PROGBITS && s.name == ARENA
}

impl<'a> Object<'a> {
    /// The section of variables in an arena (`__arena`), which become no map of their own; `None` for objects without.
    ///
    /// # Errors
    /// As [`Object::data_sections`].
    pub fn arena_section(&self) -> Result<Option<DataSection<'a>>> {
        let Some(s) = self.elf.sections().find(|s| s.size > 0 && is_arena(s)) else { return Ok(None) };
        let outside = |_| Object::fault(s.index, u32::MAX.into(), Fault::OutsideSection);
        let size = u32::try_from(s.size).map_err(outside)?;
        let ty = self.btf.find(s.name, Kind::Datasec).map(|t| t.id);
        let (section, role) = (s.index, DataRole::Data);
        Ok(Some(DataSection { section, name: s.name, role, data: s.data, size, ty }))
    }

    /// The sections of variables in the order of the file, without empty ones.
    ///
    /// # Errors
    /// [`Error::Object`] for one of 4 GiB or more.
    pub fn data_sections(&self) -> impl Iterator<Item = Result<DataSection<'a>>> + use<'a> {
        let object = *self;
        self.elf.sections().filter(|s| s.size > 0).filter_map(move |s| {
            let role = role_of(&s)?;
            let ty = object.btf.find(s.name, Kind::Datasec).map(|t| t.id);
            let size = u32::try_from(s.size)
                .map_err(|_| Object::fault(s.index, u32::MAX.into(), Fault::OutsideSection));
            Some(size.map(|size| DataSection {
                section: s.index,
                name: s.name,
                role,
                data: s.data,
                size,
                ty,
            }))
        })
    }

    /// The variables of a section, in the order of its DATASEC.
    ///
    /// clang leaves size 0 in a DATASEC and offset 0 for global variables, whose symbols say where they are; static
    /// variables, which need not have a symbol, carry their offset. `bpftool gen object` fills all of it in.
    ///
    /// # Errors
    /// [`Error::Object`] for a global variable without a symbol and for variables outside their section.
    pub fn variables(
        &self,
        section: &DataSection<'a>,
    ) -> impl Iterator<Item = Result<Variable<'a>>> + use<'a> {
        let (object, section) = (*self, *section);
        let datasec = section.ty.and_then(|id| object.btf.ty(id).ok());
        datasec
            .into_iter()
            .flat_map(move |d| d.vars().map(move |v| object.variable(&section, v, d.size() != 0)))
    }

    fn variable(&self, section: &DataSection<'a>, v: SecVar, placed: bool) -> Result<Variable<'a>> {
        let var = self.btf.ty(v.ty)?;
        let linkage = var.var_linkage().ok_or(Error::WrongKind { id: v.ty, kind: var.kind_number() })?;
        let (name, is_static) = (self.btf.name(&var), linkage == VAR_STATIC);
        let offset = if placed || is_static {
            v.offset
        } else {
            let fits = |s: &crate::elf::Symbol<'_>| s.kind == STT_OBJECT && s.section == section.section;
            let index = self.elf.unnamed_symbols().filter(fits).find_map(|s| {
                let s = self.elf.symbol(s.index).ok()?;
                (s.name == name).then_some(s.value)
            });
            let value = index.ok_or(Object::fault(section.section, 0, Fault::NoVariableSymbol))?;
            u32::try_from(value).unwrap_or(u32::MAX)
        };
        if offset.checked_add(v.size).is_none_or(|end| end > section.size) {
            return Err(Object::fault(section.section, offset.into(), Fault::OutsideSection));
        }
        Ok(Variable { name, ty: v.ty, offset, size: v.size, is_static })
    }
}
