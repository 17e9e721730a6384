//! The compressions that kernels use, as one function with a limit on what comes out.
//!
//! gzip, xz (with BCJ filters), lzma-alone, zstd, bzip2, and lz4 in the legacy frame that the kernel's build makes and in the
//! newer one that U-Boot's images hold, all in pure Rust. LZO is named in the error, not read.
//!
//! Sources: RFC 1952; the .xz file format 1.2; RFC 8878; `lib/decompress_unlz4.c` for the legacy lz4 frame;
//! `doc/lz4_Frame_format.md` of lz4 for the newer.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};

use anyhow::{Context, Result, anyhow, bail};

/// The most that one layer may expand to, in bytes. The largest vmlinux with full debug information is below half of it.
pub const MAX_OUTPUT: usize = 1 << 30;

/// The largest window or dictionary that a stream may ask for, in KiB. `zstd --ultra -22` and the kernel's xz both use
/// 128 MiB at most.
const MAX_WINDOW_KIB: u32 = 256 * 1024;

/// Bytes between two calls of the progress function.
const STEP: usize = 1 << 20;

/// A block of the legacy lz4 frame expands to at most this many bytes (`LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE`).
const LZ4_LEGACY_BLOCK: usize = 8 << 20;

const LZ4_LEGACY_MAGIC: u32 = 0x184c_2102;

/// A compression that is told by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 1952.
    Gzip,
    /// The .xz container.
    Xz,
    /// The older .lzma container: no magic, a properties byte and a dictionary size.
    Lzma,
    /// RFC 8878.
    Zstd,
    /// The legacy lz4 frame, which is what the kernel's build makes.
    Lz4,
    /// The lz4 frame of today, which `lz4` makes unless it is told otherwise.
    Lz4Frame,
    /// bzip2, up to Linux 4.x and in U-Boot's images.
    Bzip2,
    /// Recognised to name it in an error.
    Lzo,
}

impl Format {
    /// The magic bytes of those that have one.
    pub(crate) const MAGICS: [(&'static [u8], Format); 7] = [
        (&[0x1f, 0x8b, 0x08], Format::Gzip),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0x00], Format::Xz),
        (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
        (&[0x02, 0x21, 0x4c, 0x18], Format::Lz4),
        (&[0x04, 0x22, 0x4d, 0x18], Format::Lz4Frame),
        (&[0x89, b'L', b'Z', b'O', 0x00, 0x0d, 0x0a, 0x1a, 0x0a], Format::Lzo),
        (b"BZh", Format::Bzip2),
    ];

    /// What the first bytes say. lzma-alone counts only with the properties that the kernel's build and `xz
    /// --format=lzma` write, for it has no magic of its own.
    pub fn detect(bytes: &[u8]) -> Option<Format> {
        if let Some((_, format)) = Format::MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Some(*format);
        }
        is_lzma_alone(bytes).then_some(Format::Lzma)
    }

    /// The name in `CONFIG_KERNEL_*`, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Format::Gzip => "gzip",
            Format::Xz => "xz",
            Format::Lzma => "lzma",
            Format::Zstd => "zstd",
            Format::Lz4 | Format::Lz4Frame => "lz4",
            Format::Lzo => "lzo",
            Format::Bzip2 => "bzip2",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Properties 0x5d (lc 3, lp 0, pb 2) or 0x6d (lc 1, lp 2, pb 2, OpenWrt's), a dictionary of 2^n or 2^n + 2^(n-1) bytes, and a length that is unknown or sane.
fn is_lzma_alone(bytes: &[u8]) -> bool {
    let Some(&[props, d0, d1, d2, d3, ref length @ ..]) = bytes.first_chunk::<13>() else { return false };
    let dictionary = u32::from_le_bytes([d0, d1, d2, d3]);
    let length = u64::from_le_bytes(*length);
    let round =
        dictionary.is_power_of_two() || (dictionary.is_multiple_of(3) && (dictionary / 3).is_power_of_two());
    matches!(props, 0x5d | 0x6d)
        && round
        && dictionary >= 4096
        && (length == u64::MAX || length <= MAX_OUTPUT as u64)
}

/// Expands the one stream that `bytes` begins with; what follows it is not looked at.
///
/// `progress` is told the bytes that came out so far, about once in a MiB.
///
/// # Errors
/// Corrupt or truncated data with the offset in `bytes` reached, more than `limit` bytes of output, or a compression that
/// is not read.
pub fn decompress(
    format: Format,
    bytes: &[u8],
    limit: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<u8>> {
    if format == Format::Lz4 {
        return lz4_legacy(bytes, limit, progress);
    }
    if format == Format::Lzo {
        bail!("lzo compression is not read; unpack it first (lzop -d) and give the result");
    }
    let at = Cell::new(0);
    let source = Source { bytes, at: &at };
    let out = match format {
        Format::Zstd => zstd(source, limit, progress),
        _ => stream(format, source).and_then(|reader| collect(reader, limit, progress)),
    };
    out.with_context(|| format!("{format} stream broken near byte {:#x} of {:#x}", at.get(), bytes.len()))
}

/// What `source` expands to, as a stream; of a zstd frame the checksum is not compared.
///
/// # Errors
/// A header that asks for too much memory, or a compression that comes in no stream here.
pub(crate) fn stream<'a>(format: Format, source: impl BufRead + 'a) -> Result<Box<dyn Read + 'a>> {
    Ok(match format {
        Format::Gzip => Box::new(flate2::bufread::GzDecoder::new(source)),
        Format::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(source, false, MAX_WINDOW_KIB)),
        Format::Lzma => Box::new(lzma_rust2::LzmaReader::new_mem_limit(source, MAX_WINDOW_KIB, None)?),
        Format::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(source)),
        Format::Lz4Frame => Box::new(lz4_flex::frame::FrameDecoder::new(source)),
        Format::Zstd => {
            let window = u64::from(MAX_WINDOW_KIB) * 1024;
            Box::new(ruzstd::decoding::StreamingDecoder::new_with_max_window_size(source, window)?)
        }
        Format::Lz4 | Format::Lzo => bail!("{format} is not read as a stream"),
    })
}

/// One frame. The decoder computes the frame's checksum but leaves it to its caller to compare.
fn zstd(source: Source, limit: usize, progress: &mut dyn FnMut(usize)) -> Result<Vec<u8>> {
    let window = u64::from(MAX_WINDOW_KIB) * 1024;
    let mut reader = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(source, window)?;
    let out = collect(&mut reader, limit, progress)?;
    match (reader.decoder.get_checksum_from_data(), reader.decoder.get_calculated_checksum()) {
        (Some(stated), Some(found)) if stated != found => {
            bail!("checksum is {found:#010x}, the frame says {stated:#010x}")
        }
        _ => Ok(out),
    }
}

/// Reads to the end of the stream, refusing to pass `limit`.
fn collect(mut reader: impl Read, limit: usize, progress: &mut dyn FnMut(usize)) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let room = limit.saturating_sub(out.len());
        // One byte more than the limit tells "exactly the limit" from "more than it".
        let step = STEP.min(room.saturating_add(1)) as u64;
        // As text: some decoders' errors print their causes and have them as sources too.
        let n = reader.by_ref().take(step).read_to_end(&mut out).map_err(|error| anyhow!("{error}"))?;
        if out.len() > limit {
            bail!("expands to more than {limit} bytes, which no kernel does; refused");
        }
        if n == 0 {
            return Ok(out);
        }
        progress(out.len());
    }
}

/// The legacy frame: a magic, then blocks of a length and an lz4 block, up to the end of the data.
///
/// The kernel's build appends the uncompressed length as a last word, which must not be read as a block's length; like
/// the kernel's own reader, this takes a last word with nothing behind it for that.
fn lz4_legacy(bytes: &[u8], limit: usize, progress: &mut dyn FnMut(usize)) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 4;
    let mut block = vec![0; LZ4_LEGACY_BLOCK];
    while let Some(raw) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let length = u32::from_le_bytes(*raw);
        if at + 4 == bytes.len() || length == 0 {
            break;
        }
        if length == LZ4_LEGACY_MAGIC {
            at += 4;
            continue;
        }
        let start = at + 4;
        let data =
            (start.checked_add(length as usize)).and_then(|end| bytes.get(start..end)).ok_or_else(|| {
                anyhow!("lz4 stream: the block at {at:#x} claims {length:#x} bytes, past the end")
            })?;
        let n = lz4_flex::block::decompress_into(data, &mut block)
            .with_context(|| format!("lz4 stream broken in the block at {at:#x}"))?;
        if out.len() + n > limit {
            bail!("expands to more than {limit} bytes, which no kernel does; refused");
        }
        out.extend_from_slice(&block[..n]);
        progress(out.len());
        at = start + data.len();
    }
    if out.is_empty() {
        bail!("lz4 stream: ends at byte {at:#x} before its first block");
    }
    Ok(out)
}

/// A reader over a slice that tells, from outside the decoder that owns it, how far it was read.
struct Source<'a> {
    bytes: &'a [u8],
    at: &'a Cell<usize>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.bytes.get(self.at.get()..).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.at.set(self.at.get() + n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_limit_is_exact() {
        let packed = gzip(&[7; 5000]);
        assert_eq!(decompress(Format::Gzip, &packed, 5000, &mut |_| {}).unwrap().len(), 5000);
        let error = decompress(Format::Gzip, &packed, 4999, &mut |_| {}).unwrap_err();
        assert!(format!("{error:#}").contains("more than 4999 bytes"), "{error:#}");
    }

    #[test]
    fn lz4_legacy_takes_the_length_word_behind_it() {
        let data: Vec<u8> = (0..40_000u32).flat_map(|i| (i / 9).to_le_bytes()).collect();
        let block = lz4_flex::block::compress(&data);
        let mut packed = LZ4_LEGACY_MAGIC.to_le_bytes().to_vec();
        packed.extend((block.len() as u32).to_le_bytes());
        packed.extend(block);
        assert_eq!(Format::detect(&packed), Some(Format::Lz4));
        assert_eq!(decompress(Format::Lz4, &packed, MAX_OUTPUT, &mut |_| {}).unwrap(), data);
        packed.extend((data.len() as u32).to_le_bytes());
        assert_eq!(decompress(Format::Lz4, &packed, MAX_OUTPUT, &mut |_| {}).unwrap(), data);
        assert!(decompress(Format::Lz4, &packed[..packed.len() - 9], MAX_OUTPUT, &mut |_| {}).is_err());
    }

    #[test]
    fn a_wrong_zstd_checksum_is_an_error() {
        let mut packed =
            ruzstd::encoding::compress_to_vec(&b"abcd"[..], ruzstd::encoding::CompressionLevel::Uncompressed);
        assert_eq!(decompress(Format::Zstd, &packed, MAX_OUTPUT, &mut |_| {}).unwrap(), b"abcd");
        let at = packed.windows(4).position(|w| w == b"abcd").unwrap();
        packed[at] = b'X';
        let error = decompress(Format::Zstd, &packed, MAX_OUTPUT, &mut |_| {}).unwrap_err();
        assert!(format!("{error:#}").contains("checksum"), "{error:#}");
    }

    #[test]
    fn a_cut_stream_says_where() {
        let packed = gzip(&(0..9999u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
        let error = decompress(Format::Gzip, &packed[..100], MAX_OUTPUT, &mut |_| {}).unwrap_err();
        assert!(format!("{error:#}").contains("of 0x64"), "{error:#}");
    }
}
