//! A kernel in a folder: the root file system of a device, or a kernel's build tree.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Found;
use super::pick::{FOLDERS, MODULES, choose, take};

/// What a build leaves in its tree.
const BUILT: &str = "vmlinux";
const CONFIG: &str = ".config";

/// Kernel and configuration of the folder at `root`; a kernel of more than `limit` bytes is refused.
///
/// # Errors
/// It cannot be read; kernels of several releases.
pub(in super::super) fn read(root: &Path, limit: usize) -> Result<Found> {
    let (built, built_config) = (BUILT.to_owned(), CONFIG.to_owned());
    let paths = candidates(root)?;
    let [kernel, config] = match is_build_tree(root) {
        true => [Some(&built), Some(&built_config).filter(|path| root.join(path).is_file())],
        false => choose(&paths)?,
    };
    let read = |path: &str, limit: usize| -> Result<Vec<u8>> {
        let mut file = File::open(root.join(path)).with_context(|| path.to_owned())?;
        let size = file.metadata().with_context(|| path.to_owned())?.len();
        take(path, size, limit, &mut file)
    };
    Found::at([kernel, config], limit, read)
}

/// The folder with the modules of `release` that belong to the kernel in `root`; `None` where there is none.
pub fn modules(root: &Path, release: &str) -> Option<PathBuf> {
    if is_build_tree(root) {
        return Some(root.to_owned());
    }
    MODULES.iter().map(|modules| root.join(modules).join(release)).find(|folder| folder.is_dir())
}

/// Whether a kernel was built in this folder.
fn is_build_tree(root: &Path) -> bool {
    root.join(BUILT).is_file() && root.join("Kconfig").is_file()
}

/// The files, by their paths from `root`, that are where kernels and configurations are. Links are left out: what they lead to
/// is beside them, or outside.
fn candidates(root: &Path) -> Result<Vec<String>> {
    let mut folders: Vec<String> = FOLDERS.iter().map(|&folder| folder.to_owned()).collect();
    for modules in MODULES.into_iter().filter(|modules| root.join(modules).is_dir()) {
        // of /lib and /usr/lib one is mostly a link to the other
        let top = modules.split('/').next().unwrap_or(modules);
        if !root.join(top).is_symlink() {
            folders.extend(names(root, modules)?.into_iter().map(|release| format!("{modules}/{release}")));
        }
    }
    let mut files = Vec::new();
    for folder in folders.into_iter().filter(|folder| root.join(folder).is_dir()) {
        let all = names(root, &folder)?.into_iter().map(|name| format!("{folder}/{name}"));
        let is_file = |path: &String| fs::symlink_metadata(root.join(path)).is_ok_and(|meta| meta.is_file());
        files.extend(all.filter(is_file));
    }
    Ok(files)
}

/// The names in a folder of `root`, sorted.
fn names(root: &Path, folder: &str) -> Result<Vec<String>> {
    let shown = || format!("{folder}: cannot list this folder");
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(folder)).with_context(shown)? {
        names.push(entry.with_context(shown)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
