//! The bytes of a BTF blob, read piece by piece: of a file at offsets, so that a kernel's five megabytes need not be in
//! memory at once, or of memory, where an image was unpacked anyway.
//!
//! The file is read and not mapped: one that is cut while in use gives an error and no fault.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Where the bytes are.
pub enum Source<'a> {
    /// A file that can be read at any offset, and its length in bytes.
    File(File, u64),
    /// Bytes at hand.
    Memory(&'a [u8]),
}

impl Source<'_> {
    /// The file at `path`, if it is a regular file that begins as raw BTF does; `None` for any other (an image, a pipe).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn raw(path: &Path) -> Result<Option<Source<'static>>> {
        let shown = || format!("{}: cannot read", path.display());
        let file = File::open(path).with_context(|| format!("{}: cannot open", path.display()))?;
        let meta = file.metadata().with_context(shown)?;
        if !meta.is_file() {
            return Ok(None);
        }
        let mut magic = Vec::new();
        (&file).take(2).read_to_end(&mut magic).with_context(shown)?;
        let raw = matches!(magic[..], [0x9f, 0xeb] | [0xeb, 0x9f]);
        Ok(raw.then_some(Source::File(file, meta.len())))
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Source::File(_, len) => *len,
            Source::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `len` bytes at `at`. Those of a file are read into `buffer`, whose former content is lost.
    ///
    /// # Errors
    /// They lie outside, or the file cannot be read.
    pub fn read<'b>(&'b self, at: u64, len: usize, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let outside = || format!("bytes {at:#x} to {:#x} lie outside", u128::from(at) + len as u128);
        ensure!(at.checked_add(len as u64).is_some_and(|end| end <= self.len()), outside());
        match self {
            Source::File(file, _) => {
                if buffer.len() < len {
                    buffer.resize(len, 0);
                }
                file.read_exact_at(&mut buffer[..len], at).context("cannot read, or cut while in use")?;
                Ok(&buffer[..len])
            }
            Source::Memory(bytes) => {
                bytes.get(at as usize..).and_then(|b| b.get(..len)).with_context(outside)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_memory_give_the_same_and_refuse_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.btf");
        let bytes = [0x9f, 0xeb, 1, 2, 3, 4];
        std::fs::write(&path, bytes).unwrap();
        let file = Source::raw(&path).unwrap().unwrap();
        let mut buffer = Vec::new();
        for source in [&file, &Source::Memory(&bytes)] {
            assert_eq!(source.read(2, 3, &mut buffer).unwrap(), [1, 2, 3]);
            assert!(source.read(6, 0, &mut buffer).unwrap().is_empty());
            assert!(source.read(4, 3, &mut buffer).is_err());
            assert!(source.read(u64::MAX, 2, &mut buffer).is_err());
        }
        std::fs::write(&path, &bytes[..3]).unwrap();
        assert!(file.read(2, 3, &mut buffer).is_err(), "cut while in use");
        std::fs::write(&path, b"\x7fELF").unwrap();
        assert!(Source::raw(&path).unwrap().is_none());
        assert!(Source::raw("/dev/null".as_ref()).unwrap().is_none());
    }
}
