//! One unit's DIEs, walked once from front to back into flat tables: types, their parts, functions with code, variables.
//!
//! Function bodies are passed by, except that types may be declared in them: what is known to hold none (inlined calls,
//! call sites, variables) is skipped to its sibling or over its summed size, and only blocks are entered.

use super::Malformed;
use super::abbrev::{Abbrev, Step, Table};
use super::die::{Context, Die, DieRef, Str};
use super::form::Cursor;
use super::tables::{Func, Part, Tables, Tag, Ty, VARARGS, Var};
use gimli::constants::{self as dw, DwForm, DwTag};
use std::ops::Range;

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

/// Reads the first DIE of a unit: the unit's own.
pub(super) fn root(bytes: &[u8], table: &mut Table, cx: &mut Context) -> Result<Die, Malformed> {
    let mut cursor = begin(bytes, cx)?;
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

/// Behind the unit's header in the buffer.
fn begin<'b>(bytes: &'b [u8], cx: &Context) -> Result<Cursor<'b>, Malformed> {
    let (base, unit) = (cx.own.base as usize, &cx.own.unit);
    let bytes = bytes.get(..base + unit.len as usize).ok_or(Malformed::Truncated)?;
    Ok(Cursor { bytes, at: base + unit.header as usize })
}

/// Walks a unit in the buffer `bytes`, adding to `out`. Only variables in `wanted` addresses are kept.
pub(super) fn walk(
    bytes: &[u8],
    table: &mut Table,
    cx: &mut Context,
    wanted: &Range<u64>,
    out: &mut Tables,
) -> Result<(), Malformed> {
    let mut cursor = begin(bytes, cx)?;
    let mut scopes: Vec<Scope> = Vec::with_capacity(16);
    loop {
        let at = cursor.at;
        if at >= cursor.bytes.len() {
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
                        let mut die = Die::read(abbrev, &mut cursor, cx)?;
                        let tag = match die.signature {
                            DieRef::NONE => tag,
                            // it has no more than what it declares
                            of => {
                                die.ty = of;
                                Tag::Transparent
                            }
                        };
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
                            let Die { name, ty, external, .. } = die;
                            let declared =
                                if die.declared == DieRef::NONE { die.origin } else { die.declared };
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
        dw::DW_FORM_ref_udata => 0,
        _ => return cursor.skip_form(form, &cx.encoding).map(|()| None),
    };
    let at = if size == 0 { cursor.uleb()? } else { cursor.unsigned(size, endian)? };
    let at = usize::try_from(at).map_err(|_| Malformed::Reference(at))?;
    Ok(Some(at.saturating_add(cx.own.base as usize)))
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
        out.funcs.push(Func { own, name, origin, has_code, low_pc, nocall });
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
