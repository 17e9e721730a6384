//! The pass over the strings: at which offsets the names stand that matter.

use super::Select;
use super::blob::Blob;
use super::wanted::hash;
use crate::btf::names;
use crate::error::{Error, Limit, Part};
use crate::limits::KERNEL_BTF_WINDOW;

impl Select<'_, '_, '_> {
    /// Puts in front of the nodes a pair of words, offset and number of the name, for each offset of the blob's strings at
    /// which a text begins whose essential name matters; in the order of the offsets.
    #[inline(never)] // the filter is on the stack
    pub(super) fn find_names(&mut self, blob: &mut Blob) {
        let filter = self.wanted.filter(&self.work);
        blob.found_at = self.nodes_at;
        let mut off = 0u32;
        while off < blob.str_len && !self.work.failed() {
            let rest = blob.str_len.wrapping_sub(off);
            let loaded = self.work.load(blob.file, blob.str_at.wrapping_add(off), rest).len();
            let mut done = 0usize;
            while let Some(text) = self.work.seen().get(done..)
                && let Some(len) = text.iter().position(|&b| b == 0)
            {
                let at = blob.first_name.wrapping_add(off).wrapping_add(done as u32);
                let pairs = self.nodes_at;
                // the flavor is cut off at one place for all ends of the string that have it
                let cut = names::essential_bytes(text.get(..len).unwrap_or_default());
                let (mut end, mut h) = (len, 0);
                for i in (0..len).rev() {
                    if i.wrapping_add(1) == cut {
                        (end, h) = (cut, 0);
                    }
                    let text = self.work.seen().get(done..).unwrap_or_default();
                    h = hash(h, text.get(i).copied().unwrap_or(0));
                    if filter.may_have(h)
                        && let Some(number) =
                            text.get(i..end).and_then(|e| self.wanted.find(&self.work, h, e))
                    {
                        // ends of one string come from its last
                        self.make_room(pairs, 2);
                        self.work.set(pairs, at.wrapping_add(i as u32));
                        self.work.set(pairs.wrapping_add(1), number as u32);
                    }
                }
                done = done.wrapping_add(len).wrapping_add(1);
            }
            if done == 0 {
                self.work.fail(match loaded {
                    KERNEL_BTF_WINDOW => {
                        Error::TooMany { what: Limit::KernelName, limit: KERNEL_BTF_WINDOW as u32 }
                    }
                    n if n == rest as usize => Error::BadString { part: Part::BtfStrings, at: off },
                    _ => Error::Truncated { part: Part::BtfStrings, at: off },
                });
            }
            off = off.wrapping_add(done as u32);
        }
        blob.found = self.nodes_at.wrapping_sub(blob.found_at) / 2;
    }
}
