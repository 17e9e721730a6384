//! The sections of an ELF file that DWARF is in: read where they are, or unpacked first.
//!
//! `.debug_info` is by far the largest and is never held whole: units are read out of the file one by one, or out of a
//! temporary file where the section is compressed. The others are held, since units refer to anywhere in them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use object::{CompressionFormat, Object, ObjectSection, ReadRef};

/// The largest section that is held in memory, in bytes. A kernel's `.debug_str` has 5 MB, its `.debug_abbrev` 6.
const MAX_HELD: u64 = 1 << 30;
/// The largest `.debug_info`, in bytes. That of an allyesconfig kernel is a tenth of it.
const MAX_INFO: u64 = 16 << 30;
/// How many times its bytes in the file a compressed section may have. Both compressions get DWARF to a third or a fifth.
const MAX_RATIO: u64 = 256;
/// The largest window of a zstd frame, as in [`crate::kernel::decompress`].
const MAX_WINDOW: u64 = 128 << 20;

/// Bytes that are read in pieces.
#[derive(Clone, Debug)]
pub(super) enum Section {
    /// A range of a file.
    File { file: Arc<File>, at: u64, len: u64 },
    /// Bytes in memory.
    Held(Arc<Vec<u8>>),
    /// `.debug_info`, and `.debug_types` of DWARF 4 behind it.
    Joined(Arc<[Section; 2]>),
}

impl Section {
    pub(super) fn len(&self) -> u64 {
        match self {
            Section::File { len, .. } => *len,
            Section::Held(bytes) => bytes.len() as u64,
            Section::Joined(both) => both.iter().map(Section::len).sum(),
        }
    }

    /// Where `.debug_types` begins: at the end, if there is none.
    pub(super) fn types_at(&self) -> u64 {
        match self {
            Section::Joined(both) => both[0].len(),
            other => other.len(),
        }
    }

    /// The end of the one that `at` is in.
    pub(super) fn end_of(&self, at: u64) -> u64 {
        if at < self.types_at() { self.types_at() } else { self.len() }
    }

    /// Fills `out` with the bytes at `at`.
    pub(super) fn read_at(&self, at: u64, out: &mut [u8]) -> Result<()> {
        ensure!(at.checked_add(out.len() as u64).is_some_and(|end| end <= self.len()), "reads past its end");
        match self {
            Section::File { file, at: start, .. } => {
                file.read_exact_at(out, start + at).context("cannot read")?
            }
            Section::Held(bytes) => out.copy_from_slice(&bytes[at as usize..][..out.len()]),
            Section::Joined(both) if at < both[0].len() => both[0].read_at(at, out)?,
            Section::Joined(both) => both[1].read_at(at - both[0].len(), out)?,
        }
        Ok(())
    }
}

/// Where a section's bytes are in the file, and how they are packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    at: u64,
    len: u64,
    packed: CompressionFormat,
    unpacked_len: u64,
}

/// The extent of section `name`, compressed or not (`.zdebug_*` of old binutils too); `None` where the file has none, or none
/// with bytes.
pub(super) fn extent<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>, name: &str) -> Result<Option<Extent>> {
    let old = || elf.section_by_name(&name.replacen(".debug_", ".zdebug_", 1));
    let Some(section) = elf.section_by_name(name).or_else(old) else { return Ok(None) };
    let range = section.compressed_file_range().with_context(|| format!("section {name}: damaged header"))?;
    if range.compressed_size == 0 {
        return Ok(None);
    }
    Ok(Some(Extent {
        at: range.offset,
        len: range.compressed_size,
        packed: range.format,
        unpacked_len: range.uncompressed_size,
    }))
}

impl Extent {
    /// The section's bytes in memory.
    ///
    /// # Errors
    /// It lies outside the file, is larger than [`MAX_HELD`], or its compressed bytes are corrupt.
    pub(super) fn hold(&self, file: &File) -> Result<Vec<u8>> {
        self.check(file, MAX_HELD)?;
        let mut out = Vec::new();
        if self.packed == CompressionFormat::None {
            out = vec![0; self.len as usize];
            file.read_exact_at(&mut out, self.at).context("cannot read")?;
        } else {
            self.unpack(file, &mut out)?;
        }
        Ok(out)
    }

    /// The section, to be read in pieces.
    ///
    /// # Errors
    /// As [`Extent::hold`]; or there is no room for a temporary file.
    pub(super) fn open(&self, file: &Arc<File>) -> Result<Section> {
        self.check(file, MAX_INFO)?;
        if self.packed == CompressionFormat::None {
            return Ok(Section::File { file: file.clone(), at: self.at, len: self.len });
        }
        let mut spool = tempfile::tempfile().context("no temporary file to unpack it into")?;
        self.unpack(file, &mut spool)?;
        spool.seek(SeekFrom::Start(0))?;
        Ok(Section::File { file: Arc::new(spool), at: 0, len: self.unpacked_len })
    }

    fn check(&self, file: &File, limit: u64) -> Result<()> {
        let size = file.metadata()?.len();
        let end = self.at.checked_add(self.len).filter(|&end| end <= size);
        ensure!(end.is_some(), "ends past the end of the file: the file is cut");
        ensure!(
            self.unpacked_len <= self.len.saturating_mul(MAX_RATIO),
            "{} bytes are said to be {} when unpacked, which no DWARF is: its header is corrupt",
            self.len,
            self.unpacked_len
        );
        ensure!(
            self.unpacked_len <= limit,
            "has {} bytes, more than the {limit} that are read",
            self.unpacked_len
        );
        Ok(())
    }

    fn unpack(&self, file: &File, out: &mut impl Write) -> Result<()> {
        let packed = Piece { file, at: self.at, left: self.len };
        let packed = std::io::BufReader::with_capacity(1 << 16, packed);
        // as text: some decoders' errors print their causes and have them as sources too
        match self.packed {
            CompressionFormat::Zlib => self.copy(&mut flate2::bufread::ZlibDecoder::new(packed), out),
            CompressionFormat::Zstandard => {
                let mut stream =
                    ruzstd::decoding::StreamingDecoder::new_with_max_window_size(packed, MAX_WINDOW)
                        .map_err(|error| anyhow!("{error}"))?;
                self.copy(&mut stream, out)
            }
            _ => bail!(
                "is compressed in a way that is not known here: unpack it with `objcopy --decompress-debug-sections`"
            ),
        }
    }

    /// Copies to the end of the stream; one byte more than its header says is an error, so nothing grows without bound.
    fn copy(&self, stream: &mut impl Read, out: &mut impl Write) -> Result<()> {
        let copied = std::io::copy(&mut stream.take(self.unpacked_len + 1), out)
            .map_err(|error| anyhow!("its compressed bytes are corrupt: {error}"))?;
        ensure!(
            copied == self.unpacked_len,
            "its compressed bytes are corrupt: {} unpacked ones instead of {}",
            if copied > self.unpacked_len { "more".to_owned() } else { copied.to_string() },
            self.unpacked_len
        );
        Ok(())
    }
}

/// The checksum of `.gnu_debuglink` over a whole file.
pub(super) fn crc(file: &File) -> Result<u32> {
    let (mut crc, mut at) = (flate2::Crc::new(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read_at(&mut piece, at).context("cannot read")?;
        if read == 0 {
            return Ok(crc.sum());
        }
        crc.update(&piece[..read]);
        at += read as u64;
    }
}

/// A range of a file as a stream.
struct Piece<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Piece<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let len = (out.len() as u64).min(self.left) as usize;
        let read = self.file.read_at(&mut out[..len], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
