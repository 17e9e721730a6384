//! The consumer's side of a perf event array: a perf buffer for each CPU. `include/uapi/linux/perf_event.h`,
//! `struct perf_event_mmap_page`.
//!
//! The first page holds the positions, 64-bit numbers that only grow; of them a kernel uses an `unsigned long`. The pages
//! behind are the data, in which a record may be cut at the end and go on at the start.

use super::Record;
use crate::sys::{Errno, Fd, Kernel, MapFd, PerfCommand, PerfSpec, Shared, Sys};

/// `data_head`, the kernel's position.
const HEAD: usize = 1024 + LOW;
/// `data_tail`, ours.
const TAIL: usize = 1032 + LOW;
/// Where the low word of a 64-bit number is that a 32-bit machine accesses.
const LOW: usize = if cfg!(all(target_endian = "big", target_pointer_width = "32")) { 4 } else { 0 };

/// `PERF_TYPE_SOFTWARE`
const SOFTWARE: u32 = 1;
/// `PERF_COUNT_SW_BPF_OUTPUT` (4.4)
const BPF_OUTPUT: u64 = 10;
/// `PERF_SAMPLE_RAW`
const SAMPLE_RAW: u64 = 1 << 10;
/// `PERF_FORMAT_LOST` (6.0): reading the event gives how many records were lost, behind its value.
const FORMAT_LOST: u64 = 1 << 4;
/// `PERF_RECORD_LOST`: id and number of lost records.
const LOST: u32 = 2;
/// `PERF_RECORD_SAMPLE`, of raw data alone: its size in four bytes, then the data, padded so that both end on a multiple of 8.
const SAMPLE: u32 = 9;
/// `struct perf_event_header`: type, misc and size.
const HEADER: usize = 8;

/// The mapped buffer of one CPU.
pub(super) struct Perf {
    pages: Shared,
    page: usize,
    /// Bytes of the data, a power of two.
    size: usize,
    fd: Fd,
    /// Whether the kernel tells how many records were lost of all.
    tells: bool,
}

impl Perf {
    /// Opens a buffer of `pages` pages on `cpu` and puts it into the array `map`; gives its descriptor too. `None` where the
    /// CPU is offline.
    pub(super) fn open<K: Kernel>(
        kernel: &mut K,
        map: &MapFd,
        cpu: u32,
        pages: u16,
        page: u32,
    ) -> Sys<Option<(Perf, Fd)>> {
        let mut spec = PerfSpec {
            kind: SOFTWARE,
            config: BPF_OUTPUT,
            sample_period: 1,
            sample_type: SAMPLE_RAW,
            read_format: FORMAT_LOST,
            wakeup_events: 1,
            ..PerfSpec::default()
        };
        let mut opened = kernel.perf_event_open(&spec, cpu);
        if opened == Err(Errno::EINVAL) {
            spec.read_format = 0;
            opened = kernel.perf_event_open(&spec, cpu);
        }
        let fd = match opened {
            Err(Errno::ENODEV) => return Ok(None),
            other => other?,
        };
        let tells = spec.read_format != 0;
        let size = usize::from(pages).saturating_mul(page as usize);
        let mut enable = || {
            let pages = kernel.map_shared(fd, 0, size.saturating_add(page as usize), true)?;
            kernel.map_update(map, &cpu.to_ne_bytes(), &fd.0.to_ne_bytes())?;
            kernel.perf_ioctl(fd, PerfCommand::Enable)?;
            Ok(Perf { pages, page: page as usize, size, fd, tells })
        };
        match enable() {
            Ok(perf) => Ok(Some((perf, fd))),
            Err(e) => {
                kernel.close(fd);
                Err(e)
            }
        }
    }

    /// How many records the kernel lost since the start, those included that no record in the buffer tells of yet, since none
    /// came behind them; 0 where it does not say.
    pub(super) fn lost<K: Kernel>(&self, kernel: &mut K) -> u64 {
        let mut value = [0; 16];
        if !self.tells || kernel.read(self.fd, &mut value) != Ok(value.len()) {
            return 0;
        }
        let [_, _, _, _, _, _, _, _, lost @ ..] = value;
        u64::from_ne_bytes(lost)
    }

    /// Where the kernel is now.
    pub(super) fn end(&self) -> usize {
        self.pages.load_long(HEAD)
    }

    /// Takes the next record before `end`.
    pub(super) fn next<'s>(&self, end: usize, scratch: &'s mut [u8]) -> Option<Record<'s>> {
        loop {
            let at = self.pages.load_long(TAIL);
            let left = end.wrapping_sub(at);
            if left == 0 || left > self.size {
                return None;
            }
            // Records are multiples of 8 bytes, so a header is never cut.
            let place = self.page.wrapping_add(at & self.size.wrapping_sub(1));
            let kind = self.pages.load_u32(place);
            let [_, _, low, high] = self.pages.load_u32(place.wrapping_add(4)).to_ne_bytes();
            let len = usize::from(u16::from_ne_bytes([low, high]));
            if len < HEADER || len > left {
                // Not what a kernel writes: everything up to `end` is given up.
                self.pages.store_long(TAIL, end);
                return None;
            }
            let body = at.wrapping_add(HEADER);
            let mut record = None;
            match kind {
                SAMPLE => {
                    let mut size = [0; 4];
                    self.copy(body, &mut size);
                    let most = len.saturating_sub(HEADER).saturating_sub(size.len());
                    let size = (u32::from_ne_bytes(size) as usize).min(most);
                    let copied = scratch.get_mut(..size).map(|s| self.copy(body.wrapping_add(4), s));
                    record = Some(copied.map(|()| size));
                }
                LOST => {
                    let mut count = [0; 8];
                    self.copy(body.wrapping_add(8), &mut count);
                    self.pages.store_long(TAIL, at.wrapping_add(len));
                    return Some(Record::Lost(u64::from_ne_bytes(count)));
                }
                _ => {}
            }
            self.pages.store_long(TAIL, at.wrapping_add(len));
            match record {
                Some(Some(size)) => return scratch.get(..size).map(Record::Event),
                Some(None) => return Some(Record::TooLong),
                None => {}
            }
        }
    }

    /// Copies from position `at`, around the end of the data if need be.
    fn copy(&self, at: usize, out: &mut [u8]) {
        let offset = at & self.size.wrapping_sub(1);
        let (first, second) =
            out.split_at_mut_checked(out.len().min(self.size.saturating_sub(offset))).unwrap_or_default();
        self.pages.copy(self.page.wrapping_add(offset), first);
        self.pages.copy(self.page, second);
    }
}
