//! Writing the container: header, section table, sections. The form is documented in [`corelet_core::pack`].

use anyhow::{Context, Result, ensure};
use corelet_core::limits::MAX_PACK_SECTIONS;
use corelet_core::pack::{CRITICAL, Crc, ENTRY_LEN, HEADER_LEN, MAGIC, VERSION, crc32, section};
use serde::Serialize;
use std::collections::HashMap;

/// One section to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Section id.
    pub id: u16,
    /// Number of the object or target it belongs to.
    pub owner: u16,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Section {
    /// A section of bytes as they are.
    pub fn raw(id: u16, owner: u16, bytes: Vec<u8>) -> Self {
        Section { id, owner, bytes }
    }

    /// A section of records.
    pub fn records<T: Serialize>(id: u16, owner: u16, records: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut bytes = Vec::new();
        for record in records {
            bytes = postcard::to_extend(&record, bytes)
                .with_context(|| format!("section {}", section::name(id)))?;
        }
        Ok(Section { id, owner, bytes })
    }
}

/// Puts `sections` into one file, in the order given; empty ones are left out, and of equal ones the bytes are there once.
pub fn container(sections: &[Section]) -> Result<Vec<u8>> {
    let sections: Vec<&Section> = sections.iter().filter(|s| !s.bytes.is_empty()).collect();
    ensure!(
        sections.len() <= MAX_PACK_SECTIONS,
        "{} sections, but a loader reads at most {MAX_PACK_SECTIONS}: put fewer targets into one pack, or some of them \
         into files of their own with `corelet target`",
        sections.len()
    );
    let table_end = HEADER_LEN + sections.len() * ENTRY_LEN;
    let mut out = vec![0; table_end.next_multiple_of(8)];
    let mut places: HashMap<&[u8], u32> = HashMap::new();
    for (i, s) in sections.iter().enumerate() {
        let end = u32::try_from(out.len()).context("the file would pass 4 GiB")?;
        let offset = *places.entry(&s.bytes).or_insert(end);
        let len = u32::try_from(s.bytes.len()).context("the file would pass 4 GiB")?;
        let flags = if section::critical(s.id) { CRITICAL } else { 0 };
        let mut entry = Vec::with_capacity(ENTRY_LEN);
        for half in [s.id, flags, s.owner, 0] {
            entry.extend(half.to_le_bytes());
        }
        for word in [offset, len, crc32(&s.bytes)] {
            entry.extend(word.to_le_bytes());
        }
        let at = HEADER_LEN + i * ENTRY_LEN;
        out[at..at + ENTRY_LEN].copy_from_slice(&entry);
        if offset == end {
            out.extend(&s.bytes);
            out.resize(out.len().next_multiple_of(8), 0);
        }
    }
    let file_len = u32::try_from(out.len()).context("the file would pass 4 GiB")?;
    out[..8].copy_from_slice(&MAGIC);
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    out[10..12].copy_from_slice(&(sections.len() as u16).to_le_bytes());
    out[12..16].copy_from_slice(&file_len.to_le_bytes());
    let mut crc = Crc::new();
    crc.update(&out[..table_end]);
    out[16..20].copy_from_slice(&crc.finish().to_le_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::pack::Table;

    #[test]
    fn equal_sections_are_in_the_file_once() {
        let section = |owner, byte| Section::raw(section::SUBSET, owner, vec![byte; 100]);
        let different = container(&[section(0, 1), section(1, 2), section(2, 3)]).unwrap();
        let equal = container(&[section(0, 1), section(1, 2), section(2, 1)]).unwrap();
        assert_eq!(different.len() - equal.len(), 104);
        let table = Table::parse(&equal, equal.len() as u64).unwrap();
        for (owner, byte) in [(0, 1), (1, 2), (2, 1)] {
            assert_eq!(table.section(&equal, section::SUBSET, owner).unwrap(), [byte; 100]);
        }
    }

    #[test]
    fn a_section_lies_behind_the_table_and_inside_the_file() {
        let good = container(&[Section::raw(section::SUBSET, 0, vec![1; 16])]).unwrap();
        let with_offset = |offset: u32| {
            let mut bytes = good.clone();
            bytes[HEADER_LEN + 8..][..4].copy_from_slice(&offset.to_le_bytes());
            let mut crc = Crc::new();
            crc.update(&bytes[..16]);
            crc.update(&[0; 4]);
            crc.update(&bytes[20..HEADER_LEN + ENTRY_LEN]);
            bytes[16..20].copy_from_slice(&crc.finish().to_le_bytes());
            Table::parse(&bytes, bytes.len() as u64).is_ok()
        };
        assert!(with_offset(48));
        for bad in [0, 40, 44, 52, 56, u32::MAX - 7] {
            assert!(!with_offset(bad), "{bad}");
        }
    }
}
