//! Versions of symbols of shared objects: `.gnu.version` has a number for each symbol, `.gnu.version_d` the names of the numbers.
//! Source: Linux Standard Base Core, "Symbol Versioning".

use super::{Executable, File, TEXT_LEN};
use crate::error::{Part, Result};
use crate::limits::MAX_VERSIONS;

const SHT_GNU_VERDEF: u32 = 0x6fff_fffd;
const SHT_GNU_VERSYM: u32 = 0x6fff_ffff;
/// `VERSYM_VERSION`: without the bit that hides a symbol from linking.
const NUMBER: u16 = 0x7fff;
/// Bytes of `Elf_Verdef`, the same in both classes.
const VERDEF_LEN: usize = 20;

impl<F: File> Executable<'_, F> {
    /// Whether dynamic symbol number `symbol` is of the version `name`.
    pub(super) fn is_version(&mut self, symbol: u32, name: &str) -> Result<bool> {
        const PART: Part = Part::Symbols;
        let (Some(numbers), Some(defs)) =
            (self.find_section(SHT_GNU_VERSYM, "")?, self.find_section(SHT_GNU_VERDEF, "")?)
        else {
            return Ok(false);
        };
        let strings = self.section(defs.link)?;
        let before = u64::from(symbol).saturating_mul(2);
        let number = self.record(PART, numbers.offset.saturating_add(before), 2)?.half(0, 0) & NUMBER;
        let mut at = defs.offset;
        for _ in 0..MAX_VERSIONS {
            let def = self.record(PART, at, VERDEF_LEN)?;
            if def.half(4, 4) & NUMBER == number {
                let aux = self.record(PART, at.saturating_add(def.word(12, 12).into()), 4)?;
                return Ok(self.text(&strings, aux.word(0, 0), &mut [0; TEXT_LEN])? == name.as_bytes());
            }
            match def.word(16, 16) {
                0 => break,
                next => at = at.saturating_add(next.into()),
            }
        }
        Ok(false)
    }
}
