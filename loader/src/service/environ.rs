//! Variables of the environment, by `/proc/self/environ`.

use crate::sys::{Fd, Kernel, Open};
use heapless::String;

/// Longest value that is taken: a socket's path has 107 bytes at most.
pub(super) const LONGEST: usize = 108;
/// Bytes that are looked at at once: a name and a value.
const CHUNK: usize = 160;

/// A variable; `None` where it is not set, is longer than [`LONGEST`], or `/proc` is not there.
pub(super) fn variable<K: Kernel>(kernel: &mut K, name: &str) -> Option<String<LONGEST>> {
    let fd = kernel.open(c"/proc/self/environ", Open::Read).ok()?;
    let found = find(kernel, fd, name);
    kernel.close(fd);
    found
}

fn find<K: Kernel>(kernel: &mut K, fd: Fd, name: &str) -> Option<String<LONGEST>> {
    let mut at = 0u32;
    // inside a variable that is longer than a chunk
    let mut inside = false;
    loop {
        let mut text = [0; CHUNK];
        let n = kernel.read_at(fd, at, &mut text).ok()?;
        let bytes = text.get(..n).filter(|b| !b.is_empty())?;
        let entry = bytes.split(|&b| b == 0).next()?;
        let whole = entry.len() < bytes.len();
        let value = core::str::from_utf8(entry).ok().and_then(|e| e.strip_prefix(name)?.strip_prefix('='));
        if let Some(value) = value
            && whole
            && !inside
        {
            return value.try_into().ok();
        }
        inside = !whole;
        at = at.saturating_add(entry.len() as u32).saturating_add(whole.into());
    }
}
