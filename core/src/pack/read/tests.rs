//! Hostile tables by hand: sections that overlap, repeat, wrap or are not there, and counts that lie.

use super::*;
use std::vec;
use std::vec::Vec;

/// A file whose table has these entries, with checksums that are right, and 64 bytes behind it.
fn file(entries: &[Entry]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let end = HEADER_LEN + entries.len() * ENTRY_LEN;
    let file_len = end.next_multiple_of(8) + 64;
    out.extend(VERSION.to_le_bytes());
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((file_len as u32).to_le_bytes());
    out.extend([0; 8]);
    for e in entries {
        for half in [e.id, u16::from(e.critical) * CRITICAL, e.owner, 0] {
            out.extend(half.to_le_bytes());
        }
        for word in [e.offset, e.len, e.crc] {
            out.extend(word.to_le_bytes());
        }
    }
    let crc = crc32(&out);
    out[16..20].copy_from_slice(&crc.to_le_bytes());
    out.resize(file_len, 7);
    out
}

fn entry(offset: u32, len: u32) -> Entry {
    let crc = crc32(&vec![7; len.min(64) as usize]);
    Entry { id: section::INSNS, critical: true, owner: 0, offset, len, crc }
}

fn parse(entries: &[Entry]) -> Result<()> {
    let file = file(entries);
    Table::parse(&file, file.len() as u64).map(drop)
}

#[test]
fn sections_that_overlap_or_repeat_are_read_each_by_itself() {
    // one within the other, one across both, one that is there twice in two lengths
    let other = Entry { id: section::BTF, ..entry(88, 64) };
    let entries = [entry(88 + 16, 8), other, Entry { owner: 1, ..entry(88 + 8, 32) }];
    let bytes = file(&entries);
    assert_eq!(entries.len() * ENTRY_LEN + HEADER_LEN, 84);
    let table = Table::parse(&bytes, bytes.len() as u64).unwrap();
    assert!(table.entries().eq(entries));
    let len = |id, owner| table.section(&bytes, id, owner).map(<[u8]>::len);
    assert_eq!(
        (len(section::INSNS, 0), len(section::INSNS, 1), len(section::BTF, 0)),
        (Ok(8), Ok(32), Ok(64))
    );
    assert_eq!(len(section::BTF, 1), Ok(0));
    let twice = file(&[entry(64, 24), entry(72, 8)]);
    let table = Table::parse(&twice, twice.len() as u64).unwrap();
    assert_eq!(table.section(&twice, section::INSNS, 0).unwrap().len(), 24, "the first of its name counts");
}

#[test]
fn sections_that_wrap_or_pass_the_file_are_refused() {
    // behind the table of one entry, which ends at 44, lie 64 bytes from 48 on
    for (offset, len) in [(48, 64), (48, 0), (112, 0), (104, 8)] {
        assert_eq!(parse(&[entry(offset, len)]), Ok(()), "{offset} {len}");
    }
    for (offset, len) in [
        (0, 8),
        (40, 8),
        (44, 8),
        (49, 8),
        (48, 65),
        (112, 1),
        (120, 0),
        (48, u32::MAX),
        (48, u32::MAX - 47),
        (u32::MAX - 7, 8),
        (u32::MAX - 7, 64),
        (1 << 31, 1 << 31),
    ] {
        let bad = Error::BadValue { part: Part::PackTable, at: offset, found: section::INSNS.into() };
        assert_eq!(parse(&[entry(offset, len)]), Err(bad), "{offset} {len}");
    }
}

#[test]
fn counts_and_lengths_that_lie_are_refused() {
    let bytes = file(&[entry(48, 8); 1]);
    let half = |at: usize, value: u16| {
        let mut changed = bytes.clone();
        changed[at..at + 2].copy_from_slice(&value.to_le_bytes());
        Table::parse(&changed, changed.len() as u64).map(drop)
    };
    // fewer and more than are there, by what the checksum says or the file has
    for count in [0, 2, 4] {
        assert_eq!(half(10, count), Err(Error::BadChecksum { part: Part::PackHeader, id: 0 }), "{count}");
    }
    assert!(matches!(
        half(10, MAX_PACK_SECTIONS as u16),
        Err(Error::Truncated { part: Part::PackTable, .. })
    ));
    for count in [MAX_PACK_SECTIONS as u16 + 1, u16::MAX] {
        let too_many = Error::TooMany { what: Limit::Sections, limit: MAX_PACK_SECTIONS as u32 };
        assert_eq!(half(10, count), Err(too_many));
    }
    assert_eq!(half(8, VERSION + 1), Err(Error::UnknownVersion { found: VERSION + 1 }));
    let len = bytes.len() as u64;
    for file_len in [0, len - 1, len + 1, 1 << 32 | len, u64::MAX] {
        let at = file_len.min(u32::MAX.into()) as u32;
        let cut = Error::Truncated { part: Part::PackHeader, at };
        assert_eq!(Table::parse(&bytes, file_len).map(drop), Err(cut), "{file_len:#x}");
    }
}

#[test]
fn what_is_not_known_or_not_there_is_refused_when_it_is_needed() {
    let unknown = Entry { id: 0x70, ..entry(48, 8) };
    assert_eq!(parse(&[unknown]), Err(Error::UnknownSection { id: 0x70 }));
    assert_eq!(parse(&[Entry { critical: false, ..unknown }]), Ok(()));
    let bytes = file(&[entry(48, 64)]);
    let table = Table::parse(&bytes, bytes.len() as u64).unwrap();
    // a file that became shorter, or other, since its table was read
    assert!(matches!(table.section(&bytes[..111], section::INSNS, 0), Err(Error::Truncated { .. })));
    let mut other = bytes.clone();
    other[111] = 8;
    let changed = Error::BadChecksum { part: Part::PackSection, id: section::INSNS };
    assert_eq!(table.section(&other, section::INSNS, 0), Err(changed));
    assert_eq!(entry(48, 64).verify(&[7; 63]), Err(changed));
}
