//! Events for a program that carries the loader inside itself ([`crate::api`]): each is handed over as it comes out of its buffer.

use super::{Channels, Record, events};
use crate::job::Source;
use crate::sys::{Fd, Kernel, Sys};
use corelet_core::pack::{Checked, Map, section};

#[cfg(feature = "format")]
pub use crate::job::Output as Form;

/// An event, in memory that the next one takes.
#[cfg_attr(not(feature = "format"), expect(dead_code, reason = "what only its text needs"))]
pub struct Event<'e> {
    source: &'e Source<'e>,
    record: corelet_core::pack::Event<'e>,
    object: u8,
    ahead: u64,
    /// What the program submitted; of a perf buffer with up to 7 bytes of padding behind it.
    pub bytes: &'e [u8],
}

impl<'e> Event<'e> {
    /// Name of the object that it is of.
    pub fn object(&self) -> &'e str {
        self.source.name
    }

    /// Name of the map that it came through.
    pub fn map(&self) -> &'e str {
        let map = Checked::<Map<'_>>::new(self.source.maps, section::MAPS).at(self.record.map);
        map.map_or("", |m| m.name)
    }

    /// Name of its type in C, without `struct`; empty where the pack gives it none.
    pub fn type_name(&self) -> &'e str {
        self.source.btf.skip_mods(self.record.type_id).map_or("", |t| self.source.btf.name(&t))
    }

    /// The event as the loader prints it, by its type, without the line's end; a raw record, which `corelet decode` reads, where
    /// that is asked for. Cut where `out` is too short: as text a number may take thrice its bytes.
    #[cfg(feature = "format")]
    pub fn print<'b>(&self, form: Form, out: &'b mut [u8]) -> &'b [u8] {
        let mut line = corelet_core::event::Out::new(out);
        let from = (self.object, self.source);
        super::print::event(&mut line, form, from, &self.record, self.bytes, self.ahead, usize::MAX);
        let len = line.len();
        let line = out.get(..len).unwrap_or_default();
        match line.split_last() {
            Some((b'\n', rest)) if form != Form::Raw => rest,
            _ => line,
        }
    }
}

/// What one call of [`Channels::poll`] came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// Events that were handed over.
    pub events: u64,
    /// Events that the kernel dropped because a perf buffer was full. Of a ring buffer only the program knows.
    pub lost: u64,
    /// Events that were longer than the pack says, and left out.
    pub too_long: u64,
}

/// Bytes of the longest event of all objects.
pub fn longest(sources: &[Source<'_>]) -> usize {
    sources.iter().map(|s| s.printed().largest()).max().unwrap_or(0)
}

impl Channels {
    /// What becomes readable when there are events: for the program's own `poll(2)` or `epoll(7)`.
    pub fn epoll(&self) -> Fd {
        self.epoll
    }

    /// Waits up to `timeout_ms` milliseconds (`None` for ever) until there are events, and hands over those that are there then.
    /// `scratch` has room for the longest.
    ///
    /// # Errors
    /// That of `epoll_pwait(2)`. A signal is none: it ends the wait.
    pub fn poll<K: Kernel>(
        &self,
        kernel: &mut K,
        sources: &[Source<'_>],
        timeout_ms: Option<u32>,
        scratch: &mut [u8],
        each: &mut dyn FnMut(&Event<'_>),
    ) -> Sys<Polled> {
        let mut sum = Polled::default();
        let ready = kernel.epoll_wait(self.epoll, timeout_ms)?;
        let ahead = kernel.real_time().wrapping_sub(kernel.now());
        for &token in &ready {
            let Some(Some(channel)) = self.channels.get(token as usize) else { continue };
            let Some(source) = sources.get(usize::from(channel.object)) else { continue };
            let Ok(record) = events(source).at(channel.event) else { continue };
            // what comes meanwhile is left for the next time, so that this ends
            let end = channel.buffer.end();
            while let Some(found) = channel.buffer.next(end, scratch) {
                let count = match found {
                    Record::Event(bytes) => {
                        each(&Event { source, record, object: channel.object, ahead, bytes });
                        &mut sum.events
                    }
                    Record::TooLong => &mut sum.too_long,
                    Record::Lost(n) => {
                        sum.lost = sum.lost.saturating_add(n);
                        continue;
                    }
                };
                *count = count.saturating_add(1);
            }
        }
        Ok(sum)
    }
}
