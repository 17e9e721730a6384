//! A kernel and its configuration in a Debian package, which is read from front to back and no further than needed.
//!
//! The package is an `ar` archive; its member `data.tar.*` is a compressed tar. Since 6.19 image and configuration are in
//! packages of their own (`linux-binary-*`, `linux-base-*`), so either may be missing.
//!
//! Sources: deb(5), `bsd/ar.5`; the names are those of Debian's, Ubuntu's, Raspberry Pi's and `make bindeb-pkg`'s packages.

use std::io::{Cursor, Read};

use anyhow::{Context, Result, bail, ensure};

use super::config::MAX_CONFIG;
use super::container::Span;
use super::decompress::{self, Format};

const AR: &[u8] = b"!<arch>\n";
const AR_HEADER: usize = 60;

/// Whether `bytes` begin as a Debian package does.
pub(super) fn is_deb(bytes: &[u8]) -> bool {
    bytes.starts_with(b"!<arch>\ndebian-binary")
}

/// What a package has of a kernel.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Path and bytes of the kernel.
    pub(super) kernel: Option<(String, Vec<u8>)>,
    /// Path and text of the configuration.
    pub(super) config: Option<(String, String)>,
}

/// Reads the package; a kernel of more than `limit` bytes is refused.
///
/// # Errors
/// A package that is damaged or cut.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Found> {
    let (name, data) = data_member(bytes)?;
    let tar: Box<dyn Read + '_> = match Format::detect(data) {
        Some(format) => decompress::stream(format, Cursor::new(data))?,
        None => Box::new(data),
    };
    let mut found = Found::default();
    let mut folder = None;
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().with_context(|| name.clone())? {
        let mut entry = entry.with_context(|| name.clone())?;
        let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        // what belongs to the kernel is beside it, and the rest of a package can be large
        if folder.as_ref().is_some_and(|folder| *folder != parent(&path)) {
            break;
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let mut take = |limit: usize| -> Result<Vec<u8>> {
            ensure!(entry.size() <= limit as u64, "{path}: larger than {limit} bytes: no kernel is");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).with_context(|| format!("{name}: {path}"))?;
            Ok(bytes)
        };
        if is_config(&path) && found.config.is_none() {
            let text = String::from_utf8(take(MAX_CONFIG)?).with_context(|| format!("{path}: not text"))?;
            found.config = Some((path, text));
        } else if is_kernel(&path) && found.kernel.is_none() {
            folder = Some(parent(&path));
            found.kernel = Some((path.clone(), take(limit)?));
        }
    }
    Ok(found)
}

/// The member that holds the files.
fn data_member(bytes: &[u8]) -> Result<(String, &[u8])> {
    let mut at = AR.len();
    while let Some(header) = bytes.get(at..).and_then(|rest| rest.first_chunk::<AR_HEADER>()) {
        let field =
            |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).ok().map(str::trim_end);
        let (name, len) = (field(0..16), field(48..58).and_then(|len| len.parse::<usize>().ok()));
        let (Some(name), Some(len), true) = (name, len, header[58..] == *b"`\n") else {
            bail!("Debian package: the member at {at:#x} has no sound header: corrupt");
        };
        let name = name.trim_end_matches('/');
        let data = Span { at: at + AR_HEADER, len }.of(bytes, &format!("Debian package, {name}"))?;
        if name.starts_with("data.tar") {
            return Ok((name.to_owned(), data));
        }
        at = (at + AR_HEADER + len).next_multiple_of(2);
    }
    bail!("Debian package: no member data.tar before its end at {:#x}: cut short", bytes.len())
}

fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

/// Image or vmlinux; `kernel*.img` is Raspberry Pi's.
fn is_kernel(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let folder = folder.strip_prefix("usr/lib/debug/").unwrap_or(folder);
    match folder.strip_prefix("usr/").unwrap_or(folder).strip_prefix("lib/modules/") {
        Some(release) => !release.contains('/') && matches!(name, "vmlinuz" | "vmlinux"),
        None => {
            let named = ["vmlinuz-", "vmlinux-", "vmlinuz", "vmlinux", "Image", "zImage", "uImage"];
            matches!(folder, "boot" | "boot/firmware")
                && (named.iter().any(|start| name.starts_with(start))
                    || name.starts_with("kernel") && name.ends_with(".img"))
        }
    }
}

fn is_config(path: &str) -> bool {
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
}
