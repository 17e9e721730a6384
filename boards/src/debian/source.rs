//! A release as its authors packed it: a compressed tar whose one top folder carries the version.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{files, image};

/// Unpacks a release into `folder`, without its top folder.
///
/// # Errors
/// A file that is damaged, or packed by something else than gzip, xz or zstd.
pub(super) fn unpack_tar(file: &Path, folder: &Path) -> Result<()> {
    let named = || format!("{}: cannot unpack this release", file.display());
    let method = match file.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => "gzip",
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => bail!("{}: only gzip, xz and zstd are known", file.display()),
    };
    let bytes = image::unpack(method, &files::read(file)?).with_context(named)?;
    let mut archive = tar::Archive::new(&bytes[..]);
    for entry in archive.entries().with_context(named)? {
        let mut entry = entry.with_context(named)?;
        let path = entry.path().with_context(named)?;
        let below: PathBuf =
            path.components().filter(|part| matches!(part, Component::Normal(_))).skip(1).collect();
        // Nothing of a release needs links that lead out, and file names alone cannot: `..` was left out above.
        if !entry.header().entry_type().is_file() || below.as_os_str().is_empty() {
            continue;
        }
        let path = folder.join(below);
        files::create_dir(path.parent().unwrap_or(folder))?;
        entry.unpack(&path).with_context(named)?;
    }
    Ok(())
}
