//! All tables as 32-bit words in one piece of memory: they grow from its front, those of modules are put at its back, so that
//! the usual case without modules touches a compact piece.

use crate::error::{Error, Result};

/// The memory.
pub(super) struct Tables<'m> {
    words: &'m mut [[u8; 4]],
    front: usize,
    back: usize,
    /// The most that front and back took together.
    peak: usize,
    full: Error,
}

impl<'m> Tables<'m> {
    /// Empty tables in `memory`; `full` is said where it does not suffice.
    pub(super) fn new(memory: &'m mut [u8], full: Error) -> Self {
        let words = memory.as_chunks_mut().0;
        let back = words.len();
        Tables { words, front: 0, back, peak: 0, full }
    }

    /// The word at `at`; 0 outside.
    pub(super) fn get(&self, at: usize) -> u32 {
        self.words.get(at).map_or(0, |w| u32::from_ne_bytes(*w))
    }

    /// Replaces the word at `at`.
    pub(super) fn set(&mut self, at: usize, value: u32) {
        if let Some(word) = self.words.get_mut(at) {
            *word = value.to_ne_bytes();
        }
    }

    /// Where the next word of the front goes.
    pub(super) fn end(&self) -> usize {
        self.front
    }

    /// The next `len` words of the front.
    pub(super) fn front(&mut self, len: usize) -> Result<usize> {
        let at = self.front;
        let end = at.checked_add(len).filter(|&end| end <= self.back).ok_or(self.full)?;
        self.front = end;
        self.note();
        Ok(at)
    }

    /// Adds words to the front.
    pub(super) fn push<const N: usize>(&mut self, words: [u32; N]) -> Result<()> {
        let at = self.front(N)?;
        for (i, word) in (at..).zip(words) {
            self.set(i, word);
        }
        Ok(())
    }

    /// Makes room for `len` words at `at`, moving what stands from there to the front's end.
    pub(super) fn insert(&mut self, at: usize, len: usize) -> Result<()> {
        let end = self.front;
        self.front(len)?;
        for i in (at..end).rev() {
            let word = self.get(i);
            self.set(i.saturating_add(len), word);
        }
        Ok(())
    }

    /// The next `len` words of the back, downwards.
    pub(super) fn back(&mut self, len: usize) -> Result<usize> {
        let at = self.back.checked_sub(len).filter(|&at| at >= self.front).ok_or(self.full)?;
        self.back = at;
        self.note();
        Ok(at)
    }

    /// Moves the front's words from `at` on to the back.
    pub(super) fn move_back(&mut self, at: usize) -> Result<usize> {
        let len = self.front.saturating_sub(at);
        let to = self.back(len)?;
        for i in 0..len {
            let word = self.get(at.saturating_add(i));
            self.set(to.saturating_add(i), word);
        }
        self.front = at.min(self.front);
        Ok(to)
    }

    /// What the back is now, for [`Tables::release`].
    pub(super) fn mark(&self) -> usize {
        self.back
    }

    /// Gives back what the back took since `mark`.
    pub(super) fn release(&mut self, mark: usize) {
        self.back = mark.clamp(self.back, self.words.len());
    }

    /// Bytes from word `at` to the back.
    pub(super) fn bytes(&mut self, at: usize) -> &mut [u8] {
        let free = self.words.get_mut(at..self.back).unwrap_or_default();
        free.as_flattened_mut()
    }

    /// Notes that `len` bytes from word `at` on are used.
    pub(super) fn used(&mut self, at: usize, len: usize) {
        let front = at.saturating_add(len.div_ceil(4));
        self.front = front.clamp(self.front, self.back.max(self.front));
        self.note();
    }

    /// What is said where the memory does not suffice.
    pub(super) fn full(&self) -> Error {
        self.full
    }

    /// The most bytes that were in use at once.
    pub(super) fn peak(&self) -> usize {
        self.peak.saturating_mul(4)
    }

    fn note(&mut self) {
        let used = self.words.len().saturating_sub(self.back).saturating_add(self.front);
        self.peak = self.peak.max(used);
    }
}
