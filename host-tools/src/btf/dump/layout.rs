//! Where C puts members when it compiles for BPF, and what must be written so that they come to lie where the BTF says.
//!
//! The rules of the System V ABI, as clang follows them for BPF: a member is aligned to its type, a bitfield does not cross
//! a unit of its type, a named bitfield aligns the struct, an unnamed one does not. `packed` is written where a member or the
//! size breaks those rules, padding where the rules alone would leave a gap too small.
//!
//! Types that hold pointers cannot have the layout of a 32-bit kernel: a BPF pointer has 8 bytes. They are printed without
//! padding; CO-RE takes offsets and sizes from the kernel's BTF anyway. Types without pointers (protocol headers, keys) keep
//! their layout there too.

use std::collections::HashSet;

use anyhow::{Result, bail};
use corelet_core::btf::{Btf, Kind, Member, Type, encoding};
use corelet_core::id::TypeId;

use super::{names, scalar};

/// Nesting of types by value. A kernel has about a dozen levels.
pub(super) const MAX_NESTING: usize = 64;

/// What C makes of a type when it compiles for BPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// In bytes.
    pub(super) size: u64,
    /// In bytes.
    pub(super) align: u64,
    /// Whether C can give the type the layout of the BTF.
    pub(super) exact: bool,
}

impl Layout {
    fn scalar(size: u32) -> Layout {
        // What C has no integer for is printed as an array of bytes.
        let align = if scalar::by_size(size, false).is_some() { size.into() } else { 1 };
        Layout { size: size.into(), align, exact: true }
    }
}

/// How to write a struct or union.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Members and padding in order.
    pub(super) items: Vec<Item>,
    /// Whether it takes `packed`.
    pub(super) packed: bool,
    /// An alignment to ask for, in bytes.
    pub(super) aligned: Option<u64>,
}

/// A line of a struct.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Member number `index`, `bits` wide if a bitfield and 0 if not.
    Member {
        /// Its number in the BTF.
        index: u32,
        /// Width of a bitfield.
        bits: u32,
    },
    /// A gap, in bits from the start.
    Gap {
        /// First bit.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// A member that C cannot put there.
    LeftOut {
        /// Its number in the BTF.
        index: u32,
        /// Why.
        why: &'static str,
    },
}

struct Field {
    index: u32,
    offset: u64,
    bits: u32,
    layout: Layout,
}

impl Field {
    fn width(&self) -> u64 {
        if self.bits > 0 { self.bits.into() } else { self.layout.size * 8 }
    }

    /// Whether the rules allow it at its place without `packed`.
    fn is_aligned(&self) -> bool {
        if self.bits == 0 {
            return self.offset.is_multiple_of(self.layout.align * 8);
        }
        let unit = self.layout.size.max(1) * 8;
        self.offset % unit + u64::from(self.bits) <= unit
    }
}

/// Layouts of all types of a BTF, computed when asked for.
pub(super) struct Layouts<'b> {
    btf: Btf<'b>,
    known: Vec<Option<Option<Layout>>>,
    /// Structs and unions whose layout is nobody's.
    inexact: HashSet<TypeId>,
}

impl<'b> Layouts<'b> {
    pub(super) fn new(btf: &Btf<'b>) -> Layouts<'b> {
        Layouts { btf: *btf, known: vec![None; btf.id_end() as usize], inexact: HashSet::new() }
    }

    /// The same where the layout of `inexact`, and of what holds them, is no kernel's.
    pub(super) fn without(btf: &Btf<'b>, inexact: &HashSet<TypeId>) -> Layouts<'b> {
        Layouts { inexact: inexact.clone(), ..Layouts::new(btf) }
    }

    /// The layout of type `id`; `None` for one without a size.
    ///
    /// # Errors
    /// A type that contains itself, or nests too deep.
    pub(super) fn of(&mut self, id: TypeId) -> Result<Option<Layout>> {
        self.nested(id, 0)
    }

    fn nested(&mut self, id: TypeId, depth: usize) -> Result<Option<Layout>> {
        if let Some(&Some(known)) = self.known.get(id.0 as usize) {
            return Ok(known);
        }
        if depth > MAX_NESTING {
            bail!("type {id}: contains itself, or nests deeper than {MAX_NESTING} levels");
        }
        let t = self.btf.ty(id)?;
        let layout = match t.kind() {
            Kind::Int | Kind::Float | Kind::Enum | Kind::Enum64 => Some(Layout::scalar(t.size())),
            Kind::Ptr => Some(Layout { size: 8, align: 8, exact: self.btf.pointer_size() == 8 }),
            // BPF's own va_list, whatever the kernel's is.
            _ if names::is_builtin(&self.btf, &t) && self.btf.name(&t) == "__builtin_va_list" => {
                Some(Layout::scalar(8))
            }
            k if k.is_modifier() => self.nested(t.target(), depth + 1)?,
            Kind::Array => {
                match (t.array(), t.array().map(|a| self.nested(a.elem, depth + 1)).transpose()?) {
                    (Some(a), Some(Some(elem))) => {
                        let size = elem.size.checked_mul(a.nelems.into()).filter(|&size| size < 1 << 56);
                        size.map(|size| Layout { size, ..elem })
                    }
                    _ => None,
                }
            }
            Kind::Struct | Kind::Union => Some(self.plan_nested(&t, depth)?.1),
            _ => None,
        };
        if let Some(slot) = self.known.get_mut(id.0 as usize) {
            *slot = Some(layout);
        }
        Ok(layout)
    }

    /// How to write the struct or union `t`.
    ///
    /// # Errors
    /// As [`Layouts::of`].
    pub(super) fn plan(&mut self, t: &Type<'b>) -> Result<Plan> {
        Ok(self.plan_nested(t, 0)?.0)
    }

    fn plan_nested(&mut self, t: &Type<'b>, depth: usize) -> Result<(Plan, Layout)> {
        let mut plan = Plan::default();
        let mut fields = Vec::new();
        for (index, m) in (0..).zip(t.members()) {
            match self.nested(m.ty, depth + 1)? {
                Some(layout) => {
                    let (offset, bits) = self.place(m, layout)?;
                    let kind = self.btf.skip_mods(m.ty)?.kind();
                    if bits > 0 && !(kind == Kind::Int || kind.is_enum()) || u64::from(bits) > layout.size * 8
                    {
                        plan.items.push(Item::LeftOut {
                            index,
                            why: "its type cannot be a bitfield of that width",
                        });
                        continue;
                    }
                    fields.push(Field { index, offset, bits, layout });
                }
                None => plan.items.push(Item::LeftOut { index, why: "its type has no size" }),
            }
        }
        let size = u64::from(t.size());
        if self.inexact.contains(&t.id) || !fields.iter().all(|f| f.layout.exact) {
            plan.items.extend(fields.iter().map(|f| Item::Member { index: f.index, bits: f.bits }));
            return Ok((plan, Layout { size, align: 8, exact: false }));
        }
        let align = fields.iter().map(|f| f.layout.align).max().unwrap_or(1);
        plan.packed = !size.is_multiple_of(align) || !fields.iter().all(Field::is_aligned);
        let align = if plan.packed { 1 } else { align };
        if t.kind() == Kind::Union {
            plan.union(&fields, size, align)
        } else {
            plan.sequence(&fields, size, align)
        }
        let align = plan.aligned.unwrap_or(align);
        Ok((plan, Layout { size, align, exact: true }))
    }

    /// Bit offset and, of a bitfield, width in bits. Before kflag an INT of fewer bits than its size was a bitfield.
    fn place(&self, m: Member, layout: Layout) -> Result<(u64, u32)> {
        let place = (u64::from(m.bit_offset), m.bitfield_size);
        let Some(int) = self.btf.skip_mods(m.ty)?.int() else { return Ok(place) };
        if m.bitfield_size == 0 && (int.offset > 0 || u64::from(int.bits) != layout.size * 8) {
            return Ok((place.0 + u64::from(int.offset), int.bits.into()));
        }
        // C has no bitfield of a _Bool wider than one bit; one as wide as the type is the plain member.
        if int.encoding & encoding::BOOL != 0 && place.1 == 8 && place.0.is_multiple_of(8) {
            return Ok((place.0, 0));
        }
        Ok(place)
    }
}

impl Plan {
    fn sequence(&mut self, fields: &[Field], size: u64, align: u64) {
        let mut end = 0;
        for f in fields {
            if f.offset < end || f.offset + f.width() > size * 8 {
                self.items
                    .push(Item::LeftOut { index: f.index, why: "it overlaps another or leaves the struct" });
                continue;
            }
            // Where the rules would put it. Only a gap beyond that needs padding.
            let unit = match (f.bits, self.packed) {
                (0, false) => f.layout.align * 8,
                (0, true) => 8,
                (bits, false) if end % (f.layout.size * 8) + u64::from(bits) > f.layout.size * 8 => {
                    f.layout.size * 8
                }
                _ => 1,
            };
            if end.next_multiple_of(unit) != f.offset {
                self.items.push(Item::Gap { from: end, to: f.offset });
            }
            self.items.push(Item::Member { index: f.index, bits: f.bits });
            end = f.offset + f.width();
        }
        if end.next_multiple_of(align * 8) != size * 8 {
            self.items.push(Item::Gap { from: end, to: size * 8 });
        }
    }

    fn union(&mut self, fields: &[Field], size: u64, align: u64) {
        for f in fields {
            self.items.push(if f.offset == 0 && f.width() <= size * 8 {
                Item::Member { index: f.index, bits: f.bits }
            } else {
                Item::LeftOut { index: f.index, why: "it does not lie at the start of the union" }
            });
        }
        let end = fields.iter().map(|f| f.width().div_ceil(8)).max().unwrap_or(0);
        if end.next_multiple_of(align) < size {
            // The kernel's union was aligned to more than its members ask for.
            self.aligned = (0..16).map(|n| 1 << n).find(|&n| n > align && end.next_multiple_of(n) == size);
            if self.aligned.is_none() {
                self.items.push(Item::Gap { from: 0, to: size * 8 });
            }
        }
    }
}
