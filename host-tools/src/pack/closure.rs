//! Which of an object's own types a pack carries.
//!
//! They serve three readers: the kernel (map keys and values, functions, variables), relocation on the device (the path
//! that each access string takes), and printing (events, results). Everything else that the compiler left is dropped, above
//! all the members of kernel structs that no relocation names. What the kernel asks of BTF: `kernel/bpf/btf.c`,
//! `btf_check_all_metas` (a member's type must exist and be sized; a pointer may be to void).

use crate::subset::Marks;
use anyhow::{Context, Result};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Type};
use corelet_core::relo::{CoreRelo, ReloKind, Spec};

/// Collects marks on the object's BTF.
pub(super) struct Closure<'x, 'b> {
    pub(super) btf: &'x Btf<'b>,
    pub(super) marks: Marks,
}

impl<'b> Closure<'_, 'b> {
    /// Keeps `id` and all that a value of it is made of. What a pointer leads to is kept by name only, but for pointers
    /// with a type tag (kptrs), whose pointee the kernel looks at.
    pub(super) fn value(&mut self, id: TypeId) -> Result<()> {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if self.marks.whole(id) {
                self.parts(id, &mut open, false)?;
            }
        }
        Ok(())
    }

    /// The same for a type that is matched, which looks at what pointers to functions lead to.
    fn matched(&mut self, id: TypeId) -> Result<()> {
        let mut open = vec![id];
        let mut seen = std::collections::HashSet::new();
        while let Some(id) = open.pop() {
            self.marks.whole(id);
            if seen.insert(id) {
                self.parts(id, &mut open, true)?;
            }
        }
        Ok(())
    }

    /// Adds to `open` what a value of `id` is made of.
    fn parts(&mut self, id: TypeId, open: &mut Vec<TypeId>, functions: bool) -> Result<()> {
        let t = self.btf.ty(id)?;
        match t.kind() {
            Kind::Ptr => self.pointee(t, open, functions)?,
            Kind::Array => open.extend(t.array().iter().flat_map(|a| [a.elem, a.index])),
            Kind::Struct | Kind::Union => open.extend(t.members().map(|m| m.ty)),
            Kind::FuncProto => {
                open.push(t.target());
                open.extend(t.params().map(|p| p.ty));
            }
            k if k.refers_to_type() => open.push(t.target()),
            _ => {}
        }
        Ok(())
    }

    fn pointee(&mut self, ptr: Type<'b>, open: &mut Vec<TypeId>, functions: bool) -> Result<()> {
        let direct = self.btf.ty(ptr.target())?;
        if direct.kind() == Kind::TypeTag {
            open.push(direct.id);
            return Ok(());
        }
        let end = self.btf.skip_mods(direct.id)?;
        match end.kind() {
            Kind::Struct | Kind::Union => {
                let mut id = direct.id;
                while id != end.id {
                    self.marks.record(id);
                    id = self.btf.ty(id)?.target();
                }
                self.marks.declaration(end.id);
            }
            // nothing but matching reads through a pointer to a function
            Kind::FuncProto if !functions => {}
            _ => open.push(direct.id),
        }
        Ok(())
    }

    /// Keeps a FUNC and its prototype. The verifier sizes what a global subprogram's pointers lead to.
    pub(super) fn function(&mut self, func: TypeId, verified_alone: bool) -> Result<()> {
        self.value(func)?;
        if verified_alone {
            let proto = self.btf.ty(self.btf.ty(func)?.target())?;
            for p in proto.params() {
                let t = self.btf.skip_mods(p.ty)?;
                if t.kind() == Kind::Ptr {
                    self.value(t.target())?;
                }
            }
        }
        Ok(())
    }

    /// Keeps what parsing and matching the local side of `relo` reads.
    pub(super) fn relocation(&mut self, relo: &CoreRelo) -> Result<()> {
        let mut spec = Spec::default();
        spec.parse(self.btf, relo.type_id, relo.access_str_off, relo.kind)?;
        match relo.kind {
            ReloKind::TypeMatches => return self.matched(relo.type_id),
            ReloKind::TypeIdLocal => return self.value(relo.type_id),
            k if k.is_type() => return self.shape(relo.type_id, true),
            _ => {}
        }
        let mut t = self.chain(relo.type_id)?;
        let mut raw = spec.raw.iter().copied();
        let first = raw.next();
        if relo.kind.is_enumval() {
            self.marks.part(t.id, first);
            return Ok(());
        }
        for index in raw {
            if let Some(array) = t.array() {
                self.shape(array.index, false)?;
                t = self.chain(array.elem)?;
                continue;
            }
            let m = t.member(index).context("the access string passes its type")?;
            self.marks.part(t.id, Some(index));
            let last = t.vlen() - 1;
            let inner = self.chain(m.ty)?;
            if inner.array().is_some_and(|a| a.nelems == 0) && index != last {
                // else the array would become the last member, and so a flexible one
                self.marks.part(t.id, Some(last));
                if let Some(m) = t.member(last) {
                    self.shape(m.ty, false)?;
                }
            }
            t = inner;
        }
        self.shape(t.id, false)
    }

    /// Keeps the modifiers from `id` on and the record behind them.
    fn chain(&mut self, id: TypeId) -> Result<Type<'b>> {
        let end = self.btf.skip_mods(id)?;
        let mut at = id;
        while at != end.id {
            self.marks.record(at);
            at = self.btf.ty(at)?.target();
        }
        self.marks.record(end.id);
        Ok(end)
    }

    /// Keeps what is compared of a type without its members: through arrays, prototypes and, for relocations of whole types,
    /// pointers.
    fn shape(&mut self, id: TypeId, through_pointers: bool) -> Result<()> {
        let mut open = vec![id];
        let mut seen = std::collections::HashSet::new();
        while let Some(id) = open.pop() {
            let t = self.chain(id)?;
            if !seen.insert(t.id) {
                continue;
            }
            match t.kind() {
                Kind::Array => open.extend(t.array().iter().flat_map(|a| [a.elem, a.index])),
                Kind::FuncProto => {
                    open.push(t.target());
                    open.extend(t.params().map(|p| p.ty));
                }
                Kind::Ptr if through_pointers => open.push(t.target()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps the declaration tags on everything that is kept whole (`contains:`, `arg:`, kfunc tags).
    pub(super) fn tags(&mut self) {
        for t in self.btf.own_types().filter(|t| t.kind() == Kind::DeclTag) {
            if self.marks.get(t.target()) == Some(&crate::subset::Keep::Whole) {
                self.marks.whole(t.id);
            }
        }
    }
}
