//! Writing the container: header, section table, sections. The form is documented in [`corelet_core::pack`].

use anyhow::{Context, Result, ensure};
use corelet_core::limits::MAX_PACK_SECTIONS;
use corelet_core::pack::{CRITICAL, Crc, ENTRY_LEN, HEADER_LEN, MAGIC, VERSION, crc32, section};
use serde::Serialize;

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

/// Puts `sections` into one file, in the order given; empty ones are left out.
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
    for (i, s) in sections.iter().enumerate() {
        let offset = u32::try_from(out.len()).context("the file would pass 4 GiB")?;
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
        out.extend(&s.bytes);
        out.resize(out.len().next_multiple_of(8), 0);
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
