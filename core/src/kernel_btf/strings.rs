//! The pass over the strings: at which offsets the names stand that matter.

use super::Select;
use super::blob::Blob;
use super::wanted::{Filter, hash};
use crate::btf::names;
use crate::error::{Error, Limit, Part, Result};
use crate::limits::KERNEL_BTF_WINDOW;

impl Select<'_, '_, '_> {
    /// Adds to the tables' front a pair of words, offset and number of the name, for each offset of the blob's strings at
    /// which a text begins whose essential name matters; in the order of the offsets. Returns the number of pairs.
    #[inline(never)] // the filter is on the stack
    pub(super) fn find_names(&mut self, blob: &Blob) -> Result<usize> {
        let filter = self.wanted.filter(&self.tables);
        let first = self.tables.end();
        let mut off = 0u32;
        while off < blob.str_len {
            let rest = blob.str_len.saturating_sub(off);
            let place = blob.str_at.saturating_add(off.into());
            let seen = self.reader.load(blob.file, place, rest.into())?;
            let loaded = seen.len();
            let mut done = 0u32;
            for text in seen.split_inclusive(|&b| b == 0) {
                let [name @ .., 0] = text else { break };
                let at = blob.first_name.saturating_add(off).saturating_add(done);
                for_each_end(name, &filter, |i, h, essential| {
                    let Some(number) = self.wanted.find(&self.tables, h, essential) else { return Ok(()) };
                    self.tables.push([at.saturating_add(i), number as u32])?;
                    // the ends of one string come from its last
                    let mut place = self.tables.end().saturating_sub(2);
                    while place > first {
                        let before = place.saturating_sub(2);
                        let (a, b) = (self.tables.get(before), self.tables.get(place));
                        if a < b {
                            break;
                        }
                        let (m, n) = (before.saturating_add(1), place.saturating_add(1));
                        let (c, d) = (self.tables.get(m), self.tables.get(n));
                        for (to, word) in [(before, b), (place, a), (m, d), (n, c)] {
                            self.tables.set(to, word);
                        }
                        place = before;
                    }
                    Ok(())
                })?;
                done = done.saturating_add(text.len() as u32);
            }
            if done == 0 {
                return Err(match loaded {
                    KERNEL_BTF_WINDOW => {
                        Error::TooMany { what: Limit::KernelName, limit: KERNEL_BTF_WINDOW as u32 }
                    }
                    n if n as u64 == u64::from(rest) => Error::BadString { part: Part::BtfStrings, at: off },
                    _ => Error::Truncated { part: Part::BtfStrings, at: off },
                });
            }
            off = off.saturating_add(done);
        }
        Ok(self.tables.end().saturating_sub(first) / 2)
    }
}

/// Calls `found` for each end of `name` whose essential name may matter: where it begins, its hash, the essential name. A cut
/// is the last in all ends that have it, so that two runs backwards hash all of them.
fn for_each_end(
    name: &[u8],
    filter: &Filter,
    mut found: impl FnMut(u32, u32, &[u8]) -> Result<()>,
) -> Result<()> {
    let cut = names::essential_bytes(name);
    for (from, end) in [(cut, name.len()), (0, cut)] {
        let mut h = 0;
        let part = name.get(from..end).unwrap_or_default();
        for (i, &byte) in (from..end).zip(part).rev() {
            h = hash(h, byte);
            if filter.may_have(h) {
                found(i as u32, h, name.get(i..end).unwrap_or_default())?;
            }
        }
    }
    Ok(())
}
