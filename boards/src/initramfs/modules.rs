//! Kernel modules with all that they depend on, unpacked and in the order of loading.
//!
//! Debian's packages hold no `modules.dep` (the installed machine's depmod writes it), so dependencies are read where
//! depmod reads them: `depends=` in each module's `.modinfo` section. Modules are packed by xz since Debian 13 and
//! busybox's insmod hands bytes to the kernel as they are, so they are unpacked here.

use std::path::Path;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

use crate::modules::{Modules, Place, spelling};
use crate::{files, image};

/// A module, ready for insmod.
#[derive(Clone, Debug)]
pub(super) struct Module {
    /// By the kernel's spelling, with underscores.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The named modules of a folder `lib/modules/REL`, each after those that it depends on.
///
/// One that is built into the kernel is left out: there is nothing to load.
pub(super) fn with_dependencies(folder: &Path, names: &[String]) -> Result<Vec<Module>> {
    let here = Modules::list(&[folder.to_owned()])?;
    let mut ordered: Vec<Module> = Vec::new();
    // Depth first with a stack of our own; a module goes out when all that it needs is out.
    let mut stack: Vec<(Module, Vec<String>)> = Vec::new();
    for name in names {
        let mut next = load(&here, name)?;
        loop {
            if let Some((module, depends)) = next.take() {
                if stack.iter().any(|(above, _)| above.name == module.name) {
                    bail!("{}: the module {} depends on itself", folder.display(), module.name);
                }
                stack.push((module, depends));
            }
            let Some((_, depends)) = stack.last_mut() else { break };
            match depends.pop() {
                Some(needed) if ordered.iter().any(|module| module.name == needed) => {}
                Some(needed) => next = load(&here, &needed)?,
                None => ordered.extend(stack.pop().map(|(module, _)| module)),
            }
        }
    }
    // The same module may have been asked for twice, or after one that depends on it.
    let mut seen = std::collections::BTreeSet::new();
    ordered.retain(|module| seen.insert(module.name.clone()));
    Ok(ordered)
}

/// A module and the names that it depends on; `None` for one that is built in.
fn load(here: &Modules, name: &str) -> Result<Option<(Module, Vec<String>)>> {
    let Place::File(path) = here.find(name)? else { return Ok(None) };
    let packed = files::read(path)?;
    let context = || format!("{}: not a kernel module", path.display());
    let bytes = match path.extension().and_then(|e| e.to_str()) {
        Some("xz") => image::unpack("xz", &packed).with_context(context)?,
        Some("zst") => image::unpack("zstd", &packed).with_context(context)?,
        Some("gz") => image::unpack("gzip", &packed).with_context(context)?,
        _ => packed,
    };
    let depends = depends(&bytes).with_context(context)?;
    Ok(Some((Module { name: spelling(name), bytes }, depends)))
}

fn depends(module: &[u8]) -> Result<Vec<String>> {
    let elf = object::File::parse(module)?;
    let modinfo = elf.section_by_name(".modinfo").context("it has no section .modinfo")?.data()?;
    let value = modinfo.split(|c| *c == 0).find_map(|field| field.strip_prefix(b"depends="));
    let value = std::str::from_utf8(value.unwrap_or_default())?;
    Ok(value.split(',').filter(|name| !name.is_empty()).map(spelling).collect())
}
