//! Where a kernel's modules are: the files of `lib/modules/REL` by name, and what is built into the kernel instead.
//!
//! Sources: `Documentation/kbuild/kbuild.rst` (`modules.builtin`), depmod.d(5) (the folder `updates` goes before others).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The modules of one kernel.
#[derive(Debug, Default)]
pub struct Modules {
    folders: Vec<PathBuf>,
    files: BTreeMap<String, PathBuf>,
    /// By name, the `modules.builtin` that says so.
    built_in: BTreeMap<String, PathBuf>,
}

/// Where a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'m> {
    /// In this file, maybe compressed.
    File(&'m Path),
    /// In the kernel itself, as this `modules.builtin` says.
    BuiltIn(&'m Path),
}

impl Modules {
    /// Lists `folders`, those in them too, but not through links: `build` and `source` lead elsewhere. Packages may have the
    /// modules in one folder and `modules.builtin` in another.
    ///
    /// # Errors
    /// A folder or a `modules.builtin` that cannot be read.
    pub fn list(folders: &[PathBuf]) -> Result<Self> {
        let mut here = Self { folders: folders.to_vec(), ..Self::default() };
        let mut open = folders.to_vec();
        while let Some(at) = open.pop() {
            let entries = fs::read_dir(&at)
                .with_context(|| format!("{}: cannot list this folder of modules", at.display()))?;
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if entry.file_type()?.is_dir() {
                    open.push(entry.path());
                } else if name == "modules.builtin" {
                    here.add_built_in(&entry.path())?;
                } else if let Some(stem) = module_stem(&name) {
                    here.add(spelling(stem), entry.path());
                }
            }
        }
        Ok(here)
    }

    /// Of several files of one name that in `updates` is the one that is loaded.
    fn add(&mut self, name: String, path: PathBuf) {
        let rank = |path: &Path| (!path.iter().any(|part| part == "updates"), path.to_owned());
        match self.files.get(&name) {
            Some(there) if rank(there) < rank(&path) => {}
            _ => _ = self.files.insert(name, path),
        }
    }

    fn add_built_in(&mut self, path: &Path) -> Result<()> {
        let text =
            fs::read_to_string(path).with_context(|| format!("{}: cannot read this file", path.display()))?;
        let stem = |line: &str| Some(spelling(module_stem(line.rsplit('/').next()?)?));
        self.built_in.extend(text.lines().filter_map(stem).map(|name| (name, path.to_owned())));
        Ok(())
    }

    /// The module `name`, with dashes or underscores.
    ///
    /// # Errors
    /// It is neither in a file nor built in.
    pub fn find(&self, name: &str) -> Result<Place<'_>> {
        let name = spelling(name);
        if let Some(path) = self.files.get(&name) {
            return Ok(Place::File(path));
        }
        if let Some(path) = self.built_in.get(&name) {
            return Ok(Place::BuiltIn(path));
        }
        let folders: Vec<_> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let hint = match self.built_in.is_empty() {
            true => "; whether it is built in cannot be told: there is no modules.builtin",
            false => "",
        };
        bail!("{}: this kernel has no module {name}{hint}", folders.join(", "))
    }
}

/// The name in front of `.ko`, `.ko.xz` and the like.
fn module_stem(file: &str) -> Option<&str> {
    let (stem, packing) = file.split_once(".ko")?;
    matches!(packing, "" | ".gz" | ".xz" | ".zst").then_some(stem)
}

/// The kernel's spelling: file names may use dashes where it uses underscores.
pub fn spelling(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_files_or_built_in_or_missing() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for path in
            ["kernel/fs/one/one.ko.xz", "updates/two-b.ko", "kernel/two-b.ko.zst", "kernel/old.ko.bak"]
        {
            fs::create_dir_all(at.join(path).parent().unwrap()).unwrap();
            fs::write(at.join(path), "").unwrap();
        }
        let list = || Modules::list(&[at.to_owned()]).unwrap();
        let untold = list().find("three").unwrap_err().to_string();
        assert!(untold.contains("cannot be told") && untold.contains(at.to_str().unwrap()), "{untold}");
        fs::write(at.join("modules.builtin"), "kernel/fs/three.ko\nkernel/net/four-x.ko\n").unwrap();
        let here = list();
        assert_eq!(here.find("one").unwrap(), Place::File(&at.join("kernel/fs/one/one.ko.xz")));
        assert_eq!(here.find("two_b").unwrap(), Place::File(&at.join("updates/two-b.ko")));
        let list = at.join("modules.builtin");
        for name in ["three", "four_x"] {
            assert_eq!(here.find(name).unwrap(), Place::BuiltIn(&list));
        }
        for name in ["old", "five"] {
            let error = here.find(name).unwrap_err().to_string();
            assert!(error.ends_with(&format!("no module {name}")), "{error}");
        }
        assert!(Modules::list(&[at.join("none")]).is_err());
    }
}
