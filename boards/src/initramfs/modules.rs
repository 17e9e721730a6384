//! Kernel modules with all that they depend on, unpacked and in the order of loading.
//!
//! Debian's packages hold no `modules.dep` (the installed machine's depmod writes it), so dependencies are read where
//! depmod reads them: `depends=` in each module's `.modinfo` section. Modules are packed by xz since Debian 13 and
//! busybox's insmod hands bytes to the kernel as they are, so they are unpacked here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

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
    let here = Modules::list(folder)?;
    let mut ordered: Vec<Module> = Vec::new();
    // Depth first with a stack of our own; a module goes out when all that it needs is out.
    let mut stack: Vec<(Module, Vec<String>)> = Vec::new();
    for name in names {
        let mut next = here.load(&kernel_spelling(name))?;
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
                Some(needed) => next = here.load(&needed)?,
                None => ordered.extend(stack.pop().map(|(module, _)| module)),
            }
        }
    }
    // The same module may have been asked for twice, or after one that depends on it.
    let mut seen = std::collections::BTreeSet::new();
    ordered.retain(|module| seen.insert(module.name.clone()));
    Ok(ordered)
}

struct Modules<'f> {
    folder: &'f Path,
    files: BTreeMap<String, PathBuf>,
    built_in: Vec<String>,
}

impl<'f> Modules<'f> {
    fn list(folder: &'f Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(at) = folders.pop() {
            let entries = fs::read_dir(&at)
                .with_context(|| format!("{}: cannot list this folder of modules", at.display()))?;
            for entry in entries {
                let entry = entry?;
                // Not through links: `build` and `source` lead elsewhere.
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if let Some((stem, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
                    files.insert(kernel_spelling(stem), entry.path());
                }
            }
        }
        let built_in = fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
        let stem = |line: &str| Some(kernel_spelling(line.rsplit('/').next()?.strip_suffix(".ko")?));
        Ok(Self { folder, files, built_in: built_in.lines().filter_map(stem).collect() })
    }

    /// A module and the names that it depends on; `None` for one that is built in.
    fn load(&self, name: &str) -> Result<Option<(Module, Vec<String>)>> {
        let Some(path) = self.files.get(name) else {
            if self.built_in.iter().any(|built_in| built_in == name) {
                return Ok(None);
            }
            bail!("{}: this kernel has no module {name}", self.folder.display());
        };
        let packed = files::read(path)?;
        let context = || format!("{}: not a kernel module", path.display());
        let bytes = match path.extension().and_then(|e| e.to_str()) {
            Some("xz") => image::unpack("xz", &packed).with_context(context)?,
            Some("zst") => image::unpack("zstd", &packed).with_context(context)?,
            Some("gz") => image::unpack("gzip", &packed).with_context(context)?,
            _ => packed,
        };
        let depends = depends(&bytes).with_context(context)?;
        Ok(Some((Module { name: name.to_owned(), bytes }, depends)))
    }
}

fn depends(module: &[u8]) -> Result<Vec<String>> {
    let elf = object::File::parse(module)?;
    let modinfo = elf.section_by_name(".modinfo").context("it has no section .modinfo")?.data()?;
    let value = modinfo.split(|c| *c == 0).find_map(|field| field.strip_prefix(b"depends="));
    let value = std::str::from_utf8(value.unwrap_or_default())?;
    Ok(value.split(',').filter(|name| !name.is_empty()).map(kernel_spelling).collect())
}

/// File names may use dashes where the kernel uses underscores.
fn kernel_spelling(name: &str) -> String {
    name.replace('-', "_")
}
