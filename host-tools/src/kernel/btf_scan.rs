//! BTF in bytes that do not say where it is: header checks, a walk over the types, and the search.
//!
//! A raw kernel image has no section table, so its BTF is found by its header. The magic alone occurs by chance once in a
//! few MiB of code; a candidate counts when its header is consistent and every type of it, walked from first to last,
//! ends exactly where the type section does. The largest one wins: a kernel may also embed small BTF of BPF programs of
//! its own.
//!
//! Source: `Documentation/bpf/btf.rst`, `include/uapi/linux/btf.h` (32-byte header with a layout section: 7.1).

use anyhow::{Result, bail};
use corelet_core::Endian;

use super::bytes::ReadAt;

/// `struct btf_header` up to `str_len`.
const HEADER: usize = 24;
/// With `layout_off` and `layout_len`.
const HEADER_WITH_LAYOUT: usize = 32;
/// More than any header will ever have; keeps chance hits out.
const MAX_HEADER: usize = 256;

const KIND_INT: u32 = 1;

/// A BTF that was checked, as a place in the bytes it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Offset of the header.
    pub at: usize,
    /// Bytes from the header to the end of the last section.
    pub len: usize,
    /// Byte order.
    pub endian: Endian,
    /// Types, without void.
    pub types: u32,
    /// Size in bytes of the kernel's `long`, which is that of its pointers; from the integer type of that name.
    pub long_size: Option<u8>,
    /// Whether the strings or types continue those of another BTF: BTF of a module.
    pub split: bool,
}

/// Checks the BTF at the start of `bytes`; `at` of the result is 0.
///
/// # Errors
/// The offset and the first thing that is wrong.
pub fn check(bytes: &[u8]) -> Result<Found> {
    let endian = match bytes {
        [0x9f, 0xeb, ..] => Endian::Little,
        [0xeb, 0x9f, ..] => Endian::Big,
        _ => bail!("BTF at 0x0: no magic 0xeb9f"),
    };
    let header = Header::read(bytes, endian)?;
    walk(bytes, endian, &header)
}

/// Every offset where the largest valid, complete BTF could start is tried; the largest is returned.
pub fn find(bytes: &[u8]) -> Option<Found> {
    let mut best: Option<Found> = None;
    for magic in [[0x9f, 0xeb, 0x01], [0xeb, 0x9f, 0x01]] {
        for at in memchr::memmem::find_iter(bytes, &magic) {
            // The walk is linear in the candidate, so those that could not win are not walked.
            let rest = &bytes[at..];
            let endian = if magic[0] == 0x9f { Endian::Little } else { Endian::Big };
            let Ok(header) = Header::read(rest, endian) else { continue };
            if best.as_ref().is_some_and(|best| best.len >= header.total) {
                continue;
            }
            match walk(rest, endian, &header) {
                Ok(found) if !found.split && found.types > 0 => best = Some(Found { at, ..found }),
                _ => {}
            }
        }
    }
    best
}

/// Where something begins exactly as the BTF of a kernel does but is no whole one, and why: to tell a damaged kernel from
/// one that was built without. The first twelve bytes are fixed, and a kernel has at least 64 KiB of types.
pub fn find_damaged(bytes: &[u8]) -> Option<(usize, anyhow::Error)> {
    const LEAST: u32 = 64 << 10;
    const BEGINNINGS: [(Endian, [u8; 8]); 4] = [
        (Endian::Little, [0x9f, 0xeb, 1, 0, 24, 0, 0, 0]),
        (Endian::Little, [0x9f, 0xeb, 1, 0, 32, 0, 0, 0]),
        (Endian::Big, [0xeb, 0x9f, 1, 0, 0, 0, 0, 24]),
        (Endian::Big, [0xeb, 0x9f, 1, 0, 0, 0, 0, 32]),
    ];
    BEGINNINGS.iter().find_map(|(endian, beginning)| {
        memchr::memmem::find_iter(bytes, beginning)
            .filter(|&at| endian.u32_at(bytes, at + 8) == Some(0))
            .filter(|&at| endian.u32_at(bytes, at + 12).is_some_and(|types| types >= LEAST))
            .find_map(|at| Some((at, check(&bytes[at..]).err()?)))
    })
}

/// The sections' places in the bytes, checked to lie inside them.
struct Header {
    types: (usize, usize),
    strings: (usize, usize),
    layout: Option<(usize, usize)>,
    total: usize,
}

impl Header {
    fn read(bytes: &[u8], endian: Endian) -> Result<Header> {
        let word = |at| endian.u32_at(bytes, at);
        let (Some(hdr_len), Some(_)) = (word(4), word(HEADER - 4)) else {
            bail!("BTF: cut inside its header, at {:#x}", bytes.len());
        };
        if bytes.get(2) != Some(&1) {
            bail!("BTF at 0x2: version {} is not 1", bytes.get(2).copied().unwrap_or(0));
        }
        let hdr_len = hdr_len as usize;
        if !(HEADER..=MAX_HEADER).contains(&hdr_len) || !hdr_len.is_multiple_of(4) {
            bail!("BTF at 0x4: hdr_len {hdr_len} is not a header's length");
        }
        let section = |at: usize, what: &str| -> Result<(usize, usize)> {
            let (offset, len) = (word(at).unwrap_or(0) as usize, word(at + 4).unwrap_or(0) as usize);
            let start = hdr_len.saturating_add(offset);
            let end = start.saturating_add(len);
            if end > bytes.len() {
                bail!(
                    "BTF at {at:#x}: the {what} are bytes {start:#x} to {end:#x}, but it ends at {:#x}",
                    bytes.len()
                );
            }
            Ok((start, end))
        };
        let types = section(8, "types")?;
        let strings = section(16, "strings")?;
        let layout = match hdr_len >= HEADER_WITH_LAYOUT {
            true => Some(section(24, "layouts")?).filter(|(start, end)| end > start),
            false => None,
        };
        if !types.0.is_multiple_of(4)
            || overlap(types, strings)
            || layout.is_some_and(|l| overlap(l, types) || overlap(l, strings))
        {
            bail!("BTF at 0x8: its sections overlap or are not aligned");
        }
        let total = types.1.max(strings.1).max(layout.map_or(0, |l| l.1)).max(hdr_len);
        Ok(Header { types, strings, layout, total })
    }
}

fn overlap(a: (usize, usize), b: (usize, usize)) -> bool {
    a.0 < b.1 && b.0 < a.1 && a.0 < a.1 && b.0 < b.1
}

/// Steps over every type, which proves that the type section is what it claims to be.
fn walk(bytes: &[u8], endian: Endian, header: &Header) -> Result<Found> {
    let strings = &bytes[header.strings.0..header.strings.1];
    if strings.last().is_some_and(|&b| b != 0) {
        bail!("BTF at {:#x}: the strings do not end with a NUL", header.strings.1);
    }
    // Split BTF counts its strings on from those of its base, so it has no empty string at 0.
    let mut split = strings.first() != Some(&0);
    let (mut at, end) = header.types;
    let mut types = 0u32;
    let mut long_size = None;
    while at < end {
        let (Some(name), Some(info), Some(size)) =
            (endian.u32_at(bytes, at), endian.u32_at(bytes, at + 4), endian.u32_at(bytes, at + 8))
        else {
            bail!("BTF at {at:#x}: type {} is cut", types + 1);
        };
        let (kind, vlen) = (info >> 24 & 0x7f, info & 0x00ff_ffff);
        let Some(trailing) = trailing_bytes(kind, vlen, || header.layout_of(bytes, endian, kind)) else {
            bail!("BTF at {at:#x}: type {} is of the unknown kind {kind}", types + 1);
        };
        let next = at as u64 + 12 + trailing;
        if next > end as u64 {
            bail!("BTF at {at:#x}: type {} ends at {next:#x}, behind the types' end {end:#x}", types + 1);
        }
        if name as usize >= strings.len() {
            split = true;
        } else if kind == KIND_INT && matches!(size, 4 | 8) && is_long(&strings[name as usize..]) {
            long_size = Some(size as u8);
        }
        types += 1;
        at = next as usize;
    }
    Ok(Found { at: 0, len: header.total, endian, types, long_size, split })
}

impl Header {
    /// `{info_sz, elem_sz}` of a kind, from the layout section (7.1), so that kinds to come can be stepped over.
    fn layout_of(&self, bytes: &[u8], endian: Endian, kind: u32) -> Option<(u64, u64)> {
        let (start, end) = self.layout?;
        let at = start + kind as usize * 4;
        if at + 4 > end {
            return None;
        }
        let _flags = endian.u16_at(bytes, at + 2)?;
        Some((u64::from(*bytes.get(at)?), u64::from(*bytes.get(at + 1)?)))
    }
}

/// Bytes behind the 12 common ones of a type.
fn trailing_bytes(kind: u32, vlen: u32, layout: impl FnOnce() -> Option<(u64, u64)>) -> Option<u64> {
    let vlen = u64::from(vlen);
    Some(match kind {
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
        2 | 7..=12 | 16 | 18 => 0,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => vlen * 12,
        // ENUM, FUNC_PROTO
        6 | 13 => vlen * 8,
        _ => {
            let (info, element) = layout()?;
            info + vlen * element
        }
    })
}

/// The names that compilers give to C's `long` and `unsigned long` (libbpf's `btf__pointer_size` knows the same).
fn is_long(name: &[u8]) -> bool {
    let name = name.split(|&b| b == 0).next().unwrap_or_default();
    const NAMES: [&[u8]; 7] = [
        b"long",
        b"long int",
        b"int long",
        b"unsigned long",
        b"long unsigned",
        b"long unsigned int",
        b"unsigned long int",
    ];
    NAMES.contains(&name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A BTF of `long`, a pointer to it and a struct of one member, in either order and with either header.
    pub(crate) fn sample(endian: Endian, hdr_len: u32) -> Vec<u8> {
        let word = |v: u32| match endian {
            Endian::Little => v.to_le_bytes(),
            Endian::Big => v.to_be_bytes(),
        };
        let strings = b"\0long\0task\0pid\0";
        let types: Vec<u32> = vec![
            1,
            KIND_INT << 24,
            8,
            64, // [1] INT long
            0,
            2 << 24,
            1, // [2] PTR
            6,
            4 << 24 | 1,
            8,
            11,
            1,
            0, // [3] STRUCT task { long pid; }
        ];
        let type_len = types.len() as u32 * 4;
        let mut out = match endian {
            Endian::Little => vec![0x9f, 0xeb, 1, 0],
            Endian::Big => vec![0xeb, 0x9f, 1, 0],
        };
        let mut words = vec![hdr_len, 0, type_len, type_len, strings.len() as u32];
        words.resize(hdr_len as usize / 4 - 1, 0);
        out.extend(words.into_iter().flat_map(word));
        out.extend(types.into_iter().flat_map(word));
        out.extend(strings);
        out
    }

    #[test]
    fn both_orders_and_both_headers_are_read() {
        for endian in [Endian::Little, Endian::Big] {
            for hdr_len in [24, 32] {
                let btf = sample(endian, hdr_len);
                let found = check(&btf).unwrap();
                assert_eq!((found.len, found.types, found.long_size), (btf.len(), 3, Some(8)));
                assert!(!found.split);
                let mut image = vec![0x9f; 77];
                image.extend(&btf);
                image.extend([0xeb, 0x9f, 1, 0, 0]);
                assert_eq!(find(&image).unwrap(), Found { at: 77, ..found });
            }
        }
    }

    #[test]
    fn the_largest_one_wins() {
        let mut image = sample(Endian::Little, 24);
        let first = image.len();
        image.extend(sample(Endian::Little, 32));
        image.extend(sample(Endian::Little, 24));
        assert_eq!(find(&image).unwrap().at, first);
    }

    #[test]
    fn a_damaged_one_is_told_from_none() {
        let mut image = vec![0; 100];
        image.extend([0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9, 0, 1, 0, 0, 0]);
        image.extend([0; 100]);
        assert_eq!(find(&image), None);
        let (at, why) = find_damaged(&image).unwrap();
        assert_eq!(at, 100);
        assert!(why.to_string().contains("ends at"), "{why}");
        assert!(find_damaged(&sample(Endian::Little, 24)).is_none());
    }

    #[test]
    fn no_cut_and_no_changed_byte_panics() {
        for hdr_len in [24, 32] {
            let btf = sample(Endian::Little, hdr_len);
            for cut in 0..btf.len() {
                assert!(check(&btf[..cut]).is_err(), "cut at {cut}");
            }
            for at in 0..btf.len() {
                for bit in 0..8 {
                    let mut changed = btf.clone();
                    changed[at] ^= 1 << bit;
                    let _ = check(&changed);
                    let _ = find(&changed);
                }
            }
        }
    }
}
