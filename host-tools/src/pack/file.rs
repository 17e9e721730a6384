//! A pack or target file in memory, read section by section.

use anyhow::{Context, Result, anyhow};
use corelet_core::pack::{Entry, Records, Table, Wire, check, section};

/// The bytes of a pack or target file, its header and table checked.
#[derive(Clone, Copy)]
pub struct File<'a> {
    bytes: &'a [u8],
    table: Table<'a>,
}

impl<'a> File<'a> {
    /// Checks header and section table.
    ///
    /// # Errors
    /// It is no pack, is cut short, its checksum is wrong, or it has a critical section that this version does not know.
    pub fn parse(bytes: &'a [u8]) -> Result<File<'a>> {
        let table = Table::parse(bytes, bytes.len() as u64).map_err(|e| match e {
            corelet_core::Error::BadMagic { .. } => anyhow!("is no pack or target file"),
            corelet_core::Error::Truncated { .. } => {
                anyhow!("is cut short, or has bytes behind its end: copy it again")
            }
            e => anyhow!("{e}"),
        })?;
        Ok(File { bytes, table })
    }

    /// Checks everything that has a checksum.
    ///
    /// # Errors
    /// As [`File::parse`], or a section whose checksum is wrong.
    pub fn whole(bytes: &'a [u8]) -> Result<File<'a>> {
        let file = File::parse(bytes)?;
        file.entries().try_for_each(|e| file.section(e.id, e.owner).map(drop))?;
        Ok(file)
    }

    /// All entries of the section table.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + use<'a> {
        self.table.entries()
    }

    /// Numbers of the objects or targets that have a section `id`, ascending.
    pub fn owners(&self, id: u16) -> impl Iterator<Item = u16> + use<'a> {
        self.table.entries().filter(move |e| e.id == id).map(|e| e.owner)
    }

    /// A section's bytes, checked: their checksum, and that their records decode. Empty where it is left out.
    pub fn section(&self, id: u16, owner: u16) -> Result<&'a [u8]> {
        self.table
            .section(self.bytes, id, owner)
            .and_then(|bytes| check(id, bytes).map(|()| bytes))
            .with_context(|| format!("section {} of {owner}", section::name(id)))
    }

    /// The records of a section.
    pub fn records<T: Wire<'a>>(&self, id: u16, owner: u16) -> Result<Vec<T>> {
        let bytes = self.section(id, owner)?;
        let records = Records::new(bytes, id).collect::<Result<_, _>>();
        records.with_context(|| format!("section {} of {owner}", section::name(id)))
    }

    /// The one record of a section.
    pub fn record<T: Wire<'a>>(&self, id: u16, owner: u16) -> Result<T> {
        let mut records = self.records(id, owner)?;
        records.pop().with_context(|| format!("section {} of {owner} is empty", section::name(id)))
    }
}
