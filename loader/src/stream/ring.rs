//! The consumer's side of a BPF ring buffer (5.8): `kernel/bpf/ringbuf.c`, `Documentation/bpf/ringbuf.rst`.
//!
//! Two pages hold one position each, `unsigned long`s that only grow (and wrap at 4 GiB on a 32-bit kernel); behind them is
//! the data, mapped twice in a row so that no record is cut at the end. A record is a header of 8 bytes, whose first word is
//! the length with two flag bits, and its content, padded to 8 bytes.

use super::Record;
use crate::sys::{Kernel, MapFd, Shared, Sys};

/// `BPF_RINGBUF_BUSY_BIT`: reserved and not yet committed.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`
const DISCARD: u32 = 1 << 30;
/// `BPF_RINGBUF_HDR_SZ`
const HEADER: usize = 8;

/// A mapped ring buffer.
pub(super) struct Ring {
    /// The consumer's page.
    pub(super) consumer: Shared,
    /// The producer's page and the data, twice.
    pub(super) producer: Shared,
    /// Bytes of a page.
    pub(super) page: usize,
    /// Bytes of the data, a power of two.
    pub(super) size: usize,
}

impl Ring {
    /// Maps the ring buffer `map` of `size` bytes.
    pub(super) fn open<K: Kernel>(kernel: &mut K, map: &MapFd, size: u32, page: u32) -> Sys<Ring> {
        let consumer = kernel.map_shared(map.fd(), 0, page as usize, true)?;
        let len = (size as usize).saturating_mul(2).saturating_add(page as usize);
        let producer = kernel.map_shared(map.fd(), page, len, false)?;
        Ok(Ring { consumer, producer, page: page as usize, size: size as usize })
    }

    /// Where the producer is now.
    pub(super) fn end(&self) -> usize {
        self.producer.load_long(0)
    }

    /// Takes the next record before `end`. `None` at `end` and before a record that is not yet committed.
    pub(super) fn next<'s>(&self, end: usize, scratch: &'s mut [u8]) -> Option<Record<'s>> {
        loop {
            let at = self.consumer.load_long(0);
            let left = end.wrapping_sub(at);
            if left == 0 || left > self.size {
                return None;
            }
            let place = self.page.wrapping_add(at & self.size.wrapping_sub(1));
            let header = self.producer.load_u32(place);
            if header & BUSY != 0 {
                return None;
            }
            let len = (header & !DISCARD) as usize;
            let next = at.wrapping_add(len.wrapping_add(HEADER).next_multiple_of(8));
            let taken = scratch
                .get_mut(..len)
                .is_some_and(|s| header & DISCARD != 0 || self.producer.copy(place.wrapping_add(HEADER), s));
            self.consumer.store_long(0, next);
            if header & DISCARD == 0 {
                return Some(match scratch.get(..len).filter(|_| taken) {
                    Some(bytes) => Record::Event(bytes),
                    None => Record::TooLong,
                });
            }
        }
    }
}
