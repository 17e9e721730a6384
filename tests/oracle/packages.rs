//! Real objects: those that programs and folders of Debian's packages carry.

use super::Named;
use anyhow::{Context, Result};
use corelet_boards::debian::Debian;
use corelet_boards::{Progress, Source};
use corelet_host_tools::cmd::extract_objects;
use std::fs;
use std::path::Path;

/// Releases of Debian to look in; the first that has the package serves.
const SUITES: [&str; 2] = ["trixie", "forky"];

/// Every object in the programs of Debian's package libbpf-tools for `arch`, by name.
///
/// # Errors
/// The package cannot be had.
pub fn packaged(arch: &str, progress: &mut dyn Progress) -> Result<Vec<Named>> {
    of_package(arch, "libbpf-tools", progress)
}

/// Every object in the files of a package of Debian, by the file's name; of several in one the second and further ones
/// with a number.
///
/// # Errors
/// The package cannot be had.
pub fn of_package(arch: &str, package: &str, progress: &mut dyn Progress) -> Result<Vec<Named>> {
    let debian = Debian::open()?;
    let source = Source { suites: SUITES.map(str::to_owned).to_vec(), package: package.to_owned() };
    let found = debian.find(arch, &source, progress)?;
    let mut objects = Vec::new();
    in_folder(&debian.unpack(&found, progress)?, &mut objects)?;
    objects.sort();
    Ok(objects)
}

pub(crate) fn in_folder(folder: &Path, objects: &mut Vec<Named>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let kind = fs::symlink_metadata(&path)?;
        if kind.is_dir() {
            in_folder(&path, objects)?;
        }
        // links give one program several names
        if !kind.is_file() {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        for (i, found) in extract_objects::find(&bytes).iter().enumerate() {
            let number = if i == 0 { String::new() } else { format!("-{}", i + 1) };
            objects.push((format!("{name}{number}"), bytes[found.at..found.at + found.len].to_vec()));
        }
    }
    Ok(())
}
