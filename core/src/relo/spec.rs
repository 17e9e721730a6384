//! What an access string means in a type: the spec.
//!
//! A worked example. In
//!
//! ```c
//! struct sample { int x; struct { int y; int z; int a[7]; }; } *s;
//! ```
//!
//! `&s->a[3]` has the access string `0:1:2:3`. Its *raw spec* is `[0, 1, 2, 3]`: the struct `s` points at, member 1 (the
//! anonymous struct), member 2 of that (`a`), element 3. Its *points* are what has a name in C: `[0]`, `.a`, `[3]`. They are
//! what is looked for in the target, where anonymous structs may have come or gone. Its bit offset is
//! (4 + 8 + 3 × 4) × 8 = 192.
//!
//! Source: `bpf_core_parse_spec`, libbpf `src/relo_core.c`.

use super::ReloKind;
use super::access_str::{self, RawSpec};
use crate::btf::{Array, Btf};
use crate::error::{Error, Limit, Result};
use crate::id::TypeId;
use crate::limits::SPEC_MAX_LEN;
use heapless::Vec;

/// A point of a spec: an array element, a named member, or an enumerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accessor {
    /// The struct, union or enum for a member or enumerator; the element's type for an array element.
    pub type_id: TypeId,
    /// Number of the member, enumerator or element.
    pub index: u32,
    /// Whether it is a named member or an enumerator, and not an array element.
    pub named: bool,
}

/// A place within a type, by names and by bits.
#[derive(Clone, Debug)]
pub struct Spec {
    /// What is asked about it.
    pub kind: ReloKind,
    /// The type it starts from, modifiers and all.
    pub root: TypeId,
    /// Points that have a name or an index in C.
    pub points: Vec<Accessor, SPEC_MAX_LEN, u8>,
    /// Every step, through anonymous members too.
    pub raw: RawSpec,
    /// Distance from the start of the root type, in bits. Wraps as the kernel's `u32` does.
    pub bit_offset: u32,
}

impl Default for Spec {
    fn default() -> Self {
        Spec {
            kind: ReloKind::FieldByteOffset,
            root: TypeId::VOID,
            points: Vec::new(),
            raw: Vec::new(),
            bit_offset: 0,
        }
    }
}

pub(super) const TOO_LONG: Error = Error::TooMany { what: Limit::SpecLen, limit: SPEC_MAX_LEN as u32 };

impl Spec {
    /// Empties the spec for a new root.
    pub(super) fn reset(&mut self, kind: ReloKind, root: TypeId) {
        self.kind = kind;
        self.root = root;
        self.points.clear();
        self.raw.clear();
        self.bit_offset = 0;
    }

    pub(super) fn push(&mut self, point: Accessor) -> Result<()> {
        self.points.push(point).map_err(|_| TOO_LONG)
    }

    pub(super) fn push_raw(&mut self, index: u32) -> Result<()> {
        self.raw.push(index).map_err(|_| TOO_LONG)
    }

    /// Moves on by `index` elements of `size` bytes.
    pub(super) fn skip_elements(&mut self, index: u32, size: u32) {
        self.bit_offset = self.bit_offset.wrapping_add(index.wrapping_mul(size).wrapping_mul(8));
    }

    /// Reads the access string at `access_str_off` for a relocation of `kind` on `root`.
    ///
    /// # Errors
    /// [`Error::BadAccessStr`], [`Error::NoSuchMember`] where an index passes its type, [`Error::WrongKind`] where a step
    /// goes into a type without members, [`Error::TooMany`].
    pub fn parse(&mut self, btf: &Btf<'_>, root: TypeId, access_str_off: u32, kind: ReloKind) -> Result<()> {
        self.reset(kind, root);
        let text = btf.string(access_str_off);
        let bad = Error::BadAccessStr { at: access_str_off };
        if kind.is_type() {
            return if text == "0" { Ok(()) } else { Err(bad) };
        }
        access_str::parse(text, access_str_off, &mut self.raw)?;
        let first = *self.raw.first().ok_or(bad)?;
        let mut t = btf.skip_mods(root)?;
        self.push(Accessor { type_id: t.id, index: first, named: kind.is_enumval() })?;
        if kind.is_enumval() {
            if !t.kind().is_enum() {
                return Err(Error::WrongKind { id: t.id, kind: t.kind_number() });
            }
            return if self.raw.len() == 1 && first < t.vlen() {
                Ok(())
            } else {
                Err(Error::NoSuchMember { id: t.id, index: first })
            };
        }
        self.skip_elements(first, btf.size_of(t.id)?);
        for i in 1..self.raw.len() {
            let index = *self.raw.get(i).ok_or(bad)?;
            if t.kind().is_composite() {
                let m = t.member(index).ok_or(Error::NoSuchMember { id: t.id, index })?;
                self.bit_offset = self.bit_offset.wrapping_add(m.bit_offset);
                if m.name_off != 0 {
                    self.push(Accessor { type_id: t.id, index, named: true })?;
                }
                t = btf.skip_mods(m.ty)?;
            } else if let Some(array) = t.array() {
                if !self.holds(btf, &array, index)? {
                    return Err(Error::NoSuchMember { id: t.id, index });
                }
                t = btf.skip_mods(array.elem)?;
                self.push(Accessor { type_id: t.id, index, named: false })?;
                self.skip_elements(index, btf.size_of(t.id)?);
            } else {
                return Err(Error::WrongKind { id: t.id, kind: t.kind_number() });
            }
        }
        Ok(())
    }

    /// Whether `array`, to which the last point leads, has an element `index`: a flexible array, which is the last member
    /// of its struct and states no elements, has any.
    pub(super) fn holds(&self, btf: &Btf<'_>, array: &Array, index: u32) -> Result<bool> {
        if array.nelems == 0
            && let Some(last) = self.points.last()
            && last.named
        {
            return Ok(last.index == btf.ty(last.type_id)?.vlen().wrapping_sub(1));
        }
        Ok(index < array.nelems)
    }

    /// The last point's name; empty for an array element.
    pub fn name<'a>(&self, btf: &Btf<'a>, point: &Accessor) -> &'a str {
        let Ok(t) = btf.ty(point.type_id) else { return "" };
        let name_off = if !point.named {
            None
        } else if self.kind.is_enumval() {
            t.enumerator(point.index).map(|e| e.name_off)
        } else {
            t.member(point.index).map(|m| m.name_off)
        };
        name_off.map_or("", |off| btf.string(off))
    }
}
