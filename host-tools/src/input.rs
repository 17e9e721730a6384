//! Reading a file that is asked for by name: whole, and never more than such a file can be.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The largest pack, loader or script that is read, in bytes.
pub(crate) const MAX_FILE: u64 = 256 << 20;

/// The bytes of the file at `path`, which may be a pipe.
///
/// # Errors
/// With the path: it cannot be read, or holds more than `limit` bytes (`/dev/zero` never ends).
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_by_head(path, 0, |_| limit)
}

/// The same where the first `head` bytes tell how many there may be.
pub(crate) fn read_by_head(path: &Path, head: usize, limit: impl FnOnce(&[u8]) -> u64) -> Result<Vec<u8>> {
    let shown = path.display();
    let mut file = File::open(path).with_context(|| format!("{shown}: cannot open"))?;
    // of a pipe the length is 0
    let len = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::with_capacity(len.min(MAX_FILE) as usize + 1);
    let mut read = |bytes: &mut Vec<u8>, count| {
        file.by_ref().take(count).read_to_end(bytes).with_context(|| format!("{shown}: cannot read"))
    };
    read(&mut bytes, head as u64)?;
    let limit = limit(&bytes);
    let rest = (limit + 1).saturating_sub(bytes.len() as u64);
    read(&mut bytes, rest)?;
    if bytes.len() as u64 > limit {
        bail!("{shown}: has more than {} MiB: is it the file you mean?", limit >> 20);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused() {
        let error = read_file("/dev/zero".as_ref(), 1 << 20).unwrap_err().to_string();
        assert!(error.contains("more than 1 MiB"), "{error}");
        assert!(read_file("/dev/null".as_ref(), 0).unwrap().is_empty());
    }
}
