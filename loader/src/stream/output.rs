//! Standard output behind a bounded buffer, so that a slow reader never holds up the draining of events.

use crate::sys::{Errno, Fd, Kernel};
use corelet_core::event::Out;

/// Most that is written at once: what [`Kernel::writable`] speaks of.
const CHUNK: usize = 4096;
/// How long the end waits for a reader that takes nothing, in rounds of [`ROUND_MS`]: two seconds.
pub(super) const ROUNDS: u32 = 100;
/// Time between two attempts to write, in milliseconds.
pub(super) const ROUND_MS: u32 = 20;
/// Strings of a record that does not fit the empty buffer are cut to this share of it.
const CLIP_SHARE: usize = 32;

/// What waits to be written.
pub(super) struct Output<'b> {
    buffer: &'b mut [u8],
    start: usize,
    end: usize,
    /// Why nothing more can be written.
    failed: Option<Errno>,
}

impl<'b> Output<'b> {
    pub(super) fn new(buffer: &'b mut [u8]) -> Self {
        Output { buffer, start: 0, end: 0, failed: None }
    }

    /// Whether something waits.
    pub(super) fn pending(&self) -> bool {
        self.start < self.end
    }

    /// Why nothing more can be written.
    pub(super) fn failed(&self) -> Option<Errno> {
        self.failed
    }

    /// Prints with `print` into the buffer, whole or not at all; whether it was taken. `print` is called again with a limit
    /// to the length of strings where the buffer is empty and still too small.
    pub(super) fn put<K: Kernel>(&mut self, kernel: &mut K, print: &dyn Fn(&mut Out<'_>, usize)) -> bool {
        let clip = self.buffer.len() / CLIP_SHARE;
        if self.try_put(print, usize::MAX) {
            return true;
        }
        self.flush(kernel);
        self.failed.is_none()
            && (self.try_put(print, usize::MAX) || (!self.pending() && self.try_put(print, clip)))
    }

    fn try_put(&mut self, print: &dyn Fn(&mut Out<'_>, usize), clip: usize) -> bool {
        let mut out = Out::new(self.buffer.get_mut(self.end..).unwrap_or_default());
        print(&mut out, clip);
        if out.is_full() {
            return false;
        }
        self.end = self.end.saturating_add(out.len());
        true
    }

    /// Writes as much as standard output takes without waiting.
    pub(super) fn flush<K: Kernel>(&mut self, kernel: &mut K) {
        while self.pending() && kernel.writable(Fd::STDOUT) {
            let chunk = self.buffer.get(self.start..self.end).unwrap_or_default();
            match kernel.write(Fd::STDOUT, chunk.get(..CHUNK).unwrap_or(chunk)) {
                Ok(n) => self.start = self.start.saturating_add(n).min(self.end),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(e) => {
                    self.failed = Some(e);
                    self.start = self.end;
                }
            }
        }
        let waiting = self.end.saturating_sub(self.start);
        if self.start > 0 {
            // byte by byte: `copy_within` would bring its panic
            for to in 0..waiting {
                let from = self.buffer.get(self.start.saturating_add(to)).copied();
                if let (Some(to), Some(from)) = (self.buffer.get_mut(to), from) {
                    *to = from;
                }
            }
        }
        (self.start, self.end) = (0, waiting);
    }

    /// Writes everything, waiting for the reader as long as it takes something within `most` rounds; whether nothing waits
    /// any more. `idle` is an epoll without descriptors, to wait with.
    pub(super) fn settle<K: Kernel>(&mut self, kernel: &mut K, idle: Fd, most: u32) -> bool {
        let mut rounds = 0;
        self.flush(kernel);
        while self.pending() && rounds < most {
            let before = self.end;
            let _ = kernel.epoll_wait(idle, Some(ROUND_MS));
            self.flush(kernel);
            rounds = if self.end < before { 0 } else { rounds.saturating_add(1) };
        }
        !self.pending()
    }
}
