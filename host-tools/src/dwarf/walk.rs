//! One unit's DIEs, walked once from front to back into flat tables: types, their parts, functions with code, variables.
//!
//! Function bodies are passed by, except that types may be declared in them: what is known to hold none (inlined calls,
//! call sites, variables) is skipped to its sibling or over its summed size, and only blocks are entered.

use super::Malformed;
use super::abbrev::{Abbrev, Step, Table};
use super::die::{Context, Die, DieRef, Str};
use super::form::Cursor;
use super::unit::Unit;
use gimli::constants::{self as dw, DwForm, DwTag};
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

/// The deepest nesting of DIEs that is followed.
const MAX_NESTING: usize = 1024;

/// What the children of an open DIE are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Of the unit, or of a namespace in it.
    Unit,
    /// Parts of a type.
    Type(u32),
    /// A function's parameters, and its body.
    Func(u32),
    /// A body, or part of one.
    Body,
    /// Nothing that is asked for.
    Pass,
}

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

    fn add(&mut self, at: u32, tag: Tag, die: &Die) -> u32 {
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

    fn part(&mut self, part: Part) {
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

/// Reads the first DIE of a unit: the unit's own.
pub(super) fn root(unit: &Unit, bytes: &[u8], table: &mut Table, cx: &mut Context) -> Result<Die, Malformed> {
    let mut cursor = Cursor { bytes, at: unit.header as usize };
    let code = cursor.uleb()?;
    let abbrev = table.get(code, &cx.encoding)?;
    let start = cursor.at;
    // names by index may come before what the indices begin at
    for &step in &abbrev.steps {
        match step {
            Step::Skip(count) => cursor.skip(count as usize)?,
            Step::Implicit(..) => {}
            Step::SkipForm(form) => cursor.skip_form(form, &cx.encoding)?,
            Step::Read(name, form) => cx.base(name, form, &mut cursor)?,
        }
    }
    cursor.at = start;
    Die::read(abbrev, &mut cursor, cx)
}

/// Reads the DIE at `at` of the unit.
pub(super) fn single(at: u32, bytes: &[u8], table: &mut Table, cx: &mut Context) -> Result<Die, Malformed> {
    let mut cursor = Cursor { bytes, at: at as usize };
    let code = cursor.uleb()?;
    Die::read(table.get(code, &cx.encoding)?, &mut cursor, cx)
}

/// Walks the unit whose bytes are `bytes`, from its header on, into `out`. Only variables in `wanted` addresses are kept.
pub(super) fn walk(
    unit: &Unit,
    bytes: &[u8],
    table: &mut Table,
    cx: &mut Context,
    wanted: &Range<u64>,
    out: &mut Tables,
) -> Result<(), Malformed> {
    out.clear();
    let mut cursor = Cursor { bytes, at: unit.header as usize };
    let mut scopes: Vec<Scope> = Vec::with_capacity(16);
    loop {
        let at = cursor.at;
        if at >= bytes.len() {
            break;
        }
        let code = cursor.uleb()?;
        if code == 0 {
            scopes.pop();
            if scopes.is_empty() {
                break;
            }
            continue;
        }
        let abbrev = table.get(code, &cx.encoding)?;
        let scope = scopes.last().copied();
        let inner = match scope {
            None => {
                Die::read(abbrev, &mut cursor, cx)?;
                Some(Scope::Unit)
            }
            Some(scope) => {
                let what = plan(abbrev.tag, scope);
                match what {
                    Plan::Pass => pass(abbrev, &mut cursor, cx, at)?,
                    Plan::Enter => {
                        enter(abbrev, &mut cursor, cx)?;
                        Some(if scope == Scope::Unit { Scope::Unit } else { Scope::Body })
                    }
                    Plan::Type(tag) => {
                        let die = Die::read(abbrev, &mut cursor, cx)?;
                        let index = out.add(at as u32, tag, &die);
                        Some(Scope::Type(index))
                    }
                    Plan::Part(of) => {
                        let die = Die::read(abbrev, &mut cursor, cx)?;
                        let part = part(abbrev.tag, of, &die, &out.types[of as usize], cx)?;
                        if let Some(part) = part {
                            out.part(part);
                        }
                        leave(&die, &mut cursor, at)?
                    }
                    Plan::Func => {
                        let die = Die::read(abbrev, &mut cursor, cx)?;
                        func(at as u32, &die, out, &mut cursor, scope)?
                    }
                    Plan::Var => {
                        let die = Die::read(abbrev, &mut cursor, cx)?;
                        if let Some(address) = die.address.filter(|address| wanted.contains(address)) {
                            let Die { name, ty, declared, external, .. } = die;
                            out.vars.push(Var { at: at as u32, name, ty, declared, external, address });
                        }
                        leave(&die, &mut cursor, at)?
                    }
                }
            }
        };
        if let (true, Some(inner)) = (abbrev.has_children, inner) {
            if scopes.len() >= MAX_NESTING {
                return Err(Malformed::Nesting);
            }
            scopes.push(inner);
        } else if scope.is_none() {
            break;
        }
    }
    let grains = (bytes.len() >> GRAIN) + 1;
    out.grains.resize(grains, out.types.len() as u32);
    if out.scattered {
        out.gather();
    }
    out.complete();
    Ok(())
}

/// What to do with a DIE.
#[derive(Clone, Copy)]
enum Plan {
    Pass,
    Enter,
    Type(Tag),
    Part(u32),
    Func,
    Var,
}

#[inline]
fn plan(tag: DwTag, scope: Scope) -> Plan {
    if scope == Scope::Pass {
        return Plan::Pass;
    }
    match (tag, scope) {
        (dw::DW_TAG_member, Scope::Type(of))
        | (dw::DW_TAG_enumerator, Scope::Type(of))
        | (dw::DW_TAG_subrange_type, Scope::Type(of))
        | (dw::DW_TAG_formal_parameter, Scope::Type(of) | Scope::Func(of))
        | (dw::DW_TAG_unspecified_parameters, Scope::Type(of) | Scope::Func(of)) => Plan::Part(of),
        (dw::DW_TAG_structure_type | dw::DW_TAG_class_type, _) => Plan::Type(Tag::Struct),
        (dw::DW_TAG_union_type, _) => Plan::Type(Tag::Union),
        (dw::DW_TAG_enumeration_type, _) => Plan::Type(Tag::Enum),
        (dw::DW_TAG_typedef, _) => Plan::Type(Tag::Typedef),
        (dw::DW_TAG_pointer_type, _) => Plan::Type(Tag::Pointer),
        (dw::DW_TAG_const_type, _) => Plan::Type(Tag::Const),
        (dw::DW_TAG_volatile_type, _) => Plan::Type(Tag::Volatile),
        (dw::DW_TAG_restrict_type, _) => Plan::Type(Tag::Restrict),
        (dw::DW_TAG_atomic_type | dw::DW_TAG_immutable_type | dw::DW_TAG_packed_type, _) => {
            Plan::Type(Tag::Transparent)
        }
        (dw::DW_TAG_array_type, _) => Plan::Type(Tag::Array),
        (dw::DW_TAG_subroutine_type, _) => Plan::Type(Tag::Proto),
        (dw::DW_TAG_base_type, _) => Plan::Type(Tag::Base),
        (dw::DW_TAG_unspecified_type, _) => Plan::Type(Tag::Void),
        (dw::DW_TAG_subprogram, Scope::Unit | Scope::Func(_) | Scope::Body) => Plan::Func,
        (dw::DW_TAG_variable, Scope::Unit) => Plan::Var,
        (dw::DW_TAG_lexical_block, Scope::Func(_) | Scope::Body) => Plan::Enter,
        (dw::DW_TAG_namespace, Scope::Unit) => Plan::Enter,
        _ => Plan::Pass,
    }
}

/// Passes by a DIE, and its children where it says where they end.
#[inline]
fn pass(abbrev: &Abbrev, cursor: &mut Cursor, cx: &Context, at: usize) -> Result<Option<Scope>, Malformed> {
    let mut sibling = None;
    for &step in &abbrev.pass {
        match step {
            Step::Skip(count) => cursor.skip(count as usize)?,
            Step::SkipForm(form) => cursor.skip_form(form, &cx.encoding)?,
            Step::Read(_, form) => sibling = sibling_at(form, cursor, cx)?,
            Step::Implicit(..) => {}
        }
    }
    match sibling {
        Some(sibling) if abbrev.has_children => jump(sibling, cursor, at).map(|()| None),
        _ => Ok(Some(Scope::Pass)),
    }
}

/// Passes by a DIE's own values; its children are walked.
fn enter(abbrev: &Abbrev, cursor: &mut Cursor, cx: &Context) -> Result<(), Malformed> {
    for &step in &abbrev.pass {
        match step {
            Step::Skip(count) => cursor.skip(count as usize)?,
            Step::SkipForm(form) | Step::Read(_, form) => cursor.skip_form(form, &cx.encoding)?,
            Step::Implicit(..) => {}
        }
    }
    Ok(())
}

#[inline]
fn sibling_at(form: DwForm, cursor: &mut Cursor, cx: &Context) -> Result<Option<usize>, Malformed> {
    let endian = cx.encoding.endian;
    let size = match form {
        dw::DW_FORM_ref4 => 4,
        dw::DW_FORM_ref1 => 1,
        dw::DW_FORM_ref2 => 2,
        dw::DW_FORM_ref8 => 8,
        dw::DW_FORM_ref_udata => return Ok(Some(cursor.uleb()? as usize)),
        _ => return cursor.skip_form(form, &cx.encoding).map(|()| None),
    };
    Ok(Some(cursor.unsigned(size, endian)? as usize))
}

/// Goes on at `sibling`, which is always further on: a circle would never end.
#[inline]
fn jump(sibling: usize, cursor: &mut Cursor, at: usize) -> Result<(), Malformed> {
    if sibling <= at || sibling < cursor.at || sibling > cursor.bytes.len() {
        return Err(Malformed::Reference(sibling as u64));
    }
    cursor.at = sibling;
    Ok(())
}

/// Past the children of a DIE of which nothing is asked.
#[inline]
fn leave(die: &Die, cursor: &mut Cursor, at: usize) -> Result<Option<Scope>, Malformed> {
    if die.sibling == 0 || die.sibling & DieRef::FOREIGN != 0 {
        return Ok(Some(Scope::Pass));
    }
    jump(die.sibling as usize, cursor, at).map(|()| None)
}

/// A function: its prototype is a type where the DIE has it, and what has code is listed.
fn func(
    at: u32,
    die: &Die,
    out: &mut Tables,
    cursor: &mut Cursor,
    scope: Scope,
) -> Result<Option<Scope>, Malformed> {
    let origin = if die.origin == DieRef::NONE { die.declared } else { die.origin };
    let has_code = (die.low_pc.is_some() || die.ranges) && !die.declaration;
    // a concrete instance has its parameters' places, and refers to the DIE that has the prototype
    let own = (die.origin == DieRef::NONE)
        .then(|| out.add(at, Tag::Proto, &Die { byte_size: None, ..die.clone() }));
    // gcc gives no code to a function whose code is that of an equal one (-fipa-icf); its symbol tells
    let defined = has_code || own.is_some() && !die.declaration && !die.inlined;
    if defined && scope == Scope::Unit {
        let Die { name, low_pc, nocall, .. } = *die;
        out.funcs.push(Func { own, name, origin, low_pc, nocall });
    }
    match own {
        Some(index) if !die.declaration => Ok(Some(Scope::Func(index))),
        _ => leave(die, cursor, at as usize),
    }
}

/// The part of `ty` that `die` is; `None` for what has no place in it.
#[inline]
fn part(tag: DwTag, of: u32, die: &Die, ty: &Ty, cx: &Context) -> Result<Option<Part>, Malformed> {
    let part = Part { of, name: die.name, ty: die.ty, bits: 0, value: 0 };
    Ok(match (tag, ty.tag) {
        (dw::DW_TAG_member, Tag::Struct | Tag::Union) if !die.external => {
            let (value, bits) = place(die, cx)?;
            Some(Part { bits, value, ..part })
        }
        (dw::DW_TAG_enumerator, Tag::Enum) => {
            let (value, signed) = die.value.unwrap_or((0, false));
            Some(Part { bits: (signed && (value as i64) < 0).into(), value, ..part })
        }
        (dw::DW_TAG_subrange_type, Tag::Array) => {
            Some(Part { value: die.count.unwrap_or(0), ty: DieRef::NONE, name: Str::NONE, ..part })
        }
        (dw::DW_TAG_formal_parameter, Tag::Proto) => Some(part),
        (dw::DW_TAG_unspecified_parameters, Tag::Proto) => {
            Some(Part { value: VARARGS, ty: DieRef::NONE, name: Str::NONE, ..part })
        }
        _ => None,
    })
}

/// A member's bit offset, and its bits where it is a bitfield.
fn place(die: &Die, cx: &Context) -> Result<(u64, u32), Malformed> {
    use corelet_core::Endian;
    let bytes = die.location.checked_mul(8).ok_or(Malformed::Location)?;
    let bits = u32::try_from(die.bit_size).map_err(|_| Malformed::Location)?;
    let offset = match (die.data_bit_offset, die.bit_offset) {
        (Some(offset), _) => bytes.checked_add(offset),
        // DWARF 2: from the most significant bit of the storage unit
        (None, Some(offset)) if cx.encoding.endian == Endian::Big => bytes.checked_add(offset),
        (None, Some(offset)) => {
            let storage = die.byte_size.unwrap_or(0).checked_mul(8);
            storage.and_then(|storage| {
                bytes.wrapping_add(storage).wrapping_sub(offset).checked_sub(die.bit_size)
            })
        }
        (None, None) => Some(bytes),
    };
    Ok((offset.ok_or(Malformed::Location)?, bits))
}
