//! The source of Rust's standard library, for targets whose built one cannot be had.
//!
//! From `CORELET_RUST_SRC`, a `library` folder or a `.tar.xz` of one; else from Debian's package `rust-src`, whose
//! version must be the compiler's own: the library uses what only that compiler knows.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use corelet_boards::debian::{Debian, Package};
use corelet_boards::{Missing, Progress, Source};
use lzma_rust2::XzReader;

use super::machine::Machine;

/// The environment variable that names the source where Debian's package does not serve.
pub const VARIABLE: &str = "CORELET_RUST_SRC";

/// Suites whose `rust-src` follows Rust's releases, the one with the oldest first.
const SUITES: [&str; 4] = ["trixie-backports", "sid", "forky", "trixie"];

/// Whether this folder is the `library` of Rust's sources, and all there.
pub(super) const LOCK: &str = "Cargo.lock";

/// The folder or archive that the variable names, if it names one.
pub(super) fn given(machine: &dyn Machine) -> Option<PathBuf> {
    machine.variable(VARIABLE).map(PathBuf::from)
}

/// Makes `link` point to the source at `release`: what is `given` by the variable, else Debian's.
///
/// # Errors
/// A variable that names neither a folder nor an archive of one; [`Missing`] where Debian has no such version.
pub fn fetch(release: &str, link: &Path, given: Option<PathBuf>, progress: &mut dyn Progress) -> Result<()> {
    let parent = link.parent().context("the link to Rust's sources needs a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("{}: cannot create this folder", parent.display()))?;
    let library = match given {
        Some(archive) if archive.is_file() => {
            progress.step("unpacking the source of Rust's standard library");
            unpack(&archive, &parent.join(format!("rust-library-{release}")))?
        }
        Some(folder) => folder,
        None => of_debian(release, progress)?,
    };
    if !library.join(LOCK).is_file() {
        return Err(Missing::new(
            format!("Rust's sources: {} has no {LOCK}, as their folder `library` does", library.display()),
            format!("point {VARIABLE} at the folder `library` of rustc {release}, or at a .tar.xz of it"),
        )
        .into());
    }
    let library =
        fs::canonicalize(&library).with_context(|| format!("{}: cannot enter", library.display()))?;
    let _ = fs::remove_file(link);
    symlink(&library, link).with_context(|| format!("{}: cannot create this link", link.display()))
}

/// Unpacks an archive into `folder`, which is there whole or not at all; gives its `library`.
fn unpack(archive: &Path, folder: &Path) -> Result<PathBuf> {
    let file =
        File::open(archive).with_context(|| format!("{}: cannot read this file", archive.display()))?;
    let mut partial = folder.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    for old in [partial.as_path(), folder] {
        if old.exists() {
            fs::remove_dir_all(old)
                .with_context(|| format!("{}: cannot remove this folder", old.display()))?;
        }
    }
    tar::Archive::new(XzReader::new(BufReader::new(file), true))
        .unpack(&partial)
        .with_context(|| format!("{}: not a .tar.xz of Rust's folder `library`", archive.display()))?;
    fs::rename(&partial, folder)
        .with_context(|| format!("{}: cannot put a folder here", folder.display()))?;
    Ok(folder.join("library"))
}

/// The `library` of Debian's package at exactly this release, from the first suite that has it.
fn of_debian(release: &str, progress: &mut dyn Progress) -> Result<PathBuf> {
    let debian = Debian::open()?;
    let mut reasons = Vec::new();
    for suite in SUITES {
        match in_suite(&debian, suite, release, progress) {
            Ok(Some(library)) => return Ok(library),
            Ok(None) => reasons.push(format!("{suite} has none")),
            // Without apt there is no other suite to try.
            Err(error) if error.is::<Missing>() => return Err(error),
            Err(error) => reasons.push(format!("{suite}: {error:#}")),
        }
    }
    Err(Missing::new(
        format!("the source of Rust's standard library {release} ({})", reasons.join("; ")),
        format!("let `rustup target add` reach its server, or set {VARIABLE} to the folder `library` of rustc {release}"),
    )
    .into())
}

fn in_suite(
    debian: &Debian,
    suite: &str,
    release: &str,
    progress: &mut dyn Progress,
) -> Result<Option<PathBuf>> {
    // The package is for all architectures: any that the suite has names it.
    let source = Source { suites: vec![suite.to_owned()], package: "rust-src".to_owned() };
    let newest = debian.find("amd64", &source, progress)?;
    let package = if is_of_release(&newest.version, release) {
        newest
    } else {
        // The index keeps older versions too; apt takes a version's beginning with a star.
        Package { version: format!("{release}+*"), ..newest }
    };
    let sources = debian.unpack(&package, progress)?.join("usr/src");
    let entries =
        fs::read_dir(&sources).with_context(|| format!("{}: cannot list this folder", sources.display()))?;
    let of_rustc = |path: &PathBuf| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("rustc-"))
    };
    Ok(entries.flatten().map(|entry| entry.path()).find(of_rustc).map(|folder| folder.join("library")))
}

/// Whether `1.95.0+dfsg1-2` is of release `1.95.0`.
fn is_of_release(version: &str, release: &str) -> bool {
    version.strip_prefix(release).is_some_and(|rest| rest.starts_with(['+', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_of_a_release_only_as_a_whole() {
        assert!(is_of_release("1.95.0+dfsg1-2~bpo13+1", "1.95.0"));
        assert!(!is_of_release("1.95.01+dfsg1-2", "1.95.0"));
        assert!(!is_of_release("1.96.1+dfsg1-2", "1.95.0"));
    }
}
