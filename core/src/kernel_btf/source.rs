//! Where the bytes come from, and what reading took.

use crate::error::Result;

/// A kernel's BTF files, read at any place. File 0 is the kernel's own.
pub trait Source {
    /// Reads bytes from `at` on into `into`: how many, which may be less than fit; 0 at the end.
    fn read_at(&mut self, file: u8, at: u32, into: &mut [u8]) -> Result<usize>;

    /// Makes the next loaded module's BTF file number `file`, in the place of the one that had this number; `false` after the
    /// last. A module that is to be kept has its number no more given away.
    fn next_module(&mut self, file: u8) -> Result<bool>;
}

/// What reading took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes read.
    pub bytes: u32,
    /// Reads.
    pub reads: u32,
    /// Modules looked into.
    pub modules: u32,
    /// Types kept.
    pub types: u32,
    /// Bytes of the caller's memory that were used, at most.
    pub peak: u32,
}
