//! Versions of symbols of shared objects: `.gnu.version` has a number for each symbol, `.gnu.version_d` the names of the numbers.
//! Source: Linux Standard Base Core, "Symbol Versioning".

use super::{Executable, File, Section};
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
        let (Some(numbers), Some(defs)) = (self.of_kind(SHT_GNU_VERSYM)?, self.of_kind(SHT_GNU_VERDEF)?)
        else {
            return Ok(false);
        };
        let mut number = [0; 2];
        let at = u64::from(symbol).saturating_mul(2);
        if at >= numbers.size {
            return Ok(false);
        }
        self.fill(Part::Symbols, numbers.offset.saturating_add(at), &mut number)?;
        let number = self.head.endian.u16(number) & NUMBER;
        self.is_named(&defs, number, name)
    }

    fn is_named(&mut self, defs: &Section, number: u16, name: &str) -> Result<bool> {
        let strings = self.linked(defs.link)?;
        let mut at = defs.offset;
        for _ in 0..MAX_VERSIONS {
            let mut def = [0; VERDEF_LEN];
            self.fill(Part::Symbols, at, &mut def)?;
            let f = self.fields(&def, Part::Symbols).bytes;
            if f.u16(4)? & NUMBER == number {
                let mut aux = [0; 4];
                self.fill(Part::Symbols, at.saturating_add(f.u32(12)?.into()), &mut aux)?;
                return self.is_text(&strings, self.head.endian.u32(aux), name.as_bytes());
            }
            match f.u32(16)? {
                0 => break,
                next => at = at.saturating_add(next.into()),
            }
        }
        Ok(false)
    }
}
