//! The names in a directory, by `getdents64(2)`.

use crate::sys::{Fd, Kernel, Open, Sys};
use core::ffi::CStr;

/// Bytes of directory entries that are read at once: one has at most 20 and a name of 255, padded to 8.
const ENTRIES: usize = 320;
/// Bytes of `struct linux_dirent64` before the name: inode, offset, length of the entry, type.
const ENTRY_HEAD: usize = 19;

/// An open directory.
pub struct Names {
    directory: Fd,
    entries: [u8; ENTRIES],
    /// The entries that are not looked at yet are those from `next` to `end`.
    next: usize,
    end: usize,
}

impl Names {
    /// Opens a directory; [`Names::close`] closes it.
    pub fn open<K: Kernel>(kernel: &mut K, path: &CStr) -> Sys<Names> {
        let directory = kernel.open(path, Open::Read)?;
        Ok(Names { directory, entries: [0; ENTRIES], next: 0, end: 0 })
    }

    /// The next name; those that begin with a dot are passed over, and what is not UTF-8 is empty. `None` after the last.
    pub fn next<K: Kernel>(&mut self, kernel: &mut K) -> Sys<Option<&str>> {
        loop {
            if self.next >= self.end {
                (self.next, self.end) = (0, kernel.read_dir(self.directory, &mut self.entries)?);
            }
            let start = self.next.saturating_add(ENTRY_HEAD);
            let entry = self.entries.get(self.next..self.end).unwrap_or_default();
            let Some(name) = entry.get(ENTRY_HEAD..) else { return Ok(None) };
            let len = entry.get(16..).and_then(|e| e.first_chunk()).map_or(0, |b| u16::from_ne_bytes(*b));
            // never 0, so that this comes to an end
            self.next = self.next.saturating_add(usize::from(len).max(ENTRY_HEAD));
            let len = name.iter().position(|&b| b == 0).unwrap_or(name.len());
            if !name.starts_with(b".") {
                let name = self.entries.get(start..start.saturating_add(len)).unwrap_or_default();
                return Ok(Some(core::str::from_utf8(name).unwrap_or("")));
            }
        }
    }

    /// Closes the directory.
    pub fn close<K: Kernel>(self, kernel: &mut K) {
        kernel.close(self.directory);
    }
}
