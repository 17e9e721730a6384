//! The header of a `.BTF` section: 24 bytes, or 32 with the layout section of kernel 7.1.
//! Source: `struct btf_header`, `include/uapi/linux/btf.h`.

use crate::bytes::Endian;
use crate::error::{Error, Part, Result};

/// The first two bytes, in the file's byte order.
pub const MAGIC: u16 = 0xeb9f;
/// Length of the header that kernels before 7.1 write.
const MIN_LEN: u32 = 24;
/// Length of the header with the layout section.
const LAYOUT_LEN: u32 = 32;

/// Where the parts of a BTF blob are. Offsets are from the end of the header.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Byte order of the whole blob.
    pub endian: Endian,
    /// Length of the header in bytes.
    pub hdr_len: u32,
    /// Start of the type section.
    pub type_off: u32,
    /// Bytes of the type section.
    pub type_len: u32,
    /// Start of the strings.
    pub str_off: u32,
    /// Bytes of the strings.
    pub str_len: u32,
    /// Start of the layout section, 0 in an old header.
    pub layout_off: u32,
    /// Bytes of the layout section, 0 where there is none.
    pub layout_len: u32,
}

impl Header {
    /// Reads the header at the start of `data`.
    ///
    /// # Errors
    /// [`Error::BadMagic`], [`Error::UnknownVersion`], [`Error::Truncated`]; a `hdr_len` below 24 is [`Error::BadValue`].
    pub fn parse(data: &[u8]) -> Result<Header> {
        let header = Header::start(data)?;
        if header.hdr_len as usize > data.len() {
            return Err(Error::Truncated { part: Part::BtfHeader, at: data.len() as u32 });
        }
        Ok(header)
    }

    /// The same of the first 32 bytes, where the rest is not at hand: a header may be longer.
    pub(crate) fn start(data: &[u8]) -> Result<Header> {
        let short = Error::Truncated { part: Part::BtfHeader, at: data.len() as u32 };
        let endian = match data {
            [0x9f, 0xeb, ..] => Endian::Little,
            [0xeb, 0x9f, ..] => Endian::Big,
            [a, b, ..] => {
                return Err(Error::BadMagic {
                    part: Part::BtfHeader,
                    found: u16::from_le_bytes([*a, *b]) as u32,
                });
            }
            _ => return Err(short),
        };
        let mut words = [0u32; 8];
        for (word, bytes) in words.iter_mut().zip(data.as_chunks().0) {
            *word = endian.u32(*bytes);
        }
        let [_, hdr_len, type_off, type_len, str_off, str_len, mut layout_off, mut layout_len] = words;
        let version = data.get(2).copied().unwrap_or(0);
        if data.len() < MIN_LEN as usize {
            return Err(short);
        }
        if version != 1 {
            return Err(Error::UnknownVersion { found: version.into() });
        }
        if hdr_len < MIN_LEN {
            return Err(Error::BadValue { part: Part::BtfHeader, at: 4, found: hdr_len });
        }
        if hdr_len < LAYOUT_LEN {
            (layout_off, layout_len) = (0, 0);
        }
        Ok(Header { endian, hdr_len, type_off, type_len, str_off, str_len, layout_off, layout_len })
    }

    /// The bytes of a part that starts `off` behind the header.
    pub(crate) fn part<'a>(&self, data: &'a [u8], off: u32, len: u32, part: Part) -> Result<&'a [u8]> {
        let start = (self.hdr_len as usize).saturating_add(off as usize);
        data.get(start..).and_then(|d| d.get(..len as usize)).ok_or(Error::Truncated { part, at: off })
    }
}
