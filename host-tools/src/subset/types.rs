//! A target's types with an index by name, so that a PC need not scan a hundred thousand of them for each local type.

use corelet_core::btf::{Btf, Kind, names};
use corelet_core::relo::{TargetTypes, kinds_compat};
use corelet_core::{Result, TypeId};
use std::collections::HashMap;

/// All types of a kernel. Gives the same candidates in the same order as a scan in id order.
pub struct KernelTypes<'b> {
    btf: Btf<'b>,
    by_name: HashMap<&'b str, Vec<TypeId>>,
}

impl<'b> KernelTypes<'b> {
    /// Indexes `btf` by essential name.
    pub fn new(btf: Btf<'b>) -> Self {
        let mut by_name: HashMap<&str, Vec<TypeId>> = HashMap::new();
        for t in btf.own_types().filter(|t| t.name_off != 0 && may_be_candidate(t.kind())) {
            by_name.entry(names::essential(btf.name(&t))).or_default().push(t.id);
        }
        KernelTypes { btf, by_name }
    }

    /// Types whose essential name is `name`, of every kind that a relocation can be about.
    pub fn named(&self, name: &str) -> &[TypeId] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Functions, variables and sections are never the root of a relocation, and make up half of a kernel's names.
fn may_be_candidate(kind: Kind) -> bool {
    !matches!(kind, Kind::Func | Kind::FuncProto | Kind::Var | Kind::Datasec | Kind::DeclTag)
}

impl TargetTypes for KernelTypes<'_> {
    fn btf(&self) -> &Btf<'_> {
        &self.btf
    }

    fn candidates(&self, name: &str, kind: Kind, found: &mut dyn FnMut(TypeId) -> Result<()>) -> Result<()> {
        if !may_be_candidate(kind) {
            return corelet_core::relo::scan(&self.btf, name, kind, found);
        }
        for &id in self.named(name) {
            if kinds_compat(kind, self.btf.ty(id)?.kind()) {
                found(id)?;
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
