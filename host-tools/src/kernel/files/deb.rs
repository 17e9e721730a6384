//! A kernel in a Debian package, or in one of opkg's (OpenWrt, Yocto), which differ in the outer archive only.
//!
//! A Debian package is an `ar` archive with a member `data.tar.*`, a compressed tar. Since 6.19 image and configuration are in
//! packages of their own (`linux-binary-*`, `linux-base-*`), so either may be missing. A package of opkg is that too, or a
//! compressed tar of the same members.
//!
//! Sources: deb(5), `bsd/ar.5`; `opkg-build` of opkg-utils.

use std::io::{BufReader, Cursor, Read};

use anyhow::{Context, Result, bail};

use super::super::container::Span;
use super::super::decompress::{self, Format};
use super::Found;
use super::pick::Picker;

const AR: &[u8] = b"!<arch>\n";
const AR_HEADER: usize = 60;
/// A tar's header, and where in it the magic is.
const TAR_HEADER: usize = 512;
const TAR_MAGIC_AT: usize = 257;

/// Whether `bytes` begin as a Debian package does.
pub(super) fn is_deb(bytes: &[u8]) -> bool {
    bytes.starts_with(b"!<arch>\ndebian-binary")
}

/// Whether `bytes` are a compressed tar that begins as a package of opkg does.
pub(super) fn is_ipk(bytes: &[u8]) -> bool {
    let Some(format @ Format::Gzip) = Format::detect(bytes) else { return false };
    let mut head = [0; TAR_HEADER];
    let read =
        decompress::stream(format, Cursor::new(bytes)).and_then(|mut tar| Ok(tar.read_exact(&mut head)?));
    let name = head.split(|&b| b == 0).next().unwrap_or_default();
    let name = name.strip_prefix(b"./").unwrap_or(name);
    read.is_ok()
        && head[TAR_MAGIC_AT..].starts_with(b"ustar")
        && (name == b"debian-binary" || name.starts_with(b"control.tar") || name.starts_with(b"data.tar"))
}

/// Reads a Debian package; a kernel of more than `limit` bytes is refused.
///
/// # Errors
/// A package that is damaged or cut.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Found> {
    let (name, data) = data_member(bytes)?;
    let files = match Format::detect(data) {
        Some(format) => decompress::stream(format, Cursor::new(data))?,
        None => Box::new(data),
    };
    of_tar(files, limit).context(name)
}

/// Reads a package of opkg that is a compressed tar.
///
/// # Errors
/// As [`read`].
pub(super) fn read_ipk(bytes: &[u8], limit: usize) -> Result<Found> {
    let mut outer = tar::Archive::new(decompress::stream(Format::Gzip, Cursor::new(bytes))?);
    for entry in outer.entries()? {
        let entry = entry?;
        let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        let format = match name.strip_prefix("data.tar") {
            Some(".gz") => Format::Gzip,
            Some(".xz") => Format::Xz,
            Some(".zst") => Format::Zstd,
            Some("") => return of_tar(Box::new(entry), limit).context(name),
            Some(other) => bail!("data.tar{other}: a compression that is not known here"),
            None => continue,
        };
        let files = decompress::stream(format, BufReader::new(entry)).with_context(|| name.clone())?;
        return of_tar(files, limit).context(name);
    }
    bail!("no member data.tar before its end: cut short")
}

/// Kernel and configuration out of the tar of all files.
fn of_tar(tar: Box<dyn Read + '_>, limit: usize) -> Result<Found> {
    let mut picker = Picker::new(limit);
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        if picker.is_behind(&path) {
            break;
        }
        if entry.header().entry_type().is_file() {
            picker.offer(&path, entry.size(), &mut entry)?;
        }
    }
    Ok(picker.finish())
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
