//! Writing what a command made: whole or not at all.
//!
//! A file is written under a temporary name in its own folder and then renamed over the final one, so that a reader
//! never meets half of it and an interrupted command leaves the old file as it was. Nothing waits for the disk, as with
//! compilers: what a power cut loses can be made again, and the wait would be most of a short command's time.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Writes `bytes` to `path`, or to the standard output when `path` is `-`.
///
/// An existing file is replaced in one step and keeps its permissions. Something that is not a regular file (a device,
/// a pipe such as `/dev/fd/3`) is written to directly, since renaming over it would replace it by a file.
///
/// # Errors
/// With the path, when the folder is missing or cannot be written, or the disk is full. The temporary file is removed.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.as_os_str() == "-" {
        let mut out = io::stdout().lock();
        return out.write_all(bytes).and_then(|()| out.flush()).context("standard output");
    }
    write_with(path, bytes, 0o666)
}

/// The same of an executable: whoever may read the file may run it.
///
/// # Errors
/// As [`write_file`].
pub fn write_executable(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.as_os_str() == "-" {
        return write_file(path, bytes);
    }
    write_with(path, bytes, 0o777)
}

/// Writes a file with permissions as a new one has them, of which the process's mask takes away.
fn write_with(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let shown = path.display();
    let existing = fs::metadata(path).ok();
    match &existing {
        Some(meta) if meta.is_dir() => bail!("{shown}: is a folder; give the name of a file in it"),
        Some(meta) if !meta.is_file() => {
            return fs::write(path, bytes).with_context(|| format!("{shown}: cannot write"));
        }
        _ => {}
    }
    // A symbolic link stays a link: the file it names is what gets replaced.
    let path = if existing.is_some() { fs::canonicalize(path)? } else { path.to_path_buf() };
    let temporary = temporary_name(&path)?;
    let written = write_new(&temporary, bytes, mode).and_then(|()| {
        if let Some(meta) = &existing {
            let before = meta.permissions().mode();
            let run = if mode & 0o111 == 0 { 0 } else { before >> 2 & 0o111 };
            fs::set_permissions(&temporary, fs::Permissions::from_mode(before | run))?;
        }
        fs::rename(&temporary, &path)
    });
    if written.is_err() {
        // The first error is the one to report; there may be nothing to remove.
        let _ = fs::remove_file(&temporary);
    }
    written.with_context(|| format!("{shown}: cannot write"))
}

/// Prints `text` to the standard output. Unlike `print!`, it does not panic when nobody reads any more.
///
/// # Errors
/// The standard output is closed, or the disk behind it is full.
pub fn print(text: &str) -> Result<()> {
    write_file("-".as_ref(), text.as_bytes())
}

/// The temporary name beside `path`: the same folder, so that the rename stays within one file system, and the
/// process's number, so that two commands do not share it.
fn temporary_name(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else { bail!("{}: not the name of a file", path.display()) };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("corelet-output-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("out.btf");
        write_file(&path, b"first").unwrap();
        write_file(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");

        let link = folder.join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_file(&link, b"third").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        assert!(write_file(&folder, b"").is_err());
        assert!(write_file(&folder.join("missing/out"), b"").is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }
}
