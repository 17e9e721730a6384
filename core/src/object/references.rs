//! What the instructions of an object refer to: maps, variables, externs, other functions.
//! Source: `bpf_program__record_reloc` and `bpf_object__reloc_code`, libbpf `src/libbpf.c`;
//! `Documentation/bpf/llvm_reloc.rst`.
//!
//! Time: for each reference a walk over the symbols, and for one to a configuration value one over the externs; for each
//! instruction of a section whose relocations are not in order, as compilers leave them, one over these.

use super::data::{is_arena, role_of};
use super::{ExternKind, Fault, Function, Object};
use crate::btf::Kind;
use crate::elf::{R_BPF_64_32, R_BPF_64_64, R_BPF_64_ABS64, Rel, Rels, SHN_LORESERVE, STB_WEAK, Symbol};
use crate::error::{Error, Result};
use crate::id::TypeId;
use crate::insn::{self, CALL, INSN_SIZE, Insn, PSEUDO_CALL, PSEUDO_FUNC};

/// One instruction that refers to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its function.
    pub function: u32,
    /// The instruction, from the function's start.
    pub insn: u32,
    /// What it refers to.
    pub to: Referent,
}

/// What an instruction refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referent {
    /// `ld_imm64` of a map of [`Object::maps`].
    Map {
        /// The map.
        map: u32,
    },
    /// `ld_imm64` of an address in a section of [`Object::data_sections`], or in [`Object::arena_section`].
    Data {
        /// Number of the ELF section.
        section: u16,
        /// Bytes from its start.
        offset: u32,
    },
    /// `ld_imm64` of a configuration value's address.
    Kconfig {
        /// The extern, of [`Object::externs`].
        index: u32,
        /// Bytes from the start of `.kconfig`.
        offset: u32,
    },
    /// `ld_imm64` of a variable's or function's address in the kernel.
    Ksym {
        /// Its VAR or FUNC.
        ty: TypeId,
        /// Whether it may be missing.
        weak: bool,
    },
    /// Call of a kernel function.
    Kfunc {
        /// Its FUNC.
        ty: TypeId,
        /// Whether it may be missing.
        weak: bool,
    },
    /// Call of a subprogram.
    Call {
        /// The subprogram, of [`Object::functions`].
        function: u32,
    },
    /// `ld_imm64` of a subprogram's address (callbacks).
    FunctionAddress {
        /// The subprogram, of [`Object::functions`].
        function: u32,
    },
}

/// All references of an object, by function and instruction.
#[derive(Clone, Debug)]
pub struct References<'a> {
    object: Object<'a>,
    function: Option<Function<'a>>,
    insn: u32,
    rels: Option<Cursor<'a>>,
    ended: bool,
}

impl<'a> Object<'a> {
    /// What the instructions refer to, by function and instruction: what relocations say, and calls within `.text` that
    /// need none. Relocations of overridden weak functions are left out, as libbpf does.
    ///
    /// # Errors
    /// [`Error::Object`] with the instruction's section and offset, and then no more references.
    pub fn references(&self) -> References<'a> {
        References { object: *self, function: None, insn: 0, rels: None, ended: false }
    }
}

impl Iterator for References<'_> {
    type Item = Result<Reference>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<'a> References<'a> {
    fn advance(&mut self) -> Result<Option<Reference>> {
        loop {
            let f = match self.function {
                Some(f) if self.insn < f.insn_count() => f,
                last => match self.object.next_function(last)? {
                    None => return Ok(None),
                    Some(next) => {
                        if last.is_none_or(|l| l.section != next.section) {
                            let size = self.object.elf.section(next.section)?.size;
                            let rels = self.object.elf.rels_of(next.section)?;
                            if let Some(r) = rels.iter().find(|r| r.offset >= size) {
                                return Err(Object::fault(next.section, r.offset, Fault::MisplacedReloc));
                            }
                            self.rels = Some(Cursor::new(rels));
                        }
                        (self.function, self.insn) = (Some(next), 0);
                        next
                    }
                },
            };
            let number = self.insn;
            let place = Place { function: f, insn: number };
            let insn = insn::read(f.insns, number, self.object.endian())?;
            let width = if insn.is_ld_imm64() { 2 } else { 1 };
            self.insn = number.saturating_add(width);
            let rels = self.rels.as_mut().ok_or(place.fault(Fault::BadSection))?;
            let end = place.at().saturating_add(u64::from(width).saturating_mul(INSN_SIZE as u64));
            let to = match rels.within(place.at(), end).map_err(|f| place.fault(f))? {
                Some(rel) => Some(self.object.resolve(&place, insn, &rel)?),
                None => self.object.unrelocated(&place, insn)?,
            };
            if let Some(to) = to {
                return Ok(Some(Reference { function: f.index, insn: number, to }));
            }
        }
    }
}

/// An instruction's place.
struct Place<'a> {
    function: Function<'a>,
    insn: u32,
}

impl Place<'_> {
    /// Offset in the section, in bytes.
    fn at(&self) -> u64 {
        u64::from(self.insn).saturating_mul(INSN_SIZE as u64).saturating_add(self.function.start.into())
    }

    fn fault(&self, fault: Fault) -> Error {
        Object::fault(self.function.section, self.at(), fault)
    }
}

impl<'a> Object<'a> {
    /// What a relocated instruction refers to.
    fn resolve(&self, place: &Place<'_>, insn: Insn, rel: &Rel) -> Result<Referent> {
        let symbol = self.elf.symbol(rel.symbol)?;
        let is_call = insn.code == CALL;
        match rel.kind {
            R_BPF_64_64 if insn.is_ld_imm64() => {}
            R_BPF_64_32 | R_BPF_64_ABS64 if is_call => {}
            R_BPF_64_64 | R_BPF_64_32 | R_BPF_64_ABS64 => return Err(place.fault(Fault::BadRelocInsn)),
            _ => return Err(place.fault(Fault::UnknownRelocType)),
        }
        if symbol.is_extern() {
            return self.resolve_extern(place, insn, &symbol);
        }
        if is_call {
            // A global function's call has -1 in imm, a static one's the place in the section that the symbol is of.
            let imm = i64::from(insn.imm).saturating_add(1).saturating_mul(INSN_SIZE as i64);
            let function = self.subprogram(symbol.section, symbol.value.checked_add_signed(imm))?;
            let known = function.filter(|_| insn.src == PSEUDO_CALL);
            return known.map(|function| Referent::Call { function }).ok_or(place.fault(Fault::BadCall));
        }
        if symbol.section == 0 || symbol.section >= SHN_LORESERVE {
            return Err(place.fault(Fault::Uninitialised));
        }
        let at = symbol.value.checked_add_signed(insn.imm.into());
        if Some(symbol.section) == self.text {
            let function = self.subprogram(symbol.section, at)?;
            let function = function.ok_or(place.fault(Fault::BadFunctionAddress))?;
            return Ok(Referent::FunctionAddress { function });
        }
        if self.maps.is_some_and(|m| m.index == symbol.section) {
            let map = at.and_then(|at| self.map_at(at)).ok_or(place.fault(Fault::BadMapReference))?;
            return Ok(Referent::Map { map });
        }
        let section = self.elf.section(symbol.section)?;
        if role_of(&section).is_none() && !is_arena(&section) {
            // such as `maps/NAME` and `KIND/maps`, which other loaders have
            let name = section.name.as_bytes();
            let legacy = name.starts_with(b"maps/") || name.ends_with(b"/maps");
            return Err(place.fault(if legacy { Fault::LegacyMap } else { Fault::BadSection }));
        }
        let offset = at.filter(|&at| at < section.size).and_then(|at| u32::try_from(at).ok());
        let offset = offset.ok_or(place.fault(Fault::OutsideSection))?;
        Ok(Referent::Data { section: section.index, offset })
    }

    fn resolve_extern(&self, place: &Place<'_>, insn: Insn, symbol: &Symbol<'a>) -> Result<Referent> {
        let weak = symbol.bind == STB_WEAK;
        if let Some(t) = self.ksym(symbol.name) {
            return match (insn.code == CALL, t.kind()) {
                (false, _) => Ok(Referent::Ksym { ty: t.id, weak }),
                (true, Kind::Func) => Ok(Referent::Kfunc { ty: t.id, weak }),
                (true, _) => Err(place.fault(Fault::CallOfVariable)),
            };
        }
        if insn.code == CALL {
            return Err(place.fault(Fault::UntypedExtern));
        }
        for e in self.externs() {
            let e = e?;
            let ExternKind::Kconfig { offset, size, .. } = e.kind else { break };
            if e.symbol == symbol.index {
                // libbpf drops the addend, which would make every element of an array its first one.
                let inside = u32::try_from(insn.imm).ok().filter(|&i| i < size);
                let offset = inside.and_then(|i| offset.checked_add(i));
                let offset = offset.ok_or(place.fault(Fault::OutsideSection))?;
                return Ok(Referent::Kconfig { index: e.index, offset });
            }
        }
        Err(place.fault(Fault::UntypedExtern))
    }

    /// What an instruction without relocation refers to: a call within its section, whose distance the assembler knew.
    fn unrelocated(&self, place: &Place<'_>, insn: Insn) -> Result<Option<Referent>> {
        if insn.is_ld_imm64() && insn.src == PSEUDO_FUNC {
            return Err(place.fault(Fault::UnrelocatedAddress));
        }
        if insn.code != CALL || insn.src != PSEUDO_CALL {
            return Ok(None);
        }
        let distance = i64::from(insn.imm).saturating_add(1).saturating_mul(INSN_SIZE as i64);
        let function = self.subprogram(place.function.section, place.at().checked_add_signed(distance))?;
        function.map(|function| Some(Referent::Call { function })).ok_or(place.fault(Fault::BadCall))
    }

    /// Number of the subprogram that starts at byte `at` of section `section`, which is `.text`.
    fn subprogram(&self, section: u16, at: Option<u64>) -> Result<Option<u32>> {
        let Some(at) = at.filter(|_| Some(section) == self.text) else { return Ok(None) };
        let f = self.function_at(section, at)?;
        Ok(f.filter(|f| u64::from(f.start) == at).map(|f| f.index))
    }
}

/// Hands out the relocations of one section by their offset. Compilers write them in that order, which takes one walk;
/// in any other order the table is searched each time.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    rels: Rels<'a>,
    sorted: bool,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(rels: Rels<'a>) -> Self {
        Cursor { rels, sorted: rels.iter().is_sorted_by_key(|r| r.offset), at: 0 }
    }

    /// The relocation of the instruction that fills the bytes from `start` to `end`, if there is one.
    fn within(&mut self, start: u64, end: u64) -> core::result::Result<Option<Rel>, Fault> {
        if self.sorted {
            while self.rels.get(self.at).is_ok_and(|r| r.offset < start) {
                self.at = self.at.saturating_add(1);
            }
        } else {
            self.at = 0;
        }
        let rest = (self.at..self.rels.len()).map_while(|i| self.rels.get(i).ok());
        let sorted = self.sorted;
        let mut here =
            rest.take_while(|r| !sorted || r.offset < end).filter(|r| r.offset >= start && r.offset < end);
        match (here.next(), here.next()) {
            (None, _) => Ok(None),
            (Some(rel), None) if rel.offset == start => Ok(Some(rel)),
            _ => Err(Fault::MisplacedReloc),
        }
    }
}
