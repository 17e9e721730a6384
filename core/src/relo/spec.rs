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
//! Time: a step for each number of the access string, of which there is room for `LEN`.

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

/// A place within a type, by names and by bits, with room for `LEN` points and steps: [`SPEC_MAX_LEN`] takes what libbpf
/// takes; a microcontroller has less room, and refuses what does not fit.
#[derive(Clone, Debug)]
pub struct Spec<const LEN: usize = SPEC_MAX_LEN> {
    /// What is asked about it.
    pub kind: ReloKind,
    /// The type it starts from, modifiers and all.
    pub root: TypeId,
    /// Points that have a name or an index in C.
    pub points: Vec<Accessor, LEN, u8>,
    /// Every step, through anonymous members too.
    pub raw: RawSpec<LEN>,
    /// Distance from the start of the root type, in bits. Wraps as the kernel's `u32` does.
    pub bit_offset: u32,
}

impl Default for Spec {
    fn default() -> Self {
        Spec::new()
    }
}

/// The error of a spec that takes more than `len` points or steps.
pub(super) fn too_long(len: usize) -> Error {
    Error::TooMany { what: Limit::SpecLen, limit: len as u32 }
}

impl<const LEN: usize> Spec<LEN> {
    /// An empty spec, of no type.
    pub const fn new() -> Self {
        Spec {
            kind: ReloKind::FieldByteOffset,
            root: TypeId::VOID,
            points: Vec::new(),
            raw: Vec::new(),
            bit_offset: 0,
        }
    }

    /// Empties the spec for a new root.
    pub(super) fn reset(&mut self, kind: ReloKind, root: TypeId) {
        self.kind = kind;
        self.root = root;
        self.points.clear();
        self.raw.clear();
        self.bit_offset = 0;
    }

    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub(super) fn push(&mut self, point: Accessor) -> Result<()> {
        self.points.push(point).map_err(|_| too_long(LEN))
    }

    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub(super) fn push_raw(&mut self, index: u32) -> Result<()> {
        self.raw.push(index).map_err(|_| too_long(LEN))
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
        let text = btf.tail(access_str_off);
        let bad = Error::BadAccessStr { at: access_str_off };
        if kind.is_type() {
            return if text.starts_with("0\0") { Ok(()) } else { Err(bad) };
        }
        access_str::parse(text, access_str_off, &mut self.raw)?;
        btf.check_id(root)?;
        let mut t = btf.behind(root);
        // where the last step led, which only a further one looks at
        let mut member = None;
        for i in 0..self.raw.len() {
            let index = *self.raw.get(i).ok_or(bad)?;
            if let Some(ty) = member.take() {
                t = btf.behind(ty);
            }
            let missing = Error::NoSuchMember { id: t.id, index };
            let wrong = Error::WrongKind { id: t.id, kind: t.kind_number() };
            if kind.is_enumval() {
                if !t.kind().is_enum() {
                    return Err(wrong);
                }
                if self.raw.len() != 1 || index >= t.vlen() {
                    return Err(missing);
                }
                return self.push(Accessor { type_id: t.id, index, named: true });
            }
            if i > 0 {
                if let Some(m) = t.member(index) {
                    self.bit_offset = self.bit_offset.wrapping_add(m.bit_offset);
                    if m.name_off != 0 {
                        self.push(Accessor { type_id: t.id, index, named: true })?;
                    }
                    member = Some(m.ty);
                    continue;
                }
                let Some(array) = t.array() else {
                    return Err(if t.kind().is_composite() { missing } else { wrong });
                };
                if !self.holds(btf, &array, index) {
                    return Err(missing);
                }
                t = btf.behind(array.elem);
            }
            // an element: of what the root points at, or of an array
            self.push(Accessor { type_id: t.id, index, named: false })?;
            self.skip_elements(index, btf.size(&t)?);
        }
        Ok(())
    }

    /// Whether `array`, to which the last point leads, has an element `index`: a flexible array, which is the last member
    /// of its struct and states no elements, has any.
    pub(super) fn holds(&self, btf: &Btf<'_>, array: &Array, index: u32) -> bool {
        if array.nelems == 0
            && let Some(last) = self.points.last()
            && last.named
        {
            return last.index == btf.get(last.type_id).vlen().wrapping_sub(1);
        }
        index < array.nelems
    }

    /// The last point's name; empty for an array element.
    pub fn name<'a>(&self, btf: &Btf<'a>, point: &Accessor) -> &'a str {
        let t = btf.get(point.type_id);
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
