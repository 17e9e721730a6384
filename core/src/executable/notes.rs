//! Probes that the authors of a program put in: USDT, the notes of section `.note.stapsdt`.
//!
//! Source: <https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>; what libbpf's `src/usdt.c` makes of them.

use super::{Executable, File};
use crate::error::{Error, Part, Result};
use crate::limits::MAX_USDT_NOTE;

const SHT_PROGBITS: u32 = 1;
const SHT_NOTE: u32 = 7;
/// `NT_STAPSDT`
const STAPSDT: u32 = 3;
const OWNER: &[u8] = b"stapsdt\0";
/// Bytes of a note before its descriptor: lengths of name and descriptor, type, the owner's name.
const HEAD_LEN: usize = 12 + OWNER.len();

/// The probes of a file, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Notes {
    at: u64,
    end: u64,
    /// Address of `.stapsdt.base`, by which a file tells that it was prelinked.
    base: u64,
}

/// A probe. There can be several of one name: one for each place that the compiler made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe<'t> {
    /// Who provides it.
    pub provider: &'t str,
    /// Its name.
    pub name: &'t str,
    /// Where its arguments are ([`super::arg_spec`]).
    pub args: &'t str,
    /// Its address: in a file that is not [`super::ET_DYN`], the one that the kernel reports.
    pub address: u64,
    /// Address of the counter that tells the program whether somebody listens; 0 where it has none.
    pub semaphore: u64,
}

/// The places of a probe in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of the instruction.
    pub offset: u64,
    /// Of the semaphore; 0 where there is none.
    pub semaphore: u64,
}

impl Notes {
    /// All probes of `file`; `None` where it has no section for them.
    ///
    /// # Errors
    /// Those of a file that is broken, and of reading.
    pub fn of<F: File>(file: &mut Executable<'_, F>) -> Result<Option<Notes>> {
        let Some(section) = file.find_section(SHT_NOTE, ".note.stapsdt")? else { return Ok(None) };
        let base = file.find_section(SHT_PROGBITS, ".stapsdt.base")?.map_or(0, |s| s.addr);
        Ok(Some(Notes { at: section.offset, end: section.offset.saturating_add(section.size), base }))
    }

    /// The next probe, whose text is put into `text`; `None` after the last.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::BadValue`] for a note that is none of a probe, or longer than [`MAX_USDT_NOTE`].
    pub fn next<'t, F: File>(
        &mut self,
        file: &mut Executable<'_, F>,
        text: &'t mut [u8; MAX_USDT_NOTE],
    ) -> Result<Option<Probe<'t>>> {
        const PART: Part = Part::SectionData;
        if self.at >= self.end {
            return Ok(None);
        }
        let at = self.at;
        let bad = |found| Error::BadValue { part: PART, at: at.min(u32::MAX.into()) as u32, found };
        let r = file.record(PART, at, HEAD_LEN)?;
        let (name_len, len, kind) = (r.word(0, 0), r.word(4, 4), r.word(8, 8));
        if (kind, name_len) != (STAPSDT, OWNER.len() as u32) || r.bytes.get(12..HEAD_LEN) != Some(OWNER) {
            return Err(bad(kind));
        }
        let start = at.saturating_add(HEAD_LEN as u64);
        let into = text.get_mut(..len as usize).ok_or_else(|| bad(len))?;
        file.fill(PART, start, into)?;
        let addresses = if r.wide { 24 } else { 12 };
        let r = file.record(PART, start, addresses)?;
        let (address, base, semaphore) = (r.long(0, 0), r.long(4, 8), r.long(8, 16));
        // descriptors are padded to four bytes, in both classes
        self.at = start.saturating_add(u64::from(len).saturating_add(3) & !3);
        let mut strings = into.get(addresses..).unwrap_or_default();
        let mut next = || {
            let end = strings.iter().position(|&b| b == 0).unwrap_or(strings.len());
            let text = strings.get(..end).and_then(|text| core::str::from_utf8(text).ok());
            strings = strings.get(end.saturating_add(1)..).unwrap_or_default();
            text.unwrap_or("")
        };
        let (provider, name, args) = (next(), next(), next());
        // what prelinking moved the section by, it moved the code by
        let moved = if self.base != 0 && base != 0 { self.base.wrapping_sub(base) } else { 0 };
        Ok(Some(Probe { provider, name, args, address: address.wrapping_add(moved), semaphore }))
    }
}

impl Probe<'_> {
    /// Where in the file it is; `None` where it lies outside of the instructions, or its semaphore outside of the variables.
    ///
    /// # Errors
    /// [`Error::Truncated`].
    pub fn place<F: File>(&self, file: &mut Executable<'_, F>) -> Result<Option<Place>> {
        let Some(offset) = file.in_segment(self.address, true)? else { return Ok(None) };
        let semaphore = match self.semaphore {
            0 => Some(0),
            address => file.in_segment(address, false)?,
        };
        Ok(semaphore.map(|semaphore| Place { offset, semaphore }))
    }
}
