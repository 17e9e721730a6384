//! Tracepoints by tracefs: whether an event exists, its id, and the perf event of it.

use crate::identity::number_in;
use crate::number::divide;
pub use crate::sys::until_nul;
use crate::sys::{Errno, Fd, Kernel, Open, PerfSpec, Sys};
use core::ffi::CStr;

/// `PERF_TYPE_TRACEPOINT`
const TRACEPOINT: u32 = 2;
/// Longest path or command that is put together here.
const LONGEST: usize = 192;

/// A path, or a line for a control file, NUL-terminated.
pub struct Path {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Default for Path {
    fn default() -> Path {
        Path::new()
    }
}

impl Path {
    /// An empty one.
    pub fn new() -> Path {
        Path { bytes: [0; LONGEST], len: 0 }
    }

    /// Appends text; too much makes [`Path::as_cstr`] fail.
    pub fn text(&mut self, text: &str) -> &mut Path {
        for b in text.bytes() {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = b;
            }
            self.len = self.len.saturating_add(1);
        }
        self
    }

    /// Appends a decimal number.
    pub fn number(&mut self, n: u32) -> &mut Path {
        let (rest, digit) = divide(n.into(), 10);
        if rest > 0 {
            self.number(rest as u32);
        }
        let digit = [b'0'.wrapping_add(digit as u8)];
        self.text(core::str::from_utf8(&digit).unwrap_or(""))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("")
    }

    /// The text with its NUL.
    pub fn as_cstr(&self) -> Sys<&CStr> {
        let text = until_nul(&self.bytes);
        if text.count_bytes() == self.len { Ok(text) } else { Err(Errno::EINVAL) }
    }
}

/// Where tracefs is mounted.
///
/// # Errors
/// `ENODEV` where it is nowhere.
pub fn root<K: Kernel>(kernel: &mut K) -> Sys<&'static str> {
    let places = [
        (c"/sys/kernel/tracing/events", "/sys/kernel/tracing"),
        (c"/sys/kernel/debug/tracing/events", "/sys/kernel/debug/tracing"),
    ];
    for (events, root) in places {
        match kernel.open(events, Open::Read) {
            Ok(fd) => {
                kernel.close(fd);
                return Ok(root);
            }
            Err(Errno::ENOENT) => {}
            Err(e) => return Err(e),
        }
    }
    Err(Errno::ENODEV)
}

/// The id of an event, given as `CATEGORY/NAME`.
///
/// # Errors
/// `ENOENT` where there is no such event, `ENODEV` where there is no tracefs.
pub fn event_id<K: Kernel>(kernel: &mut K, event: &str) -> Sys<u32> {
    let mut path = Path::new();
    path.text(root(kernel)?).text("/events/").text(event).text("/id");
    number_in(kernel, path.as_cstr()?)
}

/// The perf event of a tracepoint id.
pub fn open<K: Kernel>(kernel: &mut K, id: u32) -> Sys<Fd> {
    open_of(kernel, id, None)
}

/// The same, of one process only where one is named.
pub fn open_of<K: Kernel>(kernel: &mut K, id: u32, pid: Option<u32>) -> Sys<Fd> {
    // programs see every hit, whatever the period
    let spec = PerfSpec { kind: TRACEPOINT, config: id.into(), sample_period: 1, pid, ..PerfSpec::default() };
    kernel.perf_event_open(&spec, 0)
}
