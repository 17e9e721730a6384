//! Unit headers (DWARF 5, section 7.5.1): where each unit of `.debug_info` begins, and how it is encoded.

use super::Malformed;
use super::form::{Cursor, Encoding};
use super::sections::Section;
use anyhow::{Context, Result};
use corelet_core::Endian;

/// The longest header: 64-bit DWARF 5 of a type unit.
const MAX_HEADER: usize = 12 + 2 + 1 + 1 + 8 + 8 + 8;
/// The largest unit. Offsets in it have 31 bits here; LTO of a whole kernel stays below this.
pub(super) const MAX_UNIT: u64 = 1 << 30;

/// What a unit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnitKind {
    /// What was compiled of one file; before DWARF 5 also a partial one.
    Compile,
    /// What several units share; read where they refer to it.
    Partial,
    /// Stands for one in a `.dwo` file, whose id is here since DWARF 5.
    Skeleton(u64),
    /// The one that a skeleton stands for.
    Split(u64),
    /// One type by its signature, which begins so many bytes from the unit's start.
    Type { signature: u64, offset: u64 },
}

/// A unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// From the section's start to the unit's, in bytes.
    pub(super) at: u64,
    /// Bytes, the header and its length included.
    pub(super) len: u64,
    /// Bytes of the header.
    pub(super) header: u32,
    /// Where its abbreviations are in `.debug_abbrev`.
    pub(super) abbrev: u64,
    pub(super) kind: UnitKind,
    pub(super) encoding: Encoding,
}

impl Unit {
    /// The signature of a type unit, and where in the section its type is.
    pub(super) fn signature(&self) -> Option<(u64, u64)> {
        match self.kind {
            UnitKind::Type { signature, offset } => Some((signature, self.at.saturating_add(offset))),
            _ => None,
        }
    }
}

/// The units of a section.
pub(super) struct Units {
    pub(super) units: Vec<Unit>,
    /// Where a header is damaged, after which no unit can be found, and how.
    pub(super) damaged: Option<(u64, Malformed)>,
}

/// The units of `info`, up to the first whose header is damaged.
///
/// # Errors
/// The section cannot be read.
pub(super) fn list(info: &Section, endian: Endian) -> Result<Units> {
    let (mut units, mut at) = (Vec::new(), 0);
    let mut head = [0; MAX_HEADER];
    while at < info.len() {
        let len = (info.end_of(at) - at).min(MAX_HEADER as u64) as usize;
        info.read_at(at, &mut head[..len]).context("section .debug_info")?;
        match parse(&head[..len], at, info.end_of(at) - at, at >= info.types_at(), endian) {
            Ok((Some(unit), next)) => {
                units.push(unit);
                at += next;
            }
            Ok((None, next)) => at += next,
            Err(fault) => return Ok(Units { units, damaged: Some((at, fault)) }),
        }
    }
    Ok(Units { units, damaged: None })
}

/// The unit at `at`.
///
/// # Errors
/// The section cannot be read; inside, that there is no unit.
pub(super) fn at(info: &Section, at: u64, endian: Endian) -> Result<Result<Unit, Malformed>> {
    let mut head = [0; MAX_HEADER];
    let rest = info.len().saturating_sub(at);
    let len = rest.min(MAX_HEADER as u64) as usize;
    info.read_at(at, &mut head[..len])?;
    Ok(parse(&head[..len], at, rest, false, endian).and_then(|(unit, _)| unit.ok_or(Malformed::Truncated)))
}

/// The unit whose header is `head`, `None` for padding, and how far the next one is. `of_types` says that it is in `.debug_types`,
/// where DWARF 4 has type units.
fn parse(
    head: &[u8],
    at: u64,
    rest: u64,
    of_types: bool,
    endian: Endian,
) -> Result<(Option<Unit>, u64), Malformed> {
    let mut cursor = Cursor { bytes: head, at: 0 };
    let (len, offset_size) = match cursor.unsigned(4, endian)? {
        0xffff_ffff => (cursor.unsigned(8, endian)?, 8),
        len if len >= 0xffff_fff0 => return Err(Malformed::Length(len)),
        len => (len, 4),
    };
    let total =
        len.checked_add(cursor.at as u64).filter(|&total| total <= rest).ok_or(Malformed::Length(len))?;
    if len == 0 {
        return Ok((None, total));
    }
    if total > MAX_UNIT {
        return Err(Malformed::Length(len));
    }
    let version = cursor.unsigned(2, endian)? as u16;
    let (abbrev, address_size, kind);
    match version {
        2..=4 => {
            abbrev = cursor.unsigned(offset_size, endian)?;
            address_size = cursor.unsigned(1, endian)? as u8;
            kind = if of_types {
                let signature = cursor.unsigned(8, endian)?;
                UnitKind::Type { signature, offset: cursor.unsigned(offset_size, endian)? }
            } else {
                UnitKind::Compile
            };
        }
        5 => {
            let unit_type = cursor.unsigned(1, endian)? as u8;
            address_size = cursor.unsigned(1, endian)? as u8;
            abbrev = cursor.unsigned(offset_size, endian)?;
            kind = match unit_type {
                1 => UnitKind::Compile,
                3 => UnitKind::Partial,
                4 => UnitKind::Skeleton(cursor.unsigned(8, endian)?),
                5 => UnitKind::Split(cursor.unsigned(8, endian)?),
                2 | 6 => {
                    let signature = cursor.unsigned(8, endian)?;
                    UnitKind::Type { signature, offset: cursor.unsigned(offset_size, endian)? }
                }
                other => return Err(Malformed::UnitType(other)),
            };
        }
        other => return Err(Malformed::Version(other)),
    }
    if !(1..=8).contains(&address_size) {
        return Err(Malformed::AddressSize(address_size));
    }
    let encoding = Encoding { endian, offset_size, address_size, version };
    let header = cursor.at as u32;
    if u64::from(header) > total {
        return Err(Malformed::Truncated);
    }
    Ok((Some(Unit { at, len: total, header, abbrev, kind, encoding }), total))
}
