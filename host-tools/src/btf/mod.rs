//! BTF that owns its bytes, and what is made of it for people ([`dump`]).
//!
//! Core reads BTF in place and never allocates: bytes and index come from its caller. [`OwnedBtf`] is that caller: it holds
//! both beside the [`Btf`] that looks into them, so that the blob is checked once and every later [`OwnedBtf::view`] is a copy
//! of a few words.

mod distilled;
pub mod dump;
pub mod excerpt;
pub mod layout;
pub mod modules;
pub mod name;
pub mod shape;
mod source;

pub use source::Source;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use corelet_core::btf::{Btf, Header};
use corelet_core::error::{Error, Part};
use self_cell::{MutBorrow, self_cell};

use crate::kernel::Kernel;

struct Owner {
    bytes: Vec<u8>,
    index: MutBorrow<Vec<u32>>,
    base: Option<Arc<OwnedBtf>>,
}

self_cell!(
    struct Cell {
        owner: Owner,
        #[covariant]
        dependent: Btf,
    }
);

/// A checked BTF blob with its bytes and index. Cheap to share in an [`Arc`], also between threads.
pub struct OwnedBtf(Cell);

impl OwnedBtf {
    /// Reads the BTF out of `path`: raw BTF, an ELF file with a `.BTF` section, or a kernel image. The pointer size is the
    /// kernel's where the file says it, else guessed from an integer named `long`, else 8 bytes.
    ///
    /// The file is read, not mapped: one that is cut while in use must not be a fault.
    ///
    /// # Errors
    /// With the path, and the byte offset in the BTF where it is malformed.
    pub fn open(path: &Path) -> Result<OwnedBtf> {
        let kernel = Kernel::open(path, &mut |_, _| {})?;
        let file = || path.display().to_string();
        let btf = OwnedBtf::from_bytes(kernel.btf().with_context(file)?.to_vec()).with_context(file)?;
        Ok(match kernel.identity().pointer_size {
            Some(size) => btf.with_pointer_size(size),
            None => btf,
        })
    }

    /// Checks `bytes` and indexes them. The pointer size is guessed, 8 bytes where nothing tells.
    ///
    /// # Errors
    /// [`BadBtf`], with the offset in `bytes`.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<OwnedBtf, BadBtf> {
        OwnedBtf::build(bytes, None)
    }

    /// The same for split BTF (a module's), whose ids continue those of `base`.
    ///
    /// # Errors
    /// [`BadBtf`], with the offset in `bytes`.
    pub fn from_split(bytes: Vec<u8>, base: Arc<OwnedBtf>) -> Result<OwnedBtf, BadBtf> {
        OwnedBtf::build(bytes, Some(base))
    }

    fn build(bytes: Vec<u8>, base: Option<Arc<OwnedBtf>>) -> Result<OwnedBtf, BadBtf> {
        let count = Btf::count(&bytes).map_err(|error| BadBtf::locate(error, &bytes))?;
        let owner = Owner { bytes, index: MutBorrow::new(vec![0; count]), base };
        let cell = Cell::try_new(owner, |owner| {
            let base = owner.base.as_deref().map(|base| base.0.borrow_dependent());
            let btf = Btf::parse_split(&owner.bytes, owner.index.borrow_mut(), base)
                .map_err(|error| BadBtf::locate(error, &owner.bytes))?;
            Ok(match btf.guess_pointer_size() {
                Some(size) if base.is_none() => btf.with_pointer_size(size),
                _ => btf,
            })
        })?;
        Ok(OwnedBtf(cell))
    }

    /// The same types with pointers of `size` bytes.
    pub fn with_pointer_size(mut self, size: u8) -> OwnedBtf {
        self.0.with_dependent_mut(|_, btf| *btf = btf.with_pointer_size(size));
        self
    }

    /// The types.
    pub fn view(&self) -> Btf<'_> {
        *self.0.borrow_dependent()
    }

    /// The blob.
    pub fn bytes(&self) -> &[u8] {
        &self.0.borrow_owner().bytes
    }
}

impl fmt::Debug for OwnedBtf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedBtf")
            .field("bytes", &self.bytes().len())
            .field("ids", &(self.view().id_start()..self.view().id_end()))
            .finish()
    }
}

/// Why a blob is no BTF, and where in the blob.
#[derive(Debug)]
pub struct BadBtf {
    /// What core said. Its own offsets are from the start of a part.
    pub error: Error,
    /// The same place in bytes from the start of the blob, where the error has one.
    pub offset: Option<u64>,
}

impl BadBtf {
    fn locate(error: Error, bytes: &[u8]) -> BadBtf {
        BadBtf::place(error, Header::parse(bytes).ok().as_ref(), bytes.len() as u64)
    }

    /// `error` in a blob of `len` bytes and of this header, where it has a proper one.
    fn place(error: Error, header: Option<&Header>, len: u64) -> BadBtf {
        let offset = || {
            let (part, at) = match error {
                Error::Truncated { part, at }
                | Error::BadString { part, at }
                | Error::BadValue { part, at, .. } => (part, at),
                Error::BadMagic { .. } | Error::UnknownVersion { .. } => return Some(0),
                _ => return None,
            };
            let start = match part {
                Part::BtfHeader => return Some(at.into()),
                Part::BtfTypes => header?.type_off,
                Part::BtfStrings => header?.str_off,
                Part::BtfLayout => header?.layout_off,
                _ => return None,
            };
            let offset = u64::from(header?.hdr_len) + u64::from(start) + u64::from(at);
            // a part that starts outside the blob is wanting from the blob's end on
            Some(offset.min(len))
        };
        BadBtf { offset: offset(), error }
    }
}

impl fmt::Display for BadBtf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "malformed BTF at byte {offset} of it: {}", self.error),
            None => write!(f, "malformed BTF: {}", self.error),
        }
    }
}

impl std::error::Error for BadBtf {}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::btf::Kind;

    /// A little-endian blob of one INT `long`, of `size` bytes.
    pub(super) fn long(size: u32) -> Vec<u8> {
        let mut b = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, 16, 16, 6, 1, 1 << 24, size, (1 << 24) | (size * 8)] {
            b.extend(u32::to_le_bytes(word));
        }
        b.extend(b"\0long\0");
        b
    }

    #[test]
    fn views_outlive_moves_and_know_the_pointer_size() {
        let btf = OwnedBtf::from_bytes(long(4)).unwrap();
        let moved = Box::new(btf);
        assert_eq!(moved.view().pointer_size(), 4);
        assert_eq!(moved.view().find("long", Kind::Int).unwrap().size(), 4);
        assert_eq!(moved.with_pointer_size(8).view().pointer_size(), 8);
    }

    #[test]
    fn errors_say_where_in_the_blob() {
        let whole = long(8);
        for cut in 0..whole.len() {
            let e = OwnedBtf::from_bytes(whole[..cut].to_vec()).unwrap_err();
            assert!(e.offset.is_some_and(|at| at <= cut as u64), "{cut}: {e}");
        }
        let mut name = whole;
        name[24] = 200;
        let e = OwnedBtf::from_bytes(name).unwrap_err();
        assert_eq!(e.offset, Some(24 + 16 + 6), "{e}");
    }
}
