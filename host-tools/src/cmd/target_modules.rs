//! The modules of a target: found where its `modules=` says, and joined behind the kernel's types as manifests ask for them.

use crate::btf::OwnedBtf;
use crate::btf::modules::{self, Module};
use crate::pack::Input;
use crate::subset::KernelTypes;
use anyhow::{Context, Result, bail};
use corelet_boards::modules::{Modules, Place};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A kernel's types with those of the modules `named`.
pub(super) struct Joined {
    /// As the manifest names them.
    pub(super) named: Vec<String>,
    /// Those that are no part of the kernel.
    pub(super) files: Vec<Module>,
    types: modules::WithModules,
}

impl Joined {
    /// The types, to be searched.
    pub(super) fn index(&self) -> KernelTypes<'_> {
        KernelTypes::with_modules(self.types.btf.view(), &self.types.first)
    }
}

/// The modules in `folders` that are of the kernel `release`; `None` where no folder is given.
pub(super) fn list(folders: &[PathBuf], release: &str) -> Result<Option<Modules>> {
    if folders.is_empty() { Ok(None) } else { Modules::list(&of_release(folders, release)).map(Some) }
}

/// The types of `kernel`, of that `release`, with those of each set of modules that a manifest of `inputs` names; none where it
/// is not known where the modules are.
pub(super) fn join(
    kernel: &Arc<OwnedBtf>,
    release: &str,
    here: Option<&Modules>,
    inputs: &[Input],
) -> Result<Vec<Joined>> {
    let mut sets: Vec<Joined> = Vec::new();
    let Some(here) = here else { return Ok(sets) };
    for manifest in inputs.iter().map(|input| &input.manifest).filter(|m| !m.modules.is_empty()) {
        if sets.iter().any(|set| set.named == manifest.modules) {
            continue;
        }
        let mut files = Vec::new();
        for name in &manifest.modules {
            let file = file_of(here, name, release).with_context(|| format!("{}: modules", manifest.file))?;
            if let Some(path) = file {
                files.push(Module::open(path, name, Some(release))?);
            }
        }
        let types = modules::join(Arc::clone(kernel), &files)?;
        sets.push(Joined { named: manifest.modules.clone(), files, types });
    }
    Ok(sets)
}

/// The file of the module `name`; `None` where it is built into the kernel `release`.
///
/// # Errors
/// It is neither, or a list of what is built in is another kernel's.
pub(super) fn file_of<'m>(here: &'m Modules, name: &str, release: &str) -> Result<Option<&'m Path>> {
    match here.find(name)? {
        Place::File(path) => Ok(Some(path)),
        Place::BuiltIn(list) => of_this_kernel(list, release).map(|()| None),
    }
}

/// Whether a `modules.builtin` is this kernel's: where it is installed, its folder is named by the release.
fn of_this_kernel(list: &Path, release: &str) -> Result<()> {
    let mut above = list.ancestors().skip(1).map(|folder| folder.file_name().unwrap_or_default());
    let folder = above.next().unwrap_or_default();
    if above.next().is_some_and(|name| name == "modules") && folder != release {
        bail!("{}: is of the kernel {}, not of {release}", list.display(), folder.display());
    }
    Ok(())
}

/// In each folder the one of this release's modules, where it is the root of a file system or a package, or `lib/modules`.
fn of_release(folders: &[PathBuf], release: &str) -> Vec<PathBuf> {
    let within = |folder: &PathBuf| {
        let places = ["lib/modules", "usr/lib/modules", ""].map(|place| folder.join(place).join(release));
        places.into_iter().find(|place| place.is_dir()).unwrap_or_else(|| folder.clone())
    };
    folders.iter().map(within).collect()
}
