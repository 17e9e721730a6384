//! Where the bytes come from, and the window through which they are seen.

use crate::error::{Error, Part, Result};

/// A kernel's BTF files, read at any place. File 0 is the kernel's own.
pub trait Source {
    /// Reads bytes from `at` on into `into`: how many, which may be less than fit; 0 at the end.
    fn read_at(&mut self, file: u8, at: u64, into: &mut [u8]) -> Result<usize>;

    /// Makes the next loaded module's BTF file number `file`, in the place of the one that had this number; `false` after the
    /// last. A module that is to be kept has its number no more given away.
    fn next_module(&mut self, file: u8) -> Result<bool>;
}

/// What reading took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes read.
    pub bytes: u64,
    /// Reads.
    pub reads: u32,
    /// Modules looked into.
    pub modules: u32,
    /// Types kept.
    pub nodes: u32,
    /// Bytes of the caller's memory that were used, at most.
    pub peak: usize,
}

/// A window over one of the files.
pub(super) struct Reader<'s, 'm> {
    pub(super) source: &'s mut dyn Source,
    pub(super) stats: Stats,
    window: &'m mut [u8],
    file: u8,
    at: u64,
    len: usize,
}

impl<'s, 'm> Reader<'s, 'm> {
    /// Nothing read yet.
    pub(super) fn new(source: &'s mut dyn Source, window: &'m mut [u8]) -> Self {
        Reader { source, stats: Stats::default(), window, file: 0, at: 0, len: 0 }
    }

    /// Empties the window, since a file changed its number.
    pub(super) fn forget(&mut self) {
        self.len = 0;
    }

    /// As many bytes from `at` on as `len`, the window and the file have.
    pub(super) fn load(&mut self, file: u8, at: u64, len: u64) -> Result<&[u8]> {
        self.len = 0;
        (self.file, self.at) = (file, at);
        let want = len.min(self.window.len() as u64) as usize;
        while self.len < want {
            let place = at.saturating_add(self.len as u64);
            let Some(into) = self.window.get_mut(self.len..want) else { break };
            let room = into.len();
            let n = self.source.read_at(file, place, into)?.min(room);
            self.stats.reads = self.stats.reads.saturating_add(1);
            self.stats.bytes = self.stats.bytes.saturating_add(n as u64);
            if n == 0 {
                break;
            }
            self.len = self.len.saturating_add(n);
        }
        Ok(self.seen())
    }

    /// What the last [`Reader::load`] gave.
    pub(super) fn seen(&self) -> &[u8] {
        self.window.get(..self.len).unwrap_or_default()
    }

    /// `N` bytes at `at` of a part that ends at `end`.
    pub(super) fn array<const N: usize>(
        &mut self,
        file: u8,
        (at, end): (u64, u64),
        part: Part,
    ) -> Result<[u8; N]> {
        let in_window = |r: &Self| {
            let from = usize::try_from(at.checked_sub(r.at)?).ok()?;
            let seen = r.window.get(..r.len)?;
            (r.file == file).then_some(())?;
            seen.get(from..)?.first_chunk().copied()
        };
        if let Some(found) = in_window(self) {
            return Ok(found);
        }
        self.load(file, at, end.saturating_sub(at))?;
        in_window(self).ok_or(Error::Truncated { part, at: at.min(u32::MAX.into()) as u32 })
    }
}
