//! What is read of one unit: its types, their parts, functions and variables, in flat tables in the order of the DIEs.

use super::die::{Die, DieRef, Str};
use std::ops::Range;

/// What kind of type a DIE is. The numbers go into hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Struct = 1,
    Union,
    Enum,
    Typedef,
    Pointer,
    Const,
    Volatile,
    Restrict,
    /// A qualifier that BTF has no word for, such as `_Atomic`: it is what it refers to.
    Transparent,
    Array,
    /// A function's type, or a function.
    Proto,
    Base,
    /// What stands for no type in the language.
    Void,
}

impl Tag {
    /// Those that C refers to by a name of their own, and that may be declared without being defined.
    #[inline]
    pub(super) fn is_tagged(self) -> bool {
        matches!(self, Tag::Struct | Tag::Union | Tag::Enum)
    }
}

/// A type.
#[derive(Clone, Debug)]
pub(super) struct Ty {
    /// Offset in the unit.
    pub(super) at: u32,
    pub(super) tag: Tag,
    /// Declared, not defined.
    pub(super) declaration: bool,
    /// `DW_AT_encoding`.
    pub(super) encoding: u8,
    pub(super) name: Str,
    /// In bytes.
    pub(super) size: u32,
    /// What it refers to.
    pub(super) ty: DieRef,
    /// Its parts in [`Tables::parts`].
    pub(super) parts: Range<u32>,
}

/// A member, enumerator, parameter or dimension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Index of the type it belongs to.
    pub(super) of: u32,
    pub(super) name: Str,
    pub(super) ty: DieRef,
    /// Bits of a bitfield; 1 of a negative enumerator.
    pub(super) bits: u32,
    /// Bit offset of a member, value of an enumerator, elements of a dimension.
    pub(super) value: u64,
}

/// The name of the parameter that stands for `...`: it has no type and no name.
pub(super) const VARARGS: u64 = 1;

/// A function that this unit defines.
#[derive(Clone, Debug)]
pub(super) struct Func {
    /// Its own type, where the DIE has the prototype.
    pub(super) own: Option<u32>,
    pub(super) name: Str,
    /// The DIE that has the prototype: an abstract instance, or a declaration.
    pub(super) origin: DieRef,
    /// Whether it has code of its own: at an address, or in several ranges.
    pub(super) has_code: bool,
    pub(super) low_pc: Option<u64>,
    pub(super) nocall: bool,
}

/// A variable at a fixed address.
#[derive(Clone, Debug)]
pub(super) struct Var {
    /// Offset in the unit.
    pub(super) at: u32,
    pub(super) name: Str,
    pub(super) ty: DieRef,
    pub(super) declared: DieRef,
    pub(super) external: bool,
    pub(super) address: u64,
}

/// A unit's types, functions and variables, in the order of their DIEs.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) types: Vec<Ty>,
    pub(super) parts: Vec<Part>,
    pub(super) funcs: Vec<Func>,
    pub(super) vars: Vec<Var>,
    /// For each 2^[`GRAIN`] bytes of the unit, how many types begin before them.
    grains: Vec<u32>,
    /// Some type's parts are not side by side.
    scattered: bool,
}

const GRAIN: u32 = 5;

impl Tables {
    pub(super) fn clear(&mut self) {
        self.types.clear();
        self.parts.clear();
        self.funcs.clear();
        self.vars.clear();
        self.grains.clear();
        self.scattered = false;
    }

    /// Index of the type at `at` in the unit.
    #[inline]
    pub(super) fn find(&self, at: u32) -> Option<u32> {
        let first = *self.grains.get((at >> GRAIN) as usize)?;
        let found =
            self.types[first as usize..].iter().take_while(|ty| ty.at <= at).position(|ty| ty.at == at)?;
        Some(first + found as u32)
    }

    /// Adds a type without parts; its index comes back.
    pub(super) fn add(&mut self, at: u32, tag: Tag, die: &Die) -> u32 {
        let index = self.types.len() as u32;
        let grain = (at >> GRAIN) as usize;
        if self.grains.len() <= grain {
            self.grains.resize(grain + 1, index);
        }
        let part = self.parts.len() as u32;
        self.types.push(Ty {
            at,
            tag,
            declaration: die.declaration,
            encoding: die.encoding,
            name: die.name,
            size: die.byte_size.map_or(0, saturate),
            ty: die.ty,
            parts: part..part,
        });
        index
    }

    /// Adds a part to the type that it belongs to.
    pub(super) fn part(&mut self, part: Part) {
        let next = self.parts.len() as u32;
        self.parts.push(part);
        let range = &mut self.types[part.of as usize].parts;
        if range.start == range.end {
            range.start = next;
        } else {
            self.scattered |= range.end != next;
        }
        range.end = next + 1;
    }

    /// Makes a walked unit of `len` bytes ready to be asked.
    pub(super) fn finish(&mut self, len: usize) {
        self.grains.resize((len >> GRAIN) + 1, self.types.len() as u32);
        if self.scattered {
            self.gather();
        }
        self.complete();
    }

    /// A function that was declared before has its name and result there.
    fn complete(&mut self) {
        for index in 0..self.funcs.len() {
            let Func { own: Some(own), origin, .. } = self.funcs[index] else { continue };
            if origin == DieRef::NONE || origin.0 & DieRef::FOREIGN != 0 {
                continue;
            }
            let Some(declared) = self.find(origin.0).map(|at| self.types[at as usize].clone()) else {
                continue;
            };
            let ty = &mut self.types[own as usize];
            if ty.name == Str::NONE {
                ty.name = declared.name;
            }
            if ty.ty == DieRef::NONE {
                ty.ty = declared.ty;
            }
            self.funcs[index].name = ty.name;
        }
    }

    /// Parts of a type that has others inside it are not side by side: makes them so.
    fn gather(&mut self) {
        let mut from = 0;
        self.parts.sort_by_key(|part| part.of);
        for (index, ty) in self.types.iter_mut().enumerate() {
            let end = from + self.parts[from..].iter().take_while(|part| part.of as usize == index).count();
            ty.parts = from as u32..end as u32;
            from = end;
        }
    }
}

fn saturate(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
