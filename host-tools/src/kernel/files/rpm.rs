//! A kernel in an RPM package: a lead, two headers, and a compressed cpio archive.
//!
//! Sources: "RPM V4 package format" (rpm's documentation), `cpio.5` (newc).

use std::io::{Cursor, Read};

use anyhow::{Context, Result, bail, ensure};
use corelet_core::Endian;

use super::super::bytes::ReadAt;
use super::super::decompress::{self, Format};
use super::Found;
use super::pick::Picker;

const MAGIC: &[u8] = &[0xed, 0xab, 0xee, 0xdb];
/// Bytes of the lead.
const LEAD: usize = 96;
/// What each header begins with, before its version.
const HEADER_MAGIC: &[u8] = &[0x8e, 0xad, 0xe8];
/// Bytes of a header's own head, and of an entry of its index.
const HEADER: usize = 16;
const INDEX_ENTRY: usize = 16;
/// The longest path that is read, in bytes: `PATH_MAX`.
const MAX_PATH: usize = 4096;

/// Whether `bytes` begin as an RPM package does.
pub(super) fn is_rpm(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads the package; a kernel of more than `limit` bytes is refused.
///
/// # Errors
/// A package that is damaged or cut.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Found> {
    // the header of signatures is padded, the one of the package is not
    let signed = behind_header(bytes, LEAD)?.next_multiple_of(8);
    let payload = behind_header(bytes, signed)?;
    let data = bytes.get(payload..).unwrap_or_default();
    let files: Box<dyn Read + '_> = match Format::detect(data) {
        Some(format) => decompress::stream(format, Cursor::new(data))?,
        None => Box::new(data),
    };
    of_cpio(files, limit).with_context(|| format!("payload at {payload:#x}"))
}

/// Where the header at `at` ends.
fn behind_header(bytes: &[u8], at: usize) -> Result<usize> {
    let head = bytes.get(at..).and_then(|rest| rest.get(..HEADER));
    let head = head.with_context(|| format!("no header at {at:#x}: cut short"))?;
    ensure!(head.starts_with(HEADER_MAGIC), "no header at {at:#x}: corrupt");
    let word = |at| Endian::Big.u32_at(head, at).unwrap_or(0) as usize;
    let end = word(8).checked_mul(INDEX_ENTRY).and_then(|index| index.checked_add(word(12) + HEADER + at));
    end.filter(|&end| end <= bytes.len())
        .with_context(|| format!("the header at {at:#x} is longer than the file: cut short"))
}

/// Bytes of the head of an entry: a magic and 13 fields of 8 hexadecimal digits.
const ENTRY: usize = 110;

/// Kernel and configuration out of the archive of all files.
fn of_cpio(mut cpio: Box<dyn Read + '_>, limit: usize) -> Result<Found> {
    let mut picker = Picker::new(limit);
    loop {
        let mut head = [0; ENTRY];
        cpio.read_exact(&mut head).context("an entry's head")?;
        if !matches!(&head[..6], b"070701" | b"070702") {
            bail!(
                "an entry of the archive begins with {:02x?}: corrupt, or of files of more than 4 GiB",
                &head[..6]
            );
        }
        let field = |number: usize| {
            let digits = std::str::from_utf8(&head[6 + 8 * number..][..8]).ok();
            digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).context("an entry's head: corrupt")
        };
        let (mode, size, name_len) = (field(1)?, field(6)?, field(11)? as usize);
        ensure!((1..=MAX_PATH).contains(&name_len), "a path of {name_len} bytes: corrupt");
        // head and name together, and the content, are padded to four bytes
        let mut name = vec![0; (ENTRY + name_len).next_multiple_of(4) - ENTRY];
        cpio.read_exact(&mut name).context("an entry's path")?;
        let path = String::from_utf8_lossy(&name[..name_len - 1]);
        let path = path.trim_start_matches("./").trim_start_matches('/');
        if path == "TRAILER!!!" || picker.is_behind(path) {
            return Ok(picker.finish());
        }
        let size = u64::from(size);
        let mut content = (&mut cpio).take(size);
        // a hard link's content is with the last of its names
        if mode & 0o170_000 == 0o100_000 && size > 0 {
            picker.offer(path, size, &mut content)?;
        }
        let left = content.limit() + (size.next_multiple_of(4) - size);
        let skipped = std::io::copy(&mut (&mut cpio).take(left), &mut std::io::sink())?;
        ensure!(skipped == left, "{path}: cut short");
    }
}
