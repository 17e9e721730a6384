//! The types of a base BTF as nodes, so that a module's types that its kernel has already are those.
//!
//! Hashes are made as [`super::shape`] makes them of DWARF. A type tag is passed over: DWARF of gcc has none.

use super::emit::Encoding;
use super::hash::{self, Hash, Hasher, Map};
use super::shape::{self, MAX_DEPTH, VOID};
use super::store::{Store, What};
use super::tables::{Tag, VARARGS};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Type};

/// Adds all of `base` to a store that has nothing yet.
pub(super) fn preload(store: &mut Store, base: &Btf) {
    let mut hashes = Hashes { btf: base, done: Map::default() };
    for id in 1..base.id_end() {
        let Ok(t) = base.ty(TypeId(id)) else { continue };
        let Some(what) = what(&t) else { continue };
        let Some(hash) = hashes.whole(&t, 0) else { continue };
        let name = base.name(&t);
        match what {
            What::Type(tag) if tag.is_tagged() && !name.is_empty() => {
                let to = store.name(tag, name.as_bytes(), hash::string(name.as_bytes()));
                store.push_base(hash, what, to, id);
            }
            _ => store.push_base(hash, what, 0, id),
        }
    }
}

fn what(t: &Type) -> Option<What> {
    Some(What::Type(match t.kind() {
        Kind::Func => return Some(What::Func),
        Kind::Struct => Tag::Struct,
        Kind::Union => Tag::Union,
        Kind::Enum | Kind::Enum64 if t.vlen() > 0 => Tag::Enum,
        Kind::Typedef => Tag::Typedef,
        Kind::Ptr => Tag::Pointer,
        Kind::Const => Tag::Const,
        Kind::Volatile => Tag::Volatile,
        Kind::Restrict => Tag::Restrict,
        Kind::Array => Tag::Array,
        Kind::FuncProto => Tag::Proto,
        Kind::Int | Kind::Float => Tag::Base,
        _ => return None,
    }))
}

struct Hashes<'b, 'a> {
    btf: &'b Btf<'a>,
    /// `None` while a type is open, or where it has no hash.
    done: Map<u32, Option<Hash>>,
}

impl Hashes<'_, '_> {
    /// The hash of what a reference is to; `None` for what DWARF cannot say, or a circle.
    fn reference(&mut self, id: TypeId, depth: u32) -> Option<Hash> {
        if id == TypeId::VOID {
            return Some(VOID);
        }
        if let Some(&known) = self.done.get(&id.0) {
            return known;
        }
        let t = self.btf.ty(id).ok()?;
        let name = hash::string(self.btf.name(&t).as_bytes());
        let named = t.name_off != 0;
        let hash = match t.kind() {
            Kind::Struct if named => Some(shape::by_name(Tag::Struct, name)),
            Kind::Union if named => Some(shape::by_name(Tag::Union, name)),
            Kind::Enum | Kind::Enum64 if named => Some(shape::by_name(Tag::Enum, name)),
            Kind::Fwd => Some(shape::by_name(if t.kflag() { Tag::Union } else { Tag::Struct }, name)),
            _ if depth >= MAX_DEPTH => None,
            kind => {
                self.done.insert(id.0, None);
                match kind {
                    Kind::TypeTag => self.reference(t.target(), depth + 1),
                    _ => self.whole(&t, depth),
                }
            }
        };
        self.done.insert(id.0, hash);
        hash
    }

    /// The hash of the type itself.
    fn whole(&mut self, t: &Type, depth: u32) -> Option<Hash> {
        let depth = depth + 1;
        let btf = self.btf;
        let name = hash::string(btf.name(t).as_bytes());
        let string = |off| hash::string(btf.string(off).as_bytes());
        let tag = match what(t)? {
            What::Func => {
                let proto = self.reference(t.target(), depth)?;
                return Some(Hasher::new(shape::FUNC).with(name).and(proto).end());
            }
            What::Type(tag) => tag,
            _ => return None,
        };
        Some(match tag {
            Tag::Struct | Tag::Union => {
                let mut made = shape::composite(tag, name, t.size());
                for m in (0..t.vlen()).filter_map(|i| t.member(i)) {
                    let to = self.reference(m.ty, depth)?;
                    made = shape::part(made, to, string(m.name_off), m.bit_offset.into(), m.bitfield_size);
                }
                made.end()
            }
            Tag::Enum => {
                let values = (0..t.vlen()).filter_map(|i| t.enumerator(i));
                shape::enumeration(name, t.size(), t.kflag(), values.map(|e| (string(e.name_off), e.value)))
            }
            Tag::Array => {
                let array = t.array()?;
                shape::array(self.reference(array.elem, depth)?, array.nelems)
            }
            Tag::Base => {
                let encoding = match t.int() {
                    Some(int) if t.kind() == Kind::Int => Encoding::Int(int.encoding),
                    _ => Encoding::Float,
                };
                shape::base(name, t.size(), encoding)
            }
            Tag::Proto => {
                let mut made = shape::modifier(tag, 0, self.reference(t.target(), depth)?);
                for p in t.params() {
                    let to = self.reference(p.ty, depth)?;
                    let varargs = if p.name_off == 0 && p.ty == TypeId::VOID { VARARGS } else { 0 };
                    made = shape::part(made, to, string(p.name_off), varargs, 0);
                }
                made.end()
            }
            Tag::Typedef => shape::modifier(tag, name, self.reference(t.target(), depth)?).end(),
            _ => shape::modifier(tag, 0, self.reference(t.target(), depth)?).end(),
        })
    }
}
