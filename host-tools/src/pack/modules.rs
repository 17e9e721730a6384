//! The modules that a manifest names: where their types are, and which of them an object's relocations on a kernel stand on.

use super::{Kernel, Section, struct_ops};
use crate::btf::modules::Module;
use crate::exit::Failure;
use crate::subset::KernelTypes;
use anyhow::{Context, Result, ensure};
use corelet_core::btf::{Btf, names};
use corelet_core::limits::MAX_MODULES_BYTES;
use corelet_core::object::StructOps;
use corelet_core::pack::{self, section};
use corelet_core::relo::{CoreRelo, ReloKind, TargetTypes};
use std::collections::BTreeSet;

/// A kernel's types together with those of the modules that some manifest names.
pub struct WithModules<'x> {
    /// The names, those of modules that are built into this kernel included.
    pub named: &'x [String],
    /// All types; a module's count only where the kernel has none of the name.
    pub types: &'x KernelTypes<'x>,
    /// The modules that are files, in the order of their types.
    pub modules: &'x [Module],
}

/// Types to relocate with, and what a target says of the modules among them.
pub(super) struct Looked<'x> {
    pub(super) types: &'x KernelTypes<'x>,
    /// The modules that have candidates.
    pub(super) modules: Vec<&'x Module>,
}

impl<'x> Looked<'x> {
    /// The types that `relos` of an object with the types `local`, and its structs of struct_ops, are looked for in, if its manifest
    /// names `named`.
    ///
    /// # Errors
    /// The kernel does not have all that is looked for and nobody said where its modules are; a module without a build id,
    /// which the loader could not tell from another build of it.
    pub(super) fn new(
        kernel: &Kernel<'x>,
        named: &[String],
        local: &Btf<'_>,
        relos: &[&CoreRelo],
        struct_ops: &[StructOps<'_>],
    ) -> Result<Self> {
        let with = kernel.modules.iter().find(|with| with.named == named);
        let (types, files) = with.map_or((kernel.types, &[][..]), |with| (with.types, with.modules));
        let (mut of, mut lacking) = (BTreeSet::new(), BTreeSet::new());
        for relo in relos.iter().filter(|r| r.kind != ReloKind::TypeIdLocal) {
            let t = local.ty(relo.type_id)?;
            let name = names::essential(local.name(&t));
            let mut any = false;
            types.candidates(name, t.kind(), &mut |id| {
                any = true;
                of.extend(types.module_of(id));
                Ok(())
            })?;
            if !any {
                lacking.insert(format!("{} {name}", t.kind().name()));
            }
        }
        for map in struct_ops {
            let value = struct_ops::value_name(local, map)?;
            of.extend(types.named(&value).iter().filter_map(|&id| types.module_of(id)));
        }
        if with.is_none() && !named.is_empty() && !lacking.is_empty() {
            let lacking: Vec<_> = lacking.into_iter().collect();
            return Err(Failure::usage(format!(
                "the kernel itself has no {}, and the manifest names modules ({}): say where this kernel's are, by \
                 ,modules=DIR behind the file of --target (DIR being lib/modules/RELEASE)",
                lacking.join(", no "),
                named.join(", ")
            )));
        }
        let file = |number| {
            files.get(number).context("types of a module that is not at hand. This is a fault of corelet")
        };
        let modules = of.into_iter().map(file).collect::<Result<Vec<&Module>>>()?;
        if let Some(module) = modules.iter().find(|m| m.build_id.is_empty()) {
            return Err(Failure::not_portable(format!(
                "{}: the module has no build id, so that no loader could tell it from another build: link it with --build-id",
                module.file
            )));
        }
        Ok(Looked { types, modules })
    }

    /// The target's section about them.
    pub(super) fn section(&self, owner: u16) -> Result<Section> {
        let records = self.modules.iter().map(|m| pack::Module { name: &m.name, build_id: &m.build_id });
        let section = Section::records(section::MODULES, owner, records)?;
        ensure!(
            section.bytes.len() <= MAX_MODULES_BYTES,
            "types of {} modules: their names and build ids take more than the {MAX_MODULES_BYTES} bytes that a loader reads of them",
            self.modules.len()
        );
        Ok(section)
    }
}
