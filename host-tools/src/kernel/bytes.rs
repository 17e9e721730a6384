//! Numbers out of untrusted bytes at an offset, in a byte order that is a value. `None` is "past the end".

use corelet_core::Endian;

/// Reads at an offset.
pub(crate) trait ReadAt {
    /// The `u16` at `at`.
    fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16>;
    /// The `u32` at `at`.
    fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32>;
    /// The `u64` at `at`.
    fn u64_at(self, bytes: &[u8], at: usize) -> Option<u64>;
}

impl ReadAt for Endian {
    fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        array(bytes, at).map(|raw| self.u16(raw))
    }

    fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        array(bytes, at).map(|raw| self.u32(raw))
    }

    fn u64_at(self, bytes: &[u8], at: usize) -> Option<u64> {
        array(bytes, at).map(|raw| self.u64(raw))
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
