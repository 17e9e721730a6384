//! Following modifiers and computing sizes.
//! Source: `skip_mods_and_typedefs`, `btf__resolve_size` and `btf__pointer_size`, libbpf `src/btf.c`.
//! Time: [`MAX_RESOLVE_DEPTH`] steps for what modifies or holds a type, times the same for arrays of arrays.

use super::{Btf, Kind, Type};
use crate::error::{Error, Limit, Result};
use crate::id::TypeId;
use crate::limits::MAX_RESOLVE_DEPTH;

pub(super) const TOO_DEEP: Error =
    Error::TooMany { what: Limit::ResolveDepth, limit: MAX_RESOLVE_DEPTH as u32 };

impl<'a> Btf<'a> {
    /// The type behind qualifiers, type tags and typedefs.
    ///
    /// # Errors
    /// [`Error::NoSuchType`]
    pub fn skip_mods(&self, id: TypeId) -> Result<Type<'a>> {
        self.check_id(id)?;
        Ok(self.behind(id))
    }

    /// The same for an id that stands in these types.
    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub(crate) fn behind(&self, id: TypeId) -> Type<'a> {
        self.follow(self.get(id), &mut |_| {})
    }

    /// The type behind `t`, with every id on the way told. `Btf::parse` proves that the chain is not longer than this goes.
    #[inline]
    pub(crate) fn follow(&self, mut t: Type<'a>, told: &mut impl FnMut(TypeId)) -> Type<'a> {
        for _ in 0..MAX_RESOLVE_DEPTH {
            told(t.id);
            if !t.kind().is_modifier() {
                return t;
            }
            t = self.get(t.target());
        }
        told(t.id);
        t
    }

    /// Size of a value of type `id` in bytes: arrays multiplied out, pointers of this BTF's pointer size.
    ///
    /// # Errors
    /// [`Error::NoSize`] for void, functions and forward declarations, and where the size passes 32 bits;
    /// [`Error::TooMany`] for arrays of arrays without an end.
    pub fn size_of(&self, id: TypeId) -> Result<u32> {
        self.check_id(id)?;
        self.size(&self.get(id))
    }

    /// The same of a type at hand.
    #[inline]
    pub(crate) fn size(&self, t: &Type<'a>) -> Result<u32> {
        match t.kind() {
            Kind::Int | Kind::Struct | Kind::Union if cfg!(not(feature = "small")) => Ok(t.size()),
            _ => self.size_behind(*t),
        }
    }

    /// The same, where others may decide the size.
    #[inline(never)]
    fn size_behind(&self, mut t: Type<'a>) -> Result<u32> {
        let id = t.id;
        let mut elems: u32 = 1;
        for _ in 0..=MAX_RESOLVE_DEPTH {
            let each = match t.kind() {
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Datasec
                | Kind::Float => Some(t.size()),
                Kind::Ptr => Some(self.pointer_size.into()),
                Kind::Array => {
                    let [elem, _, nelems] = t.row(0, 0);
                    let Some(all) = elems.checked_mul(nelems) else { return Err(Error::NoSize { id }) };
                    (elems, t) = (all, self.get(TypeId(elem)));
                    continue;
                }
                k if k.is_modifier() || matches!(k, Kind::Var | Kind::DeclTag) => {
                    t = self.get(t.target());
                    continue;
                }
                _ => None,
            };
            return each.and_then(|each| elems.checked_mul(each)).ok_or(Error::NoSize { id });
        }
        Err(TOO_DEEP)
    }

    /// The type of an array's elements behind all dimensions, and the type behind `id` itself where it is none; of arrays
    /// of arrays without an end an array, which has no size.
    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub(crate) fn element(&self, id: TypeId) -> Type<'a> {
        let mut t = self.behind(id);
        for _ in 0..=MAX_RESOLVE_DEPTH {
            let Some(array) = t.array() else { break };
            t = self.behind(array.elem);
        }
        t
    }

    /// Size of a pointer, guessed from an integer that C calls `long`; `None` where there is none, as in a subset.
    pub fn guess_pointer_size(&self) -> Option<u8> {
        let long = |t: &Type<'_>| {
            matches!(
                self.name(t),
                "long"
                    | "long int"
                    | "int long"
                    | "long unsigned int"
                    | "unsigned long"
                    | "unsigned long int"
                    | "unsigned int long"
                    | "long int unsigned"
                    | "long unsigned"
                    | "int unsigned long"
                    | "int long unsigned"
            )
        };
        self.own_types()
            .find(|t| t.kind() == Kind::Int && matches!(t.size(), 4 | 8) && long(t))
            .map(|t| t.size() as u8)
    }
}
