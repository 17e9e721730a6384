//! Following modifiers and computing sizes.
//! Source: `skip_mods_and_typedefs`, `btf__resolve_size` and `btf__pointer_size`, libbpf `src/btf.c`.

use super::{Btf, Kind, Type};
use crate::error::{Error, Limit, Result};
use crate::id::TypeId;
use crate::limits::MAX_RESOLVE_DEPTH;

const TOO_DEEP: Error = Error::TooMany { what: Limit::ResolveDepth, limit: MAX_RESOLVE_DEPTH as u32 };

impl<'a> Btf<'a> {
    /// The type behind qualifiers, type tags and typedefs.
    pub fn skip_mods(&self, mut id: TypeId) -> Result<Type<'a>> {
        for _ in 0..=MAX_RESOLVE_DEPTH {
            let t = self.ty(id)?;
            if !t.kind().is_modifier() {
                return Ok(t);
            }
            id = t.target();
        }
        Err(TOO_DEEP)
    }

    /// Size of a value of type `id` in bytes: arrays multiplied out, pointers of this BTF's pointer size.
    ///
    /// # Errors
    /// [`Error::NoSize`] for void, functions and forward declarations, and where the size passes 32 bits.
    pub fn size_of(&self, mut id: TypeId) -> Result<u32> {
        let no_size = Error::NoSize { id };
        let mut elems: u32 = 1;
        for _ in 0..=MAX_RESOLVE_DEPTH {
            let t = self.ty(id)?;
            let size = match t.kind() {
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Datasec
                | Kind::Float => t.size(),
                Kind::Ptr => self.pointer_size.into(),
                Kind::Array => {
                    let a = t.array().ok_or(no_size)?;
                    elems = elems.checked_mul(a.nelems).ok_or(no_size)?;
                    id = a.elem;
                    continue;
                }
                k if k.is_modifier() || matches!(k, Kind::Var | Kind::DeclTag) => {
                    id = t.target();
                    continue;
                }
                _ => return Err(no_size),
            };
            return elems.checked_mul(size).ok_or(no_size);
        }
        Err(TOO_DEEP)
    }

    /// The type of an array's elements behind all dimensions, and `id` itself where it is none.
    pub fn skip_arrays(&self, id: TypeId) -> Result<Type<'a>> {
        let mut t = self.skip_mods(id)?;
        for _ in 0..=MAX_RESOLVE_DEPTH {
            match t.array() {
                Some(a) => t = self.skip_mods(a.elem)?,
                None => return Ok(t),
            }
        }
        Err(TOO_DEEP)
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
