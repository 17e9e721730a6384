//! ELF string tables.

use crate::error::{Error, Part, Result};
use crate::limits::MAX_ELF_NAME_LEN;

/// A string table that was checked to be UTF-8 and terminated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strings<'a>(&'a str);

impl<'a> Strings<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Result<Self> {
        let bad = |at: usize| Error::BadString { part: Part::ElfStrings, at: at as u32 };
        if data.last().is_some_and(|&b| b != 0) {
            return Err(bad(data.len()));
        }
        core::str::from_utf8(data).map(Strings).map_err(|e| bad(e.valid_up_to()))
    }

    /// The string at `off`. Offset 0 is the empty string, of an empty table too.
    ///
    /// # Errors
    /// [`Error::BadString`] for an offset behind the table, and for more than [`MAX_ELF_NAME_LEN`] bytes.
    pub(super) fn get(&self, off: u32) -> Result<&'a str> {
        let bad = Error::BadString { part: Part::ElfStrings, at: off };
        match self.0.get(off as usize..) {
            Some("") if off != 0 => Err(bad),
            Some("") => Ok(""),
            Some(rest) => {
                let end = rest.bytes().take(MAX_ELF_NAME_LEN.saturating_add(1)).position(|b| b == 0);
                end.and_then(|end| rest.get(..end)).ok_or(bad)
            }
            None => Err(bad),
        }
    }
}
