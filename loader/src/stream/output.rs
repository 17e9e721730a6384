//! The output behind a bounded buffer, so that a slow reader never holds up the draining of events.

use super::sink::{Kind, Sink};
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
    sink: Sink<'b>,
    /// Prints what stands in front of all records, at the start and of each file and connection.
    header: &'b dyn Fn(&mut Out<'_>),
}

impl<'b> Output<'b> {
    /// Begins with the header.
    pub(super) fn new<K: Kernel>(
        kernel: &mut K,
        buffer: &'b mut [u8],
        sink: Sink<'b>,
        header: &'b dyn Fn(&mut Out<'_>),
    ) -> Self {
        let mut output = Output { buffer, start: 0, end: 0, failed: None, sink, header };
        if output.sink.fd != Fd::default() {
            output.put(kernel, &|o, _| header(o));
        }
        output
    }

    /// Ends it: what waits still is dropped.
    pub(super) fn close<K: Kernel>(&mut self, kernel: &mut K) {
        self.sink.close(kernel);
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
        if self.sink.connect(kernel) {
            let header = self.header;
            (self.start, self.end) = (0, 0);
            self.try_put(&|o, _| header(o), usize::MAX);
        }
        if self.sink.fd == Fd::default() {
            return false;
        }
        if cfg!(feature = "outputs")
            && let Kind::Packets(..) = self.sink.kind
        {
            return self.packet(kernel, print);
        }
        let before = self.end;
        let clip = self.buffer.len() / CLIP_SHARE;
        if self.try_put(print, usize::MAX)
            && self.sink.is_full(before.saturating_sub(self.start), self.end.saturating_sub(before))
        {
            // what came before this record goes into the old file
            self.end = before;
            self.rotate(kernel);
            return self.failed.is_none() && self.try_put(print, clip);
        }
        if self.end > before {
            return true;
        }
        if self.try_put(print, usize::MAX) {
            return true;
        }
        self.flush(kernel);
        self.failed.is_none()
            && (self.try_put(print, usize::MAX) || (!self.pending() && self.try_put(print, clip)))
    }

    /// Goes on in a new file.
    fn rotate<K: Kernel>(&mut self, kernel: &mut K) {
        self.flush(kernel);
        match self.sink.rotate(kernel) {
            Ok(()) => {
                let header = self.header;
                self.try_put(&|o, _| header(o), usize::MAX);
            }
            Err(e) => self.failed = Some(e),
        }
    }

    /// Prints and sends one record, whole; whether it was taken.
    fn packet<K: Kernel>(&mut self, kernel: &mut K, print: &dyn Fn(&mut Out<'_>, usize)) -> bool {
        let margin = self.sink.margin();
        (self.start, self.end) = (margin, margin);
        let printed = self.try_put(print, usize::MAX) || self.try_put(print, self.buffer.len() / CLIP_SHARE);
        let record = self.buffer.get_mut(..self.end).unwrap_or_default();
        let sent = printed && self.sink.send(kernel, record, margin);
        (self.start, self.end) = (0, 0);
        if !sent {
            // connected anew with the next one
            self.sink.close(kernel);
        }
        sent
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
        while self.pending() && kernel.writable(self.sink.fd) {
            let chunk = self.buffer.get(self.start..self.end).unwrap_or_default();
            match kernel.write(self.sink.fd, chunk.get(..CHUNK).unwrap_or(chunk)) {
                Ok(n) => {
                    self.start = self.start.saturating_add(n).min(self.end);
                    self.sink.wrote(n);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) if self.sink.is_socket() => {
                    self.sink.close(kernel);
                    self.start = self.end;
                }
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
