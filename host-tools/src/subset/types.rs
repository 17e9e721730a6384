//! A target's types with an index by name, so that a PC need not scan a hundred thousand of them for each local type.

use crate::btf::excerpt::may_be_candidate;
use corelet_core::btf::{Btf, Kind, names};
use corelet_core::relo::{TargetTypes, kinds_compat};
use corelet_core::{Result, TypeId};
use std::collections::HashMap;

/// All types of a kernel, and of modules that are loaded with it. Gives the same candidates in the same order as a scan in
/// id order; of modules, only where the kernel itself has none.
pub struct KernelTypes<'b> {
    btf: Btf<'b>,
    by_name: HashMap<&'b str, Vec<TypeId>>,
    /// First type of each module, ascending.
    modules: &'b [TypeId],
}

impl<'b> KernelTypes<'b> {
    /// Indexes `btf` by essential name.
    pub fn new(btf: Btf<'b>) -> Self {
        KernelTypes::with_modules(btf, &[])
    }

    /// The same for the types of modules one behind the other, split over their kernel's: see [`crate::btf::modules`].
    /// `modules` are the first types of each, ascending.
    pub fn with_modules(btf: Btf<'b>, modules: &'b [TypeId]) -> Self {
        let mut by_name: HashMap<&str, Vec<TypeId>> = HashMap::new();
        let all = (1..btf.id_end()).filter_map(|id| btf.ty(TypeId(id)).ok());
        for t in all.filter(|t| t.name_off != 0 && may_be_candidate(t.kind())) {
            by_name.entry(names::essential(btf.name(&t))).or_default().push(t.id);
        }
        KernelTypes { btf, by_name, modules }
    }

    /// Which of the modules a type is of; `None` for the kernel's own.
    pub fn module_of(&self, id: TypeId) -> Option<usize> {
        self.modules.partition_point(|first| *first <= id).checked_sub(1)
    }

    /// Types whose essential name is `name`, of every kind that a relocation can be about.
    pub fn named(&self, name: &str) -> &[TypeId] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}

impl TargetTypes for KernelTypes<'_> {
    fn btf(&self) -> &Btf<'_> {
        &self.btf
    }

    /// A module numbers its types from where the kernel's end, and so does every other module.
    fn kernel_id(&self, id: TypeId) -> Result<TypeId> {
        Ok(self.module_of(id).map_or(id, |of| TypeId(id.0 - self.modules[of].0 + self.modules[0].0)))
    }

    fn candidates(&self, name: &str, kind: Kind, found: &mut dyn FnMut(TypeId) -> Result<()>) -> Result<()> {
        if !may_be_candidate(kind) {
            return corelet_core::relo::scan(&self.btf, name, kind, found);
        }
        let (kernels, modules) = match self.modules.first() {
            Some(first) => self.named(name).split_at(self.named(name).partition_point(|id| id < first)),
            None => (self.named(name), &[][..]),
        };
        let mut any = false;
        for ids in [kernels, modules] {
            for &id in ids {
                if kinds_compat(kind, self.btf.ty(id)?.kind()) {
                    any = true;
                    found(id)?;
                }
            }
            if any {
                break;
            }
        }
        Ok(())
    }
}

/// The same target with one candidate only: what minimising asks about each candidate apart, since which of them survive
/// depends on which programs are loaded.
pub(super) struct OneCandidate<'x, 'b> {
    pub(super) types: &'x KernelTypes<'b>,
    pub(super) id: TypeId,
}

impl TargetTypes for OneCandidate<'_, '_> {
    fn btf(&self) -> &Btf<'_> {
        &self.types.btf
    }

    fn candidates(&self, _: &str, _: Kind, found: &mut dyn FnMut(TypeId) -> Result<()>) -> Result<()> {
        found(self.id)
    }
}
