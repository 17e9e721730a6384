//! What all steps work with: a window over one of the files, and the tables, 32-bit words one behind the other in one piece of
//! memory, of which nothing behind them is touched.
//!
//! The first error is kept here and ends the work: from then on nothing is read, words are 0 and nothing is added, so that the
//! steps need not look at each word that they read. That costs the device a fifth of the code that results would.

use super::source::{Source, Stats};
use crate::error::{Error, Limit, Part, Result};

/// Window and tables.
pub(super) struct Work<'s, 'm> {
    pub(super) source: &'s mut dyn Source,
    pub(super) stats: Stats,
    failure: Option<Error>,
    window: &'m mut [u8],
    /// The file that the window is over, its place there, and the bytes that it has.
    file: u8,
    at: u32,
    len: usize,
    words: &'m mut [[u8; 4]],
    front: usize,
    /// The most words that were in use.
    peak: usize,
    /// Bytes that the caller gave.
    given: usize,
}

impl<'s, 'm> Work<'s, 'm> {
    /// Nothing read, no tables; `window` and `tables` are the caller's memory.
    pub(super) fn new(source: &'s mut dyn Source, window: &'m mut [u8], tables: &'m mut [u8]) -> Self {
        let given = window.len().wrapping_add(tables.len());
        let words = tables.as_chunks_mut().0;
        let stats = Stats::default();
        Work { source, stats, failure: None, window, file: 0, at: 0, len: 0, words, front: 0, peak: 0, given }
    }

    /// Ends the work, if no earlier error has.
    #[cold]
    #[inline(never)]
    pub(super) fn fail(&mut self, e: Error) {
        self.failure.get_or_insert(e);
    }

    /// The caller's memory does not suffice.
    #[cold]
    #[inline(never)]
    pub(super) fn full(&mut self) {
        self.fail(Error::TooMany { what: Limit::KernelBtfMemory, limit: self.given as u32 });
    }

    /// Whether the work has ended.
    pub(super) fn failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The error that ended the work.
    pub(super) fn check(&self) -> Result<()> {
        self.failure.map_or(Ok(()), Err)
    }

    /// Empties the window, since a file changed its number.
    pub(super) fn forget(&mut self) {
        self.len = 0;
    }

    /// As many bytes from `at` on as `len`, the window and the file have.
    #[inline(never)]
    pub(super) fn load(&mut self, file: u8, at: u32, len: u32) -> &[u8] {
        (self.file, self.at, self.len) = (file, at, 0);
        let want = self.window.len().min(len as usize);
        while !self.failed()
            && let Some(into) = self.window.get_mut(self.len..want)
            && !into.is_empty()
        {
            let room = into.len();
            match self.source.read_at(file, at.wrapping_add(self.len as u32), into) {
                Ok(0) => break,
                Ok(n) => self.len = self.len.wrapping_add(n.min(room)),
                Err(e) => self.fail(e),
            }
            self.stats.reads = self.stats.reads.wrapping_add(1);
        }
        self.stats.bytes = self.stats.bytes.saturating_add(self.len as u32);
        self.seen()
    }

    /// What the last [`Work::load`] gave.
    pub(super) fn seen(&self) -> &[u8] {
        self.window.get(..self.len).unwrap_or_default()
    }

    /// The four bytes at `at` of the types, which end at `end`.
    #[inline(never)]
    pub(super) fn four(&mut self, file: u8, at: u32, end: u32) -> [u8; 4] {
        for _ in 0..2 {
            let from = at.wrapping_sub(self.at) as usize;
            if let (Some(four), true) =
                (self.seen().get(from..).and_then(|s| s.first_chunk()), self.file == file)
            {
                return *four;
            }
            self.load(file, at, end.saturating_sub(at));
        }
        self.fail(Error::Truncated { part: Part::BtfTypes, at });
        [0; 4]
    }

    /// The word at `at`; 0 outside.
    #[inline(never)]
    pub(super) fn get(&self, at: usize) -> u32 {
        self.words.get(at).map_or(0, |w| u32::from_ne_bytes(*w))
    }

    /// Replaces the word at `at`.
    #[inline(never)]
    pub(super) fn set(&mut self, at: usize, value: u32) {
        if let Some(word) = self.words.get_mut(at) {
            *word = value.to_ne_bytes();
        }
    }

    /// Where the next word goes.
    pub(super) fn end(&self) -> usize {
        self.front
    }

    /// The next `len` words.
    #[inline(never)]
    pub(super) fn front(&mut self, len: usize) -> usize {
        let at = self.front;
        match at.checked_add(len).filter(|&end| end <= self.words.len()) {
            Some(end) => self.front = end,
            None => self.full(),
        }
        self.peak = self.peak.max(self.front);
        at
    }

    /// Adds a word.
    #[inline(never)]
    pub(super) fn push(&mut self, word: u32) {
        if !self.failed() {
            let at = self.front(1);
            self.set(at, word);
        }
    }

    /// Makes room for `len` words at `at`, moving what stands from there to the end.
    #[inline(never)]
    pub(super) fn insert(&mut self, at: usize, len: usize) {
        let end = self.front;
        self.front(len);
        if self.failed() {
            return;
        }
        for i in (at..end).rev() {
            let word = self.get(i);
            self.set(i.wrapping_add(len), word);
        }
    }

    /// Takes `len` words at `at` away, moving down what stands behind them.
    pub(super) fn remove(&mut self, at: usize, len: usize) {
        for i in at.wrapping_add(len)..self.front {
            let word = self.get(i);
            self.set(i.wrapping_sub(len), word);
        }
        self.front = self.front.saturating_sub(len);
    }

    /// Window, and bytes from word `at` to the end.
    pub(super) fn seen_and_bytes(&mut self, at: usize) -> (&[u8], &mut [u8]) {
        let free = self.words.get_mut(at..).unwrap_or_default();
        (self.window.get(..self.len).unwrap_or_default(), free.as_flattened_mut())
    }

    /// The most bytes that were in use at once.
    pub(super) fn peak(&self) -> usize {
        self.peak.wrapping_mul(4).wrapping_add(self.window.len())
    }
}
