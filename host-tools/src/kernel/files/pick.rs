//! Which of many files are a kernel and its configuration, by their paths.
//!
//! Sources: the names are those of Debian's, Ubuntu's, Fedora's, SUSE's, Raspberry Pi's, Yocto's and `make *-pkg`'s packages.

use std::collections::BTreeSet;
use std::io::Read;

use anyhow::{Context, Result, bail, ensure};

use super::super::config::MAX_CONFIG;
use super::Found;

/// The folders, without a leading slash, that have kernels in them; `lib/modules` has one for each release.
pub(super) const FOLDERS: [&str; 2] = ["boot", "boot/firmware"];
pub(super) const MODULES: [&str; 2] = ["lib/modules", "usr/lib/modules"];

/// Takes what it wants of files that come one after another.
pub(super) struct Picker {
    limit: usize,
    found: Found,
    folder: Option<String>,
}

impl Picker {
    /// One that takes no kernel of more than `limit` bytes.
    pub(super) fn new(limit: usize) -> Picker {
        Picker { limit, found: Found::default(), folder: None }
    }

    /// Whether `path` is behind all that is wanted: what belongs to the kernel is beside it, and the rest can be large.
    pub(super) fn is_behind(&self, path: &str) -> bool {
        self.folder.as_ref().is_some_and(|folder| *folder != parent(path))
    }

    /// Reads the file at `path`, of `size` bytes, if it is wanted.
    pub(super) fn offer(&mut self, path: &str, size: u64, content: &mut dyn Read) -> Result<()> {
        if is_config(path) && self.found.config.is_none() {
            let text = String::from_utf8(take(path, size, MAX_CONFIG, content)?);
            self.found.config = Some((path.to_owned(), text.with_context(|| format!("{path}: not text"))?));
        } else if is_kernel(path) && self.found.kernel.is_none() {
            self.folder = Some(parent(path));
            self.found.kernel = Some((path.to_owned(), take(path, size, self.limit, content)?));
        }
        Ok(())
    }

    /// What was taken.
    pub(super) fn finish(self) -> Found {
        self.found
    }
}

/// The `size` bytes of a file, no more than `limit`.
pub(super) fn take(path: &str, size: u64, limit: usize, content: &mut dyn Read) -> Result<Vec<u8>> {
    ensure!(size <= limit as u64, "{path}: larger than {limit} bytes: no kernel is");
    let mut bytes = Vec::new();
    content.take(size).read_to_end(&mut bytes).with_context(|| path.to_owned())?;
    ensure!(bytes.len() as u64 == size, "{path}: has {} of its {size} bytes: cut short", bytes.len());
    Ok(bytes)
}

/// The kernel and the configuration among `paths`, of which each is a file.
///
/// # Errors
/// Kernels of several releases: one must be named.
pub(super) fn choose(paths: &[String]) -> Result<[Option<&String>; 2]> {
    let kernels: Vec<&String> = paths.iter().filter(|path| is_kernel(path)).collect();
    let releases: BTreeSet<&str> = kernels.iter().filter_map(|path| release(path)).collect();
    if releases.len() > 1 {
        let all: Vec<&str> = kernels.iter().map(|path| path.as_str()).collect();
        bail!("holds kernels of {} releases: give one of these files: {}", releases.len(), all.join(", "));
    }
    let config = paths.iter().find(|path| is_config(path));
    Ok([kernels.first().copied(), config])
}

/// The release in a kernel's path; `None` where it has none.
fn release(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    MODULES
        .iter()
        .find_map(|modules| folder.strip_prefix(modules)?.strip_prefix('/'))
        .or_else(|| Some(name.split_once('-')?.1))
}

fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

/// Image or vmlinux; `kernel*.img` is Raspberry Pi's.
pub(super) fn is_kernel(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let folder = folder.strip_prefix("usr/lib/debug/").unwrap_or(folder);
    match folder.strip_prefix("usr/").unwrap_or(folder).strip_prefix("lib/modules/") {
        Some(release) => !release.contains('/') && matches!(name, "vmlinuz" | "vmlinux"),
        None => {
            let named = ["vmlinuz", "vmlinux", "Image", "zImage", "bzImage", "uImage", "fitImage"];
            FOLDERS.contains(&folder)
                && (named.iter().any(|start| name.starts_with(start))
                    || name.starts_with("kernel") && name.ends_with(".img"))
        }
    }
}

pub(super) fn is_config(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    match folder.strip_prefix("usr/").unwrap_or(folder).strip_prefix("lib/modules/") {
        Some(release) => !release.contains('/') && name == "config",
        None => folder == "boot" && name.starts_with("config-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kernels_and_configurations() {
        for path in [
            "boot/vmlinuz-6.12.107+deb13-cloud-arm64",
            "usr/lib/modules/7.2.12+deb14-riscv64/vmlinuz",
            "usr/lib/debug/boot/vmlinux-6.1.0-49-armmp",
            "usr/lib/debug/lib/modules/7.2.12/vmlinux",
            "boot/firmware/kernel8.img",
            "boot/fitImage-6.6.21-yocto-standard",
        ] {
            assert!(is_kernel(path), "{path}");
        }
        for path in
            ["boot/config-6.1", "usr/lib/modules/7.2/kernel/vmlinuz", "usr/share/doc/vmlinuz", "vmlinuz"]
        {
            assert!(!is_kernel(path), "{path}");
        }
        assert!(is_config("boot/config-6.1") && is_config("usr/lib/modules/7.2/config"));
        assert!(!is_config("etc/config-6.1") && !is_config("boot/System.map-6.1"));
    }

    #[test]
    fn kernels_of_one_release_are_one_and_of_two_are_named() {
        let paths = |all: &[&str]| all.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let one = paths(&["boot/Image", "boot/config-6.6", "boot/vmlinuz-6.6", "lib/modules/6.6/vmlinuz"]);
        assert_eq!(choose(&one).unwrap(), [Some(&one[0]), Some(&one[1])]);
        let two =
            choose(&paths(&["boot/vmlinuz-6.6", "usr/lib/modules/6.7/vmlinuz"])).unwrap_err().to_string();
        assert!(two.contains("2 releases") && two.contains("boot/vmlinuz-6.6, usr/lib"), "{two}");
        assert_eq!(choose(&paths(&["etc/passwd"])).unwrap(), [None, None]);
    }
}
