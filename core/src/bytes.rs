//! Checked reads from untrusted bytes, in a byte order that is a value. Nothing here can panic.

use crate::error::{Error, Part, Result};

/// Byte order of a file or a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Endian {
    /// The byte order this code runs with; only for what the kernel wants in its own order.
    pub const HOST: Endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };

    /// A `u16` of two bytes.
    pub fn u16(self, b: [u8; 2]) -> u16 {
        match self {
            Endian::Little => u16::from_le_bytes(b),
            Endian::Big => u16::from_be_bytes(b),
        }
    }

    /// A `u32` of four bytes.
    pub fn u32(self, b: [u8; 4]) -> u32 {
        match self {
            Endian::Little => u32::from_le_bytes(b),
            Endian::Big => u32::from_be_bytes(b),
        }
    }

    /// Three `u32`, one after another.
    #[inline]
    pub(crate) fn three(self, bytes: &[u8; 12]) -> [u32; 3] {
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = *bytes;
        [self.u32([a0, a1, a2, a3]), self.u32([b0, b1, b2, b3]), self.u32([c0, c1, c2, c3])]
    }

    /// A `u64` of eight bytes.
    pub fn u64(self, b: [u8; 8]) -> u64 {
        match self {
            Endian::Little => u64::from_le_bytes(b),
            Endian::Big => u64::from_be_bytes(b),
        }
    }

    /// The two bytes of a `u16`.
    pub fn from_u16(self, v: u16) -> [u8; 2] {
        match self {
            Endian::Little => v.to_le_bytes(),
            Endian::Big => v.to_be_bytes(),
        }
    }

    /// The four bytes of a `u32`.
    pub fn from_u32(self, v: u32) -> [u8; 4] {
        match self {
            Endian::Little => v.to_le_bytes(),
            Endian::Big => v.to_be_bytes(),
        }
    }
}

/// The pieces of `size` bytes, the rest left out; none of size 0, for which `chunks_exact` would bring its panic.
pub(crate) fn pieces(bytes: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    let count = bytes.len().checked_div(size).unwrap_or(0);
    (0..count).map_while(move |i| bytes.get(i.saturating_mul(size)..)?.get(..size))
}

/// A window over untrusted bytes that knows its byte order and what part of a file it is.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    data: &'a [u8],
    endian: Endian,
    part: Part,
}

impl<'a> Bytes<'a> {
    /// A window over `data`; `part` names it in errors.
    pub fn new(data: &'a [u8], endian: Endian, part: Part) -> Self {
        Bytes { data, endian, part }
    }

    /// The bytes themselves.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// `len` bytes from `at`.
    pub fn slice(&self, at: usize, len: usize) -> Result<&'a [u8]> {
        at.checked_add(len)
            .and_then(|end| self.data.get(at..end))
            .ok_or(Error::Truncated { part: self.part, at: at.min(u32::MAX as usize) as u32 })
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        let s = self.slice(at, N)?;
        s.try_into().map_err(|_| Error::Truncated { part: self.part, at: at as u32 })
    }

    /// The byte at `at`.
    pub fn u8(&self, at: usize) -> Result<u8> {
        Ok(self.array::<1>(at)?[0])
    }

    /// The `u16` at `at`.
    pub fn u16(&self, at: usize) -> Result<u16> {
        Ok(self.endian.u16(self.array(at)?))
    }

    /// The `u32` at `at`.
    pub fn u32(&self, at: usize) -> Result<u32> {
        Ok(self.endian.u32(self.array(at)?))
    }

    /// The `u64` at `at`.
    pub fn u64(&self, at: usize) -> Result<u64> {
        Ok(self.endian.u64(self.array(at)?))
    }

    /// The NUL-terminated UTF-8 string at `at`, without its NUL.
    pub fn cstr(&self, at: usize) -> Result<&'a str> {
        let bad = Error::BadString { part: self.part, at: at.min(u32::MAX as usize) as u32 };
        let rest = self.data.get(at..).ok_or(bad)?;
        let end = rest.iter().position(|&b| b == 0).ok_or(bad)?;
        core::str::from_utf8(rest.get(..end).ok_or(bad)?).map_err(|_| bad)
    }
}
