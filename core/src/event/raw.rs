//! The raw stream: records as the kernel gave them, for a device without formatting. `corelet decode` prints them on the PC
//! by the pack that they are from.
//!
//! # The stream, byte by byte
//!
//! All numbers are little-endian; the contents are in the device's byte order.
//!
//! ```text
//! offset  bytes  header
//!      0      8  magic  "COREEVT\n"
//!      8      2  version of the format: 2; 1 had kinds 1 to 3 only
//!     10      1  byte order of the contents: 0 little-endian, 1 big-endian
//!     11      1  bytes of a pointer in the device's user space
//!     12      2  number of objects
//!     14      2  reserved, 0
//!     16     32  SHA-256 of each object, in the order of their numbers
//!
//!                record
//!      0      4  length of the content in bytes, at most 1 MiB
//!      4      1  kind: 1 event, 2 result, 3 end, 4 clock, 5 unit, 6 stack, 7 symbol, 8 time
//!      5      1  number of the object; 0 in an end, clock, symbol and time
//!      6      2  number of the map (event, stack), of the record in the pack's RESULTS (result, unit); else 0
//!      8         content
//!
//!                content of an event: the bytes that the program wrote; of a perf buffer with the kernel's padding
//!
//!                content of a result
//!      0      4  length of the key in bytes; 0 for a variable
//!      4         key
//!                value: to the end of the content. Per-CPU counters are summed; of other per-CPU values there is a
//!                result for each CPU
//!
//!                content of an end, which is the last record
//!      0      8  events that the kernel lost
//!      8      8  events that the output did not take
//!
//!                content of a clock, at the start and whenever the wall clock was set: both at one moment
//!      0     16  /proc/sys/kernel/random/boot_id
//!     16      8  nanoseconds of CLOCK_MONOTONIC
//!     24      8  nanoseconds of CLOCK_REALTIME since 1970
//!
//!                content of a unit: the text that names the unit of a result's histograms
//!
//!                content of a stack, which comes before the results that have its number
//!      0      4  its number
//!      4         addresses of eight bytes, the innermost first
//!
//!                content of a symbol: the name of an address in the kernel
//!      0      8  address
//!      8      8  offset in the symbol
//!     16         name
//!
//!                content of a time: the results behind it are of then
//!      0      8  nanoseconds of CLOCK_REALTIME since 1970
//! ```
//!
//! A stream without an end was cut off.

use super::out::Out;
use crate::bytes::{Bytes, Endian};
use crate::error::{Error, Part, Result};

/// First eight bytes of a stream. The newline shows a transfer that rewrote line ends.
pub const MAGIC: [u8; 8] = *b"COREEVT\n";
/// Version that this crate writes and the newest it reads.
pub const VERSION: u16 = 2;
/// Bytes of the header without the digests.
pub const HEADER_LEN: usize = 16;
/// Bytes of a digest.
pub const DIGEST_LEN: usize = 32;
/// Bytes in front of a record's content.
pub const HEAD_LEN: usize = 8;
/// Largest content that a reader takes, in bytes.
pub const MAX_CONTENT: usize = 1 << 20;

/// The fixed start of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Byte order of the contents.
    pub endian: Endian,
    /// Bytes of a pointer in the device's user space.
    pub pointer_size: u8,
    /// Number of objects, each with a digest behind the header.
    pub objects: u16,
}

impl Header {
    /// Reads the first [`HEADER_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::BadMagic`], [`Error::UnknownVersion`], [`Error::Truncated`], [`Error::BadValue`] for another byte order.
    pub fn parse(data: &[u8]) -> Result<Header> {
        let b = Bytes::new(data, Endian::Little, Part::Event);
        if b.slice(0, MAGIC.len())? != MAGIC {
            return Err(Error::BadMagic { part: Part::Event, found: b.u32(0)? });
        }
        let version = b.u16(8)?;
        if version == 0 || version > VERSION {
            return Err(Error::UnknownVersion { found: version });
        }
        let endian = match b.u8(10)? {
            0 => Endian::Little,
            1 => Endian::Big,
            found => return Err(Error::BadValue { part: Part::Event, at: 10, found: found.into() }),
        };
        b.u16(14)?;
        Ok(Header { endian, pointer_size: b.u8(11)?, objects: b.u16(12)? })
    }

    /// Writes the header; the digests follow as they are.
    pub fn put(&self, out: &mut Out<'_>) {
        out.put(&MAGIC);
        out.put(&VERSION.to_le_bytes());
        out.put(&[u8::from(self.endian == Endian::Big), self.pointer_size]);
        out.put(&self.objects.to_le_bytes());
        out.put(&[0; 2]);
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A record of a ring buffer or perf buffer.
    Event = 1,
    /// An entry of a map, or a variable.
    Result = 2,
    /// The last record, with the counts of lost events.
    End = 3,
    /// Both clocks at one moment.
    Clock = 4,
    /// The unit of a result's histograms.
    Unit = 5,
    /// The frames of a stack.
    Stack = 6,
    /// The name of an address.
    Symbol = 7,
    /// When the results behind it were read.
    Time = 8,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Event,
        Kind::Result,
        Kind::End,
        Kind::Clock,
        Kind::Unit,
        Kind::Stack,
        Kind::Symbol,
        Kind::Time,
    ];
}

/// What stands in front of a record's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the content.
    pub len: u32,
    /// What the record is.
    pub kind: Kind,
    /// Number of the object.
    pub object: u8,
    /// Number of the map or result.
    pub number: u16,
}

impl Head {
    /// Reads the first [`HEAD_LEN`] bytes of a record.
    ///
    /// # Errors
    /// [`Error::BadValue`] with the offset in the record: an unknown kind, or a content of more than [`MAX_CONTENT`].
    pub fn parse(data: &[u8; HEAD_LEN]) -> Result<Head> {
        let b = Bytes::new(data, Endian::Little, Part::Event);
        let len = b.u32(0)?;
        if len as usize > MAX_CONTENT {
            return Err(Error::BadValue { part: Part::Event, at: 0, found: len });
        }
        let found = b.u8(4)?;
        let Some(&kind) = Kind::ALL.get(usize::from(found).wrapping_sub(1)) else {
            return Err(Error::BadValue { part: Part::Event, at: 4, found: found.into() });
        };
        Ok(Head { len, kind, object: b.u8(5)?, number: b.u16(6)? })
    }

    fn put(kind: Kind, object: u8, number: u16, len: usize, out: &mut Out<'_>) {
        match u32::try_from(len) {
            Ok(len) => out.put(&len.to_le_bytes()),
            Err(_) => out.give_up(),
        }
        out.put(&[kind as u8, object]);
        out.put(&number.to_le_bytes());
    }
}

/// Writes an event of a map.
pub fn put_event(out: &mut Out<'_>, object: u8, map: u16, data: &[u8]) {
    Head::put(Kind::Event, object, map, data.len(), out);
    out.put(data);
}

/// Writes a result.
pub fn put_result(out: &mut Out<'_>, object: u8, result: u16, key: &[u8], value: &[u8]) {
    let len = key.len().saturating_add(value.len()).saturating_add(4);
    Head::put(Kind::Result, object, result, len, out);
    out.put(&(key.len() as u32).to_le_bytes());
    out.put(key);
    out.put(value);
}

/// Writes the last record.
pub fn put_end(out: &mut Out<'_>, kernel: u64, output: u64) {
    Head::put(Kind::End, 0, 0, 16, out);
    out.put(&kernel.to_le_bytes());
    out.put(&output.to_le_bytes());
}

/// Writes both clocks at one moment.
pub fn put_clock(out: &mut Out<'_>, boot_id: &[u8; 16], monotonic: u64, real: u64) {
    Head::put(Kind::Clock, 0, 0, 32, out);
    out.put(boot_id);
    out.put(&monotonic.to_le_bytes());
    out.put(&real.to_le_bytes());
}

/// Writes the unit of a result's histograms.
pub fn put_unit(out: &mut Out<'_>, object: u8, result: u16, unit: &str) {
    Head::put(Kind::Unit, object, result, unit.len(), out);
    out.put_str(unit);
}

/// Writes a stack of a map, its frames to the first 0.
pub fn put_stack(out: &mut Out<'_>, object: u8, map: u16, id: u32, frames: &[u64]) {
    let frames = frames.iter().take_while(|&&address| address != 0);
    let len = frames.clone().count().saturating_mul(8).saturating_add(4);
    Head::put(Kind::Stack, object, map, len, out);
    out.put(&id.to_le_bytes());
    frames.for_each(|address| out.put(&address.to_le_bytes()));
}

/// Writes the name of an address in the kernel.
pub fn put_symbol(out: &mut Out<'_>, address: u64, offset: u64, name: &[u8]) {
    Head::put(Kind::Symbol, 0, 0, name.len().saturating_add(16), out);
    out.put(&address.to_le_bytes());
    out.put(&offset.to_le_bytes());
    out.put(name);
}

/// Writes the time of the results behind it.
pub fn put_time(out: &mut Out<'_>, real: u64) {
    Head::put(Kind::Time, 0, 0, 8, out);
    out.put(&real.to_le_bytes());
}

/// The little-endian numbers of eight bytes that a content has from byte `from` on.
///
/// # Errors
/// [`Error::Truncated`] where there are fewer than `N`.
pub fn numbers<const N: usize>(content: &[u8], from: usize) -> Result<[u64; N]> {
    let b = Bytes::new(content, Endian::Little, Part::Event);
    let mut out = [0; N];
    let mut at = from;
    for number in &mut out {
        *number = b.u64(at)?;
        at = at.saturating_add(8);
    }
    Ok(out)
}

/// Key and value of a result's content.
///
/// # Errors
/// [`Error::Truncated`] where the key is longer than the content.
pub fn split_result(content: &[u8]) -> Result<(&[u8], &[u8])> {
    let b = Bytes::new(content, Endian::Little, Part::Event);
    let key = b.slice(4, b.u32(0)? as usize)?;
    Ok((key, content.get(key.len().saturating_add(4)..).unwrap_or(&[])))
}

/// The counts of an end's content: lost by the kernel, not taken by the output.
///
/// # Errors
/// [`Error::Truncated`] where the content is shorter.
pub fn split_end(content: &[u8]) -> Result<(u64, u64)> {
    let [kernel, output] = numbers(content, 0)?;
    Ok((kernel, output))
}
