//! ELF relocations of BPF objects. Source: `Elf64_Rel`, `include/uapi/linux/elf.h`; `Documentation/bpf/llvm_reloc.rst`.

use crate::bytes::Bytes;
use crate::error::Result;

/// Bytes of a record.
pub(super) const REL_LEN: usize = 16;
/// On an `ld_imm64`.
pub const R_BPF_64_64: u32 = 1;
/// A 64-bit datum; on a call, what early versions of clang wrote for [`R_BPF_64_32`].
pub const R_BPF_64_ABS64: u32 = 2;
/// On a call.
pub const R_BPF_64_32: u32 = 10;

/// One relocation. Its addend stands in the instruction or datum that it patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rel {
    /// Where, in bytes from the start of the section that is patched.
    pub offset: u64,
    /// Number of the symbol.
    pub symbol: u32,
    /// `R_BPF_*`.
    pub kind: u32,
}

/// The records of one `SHT_REL` section.
#[derive(Clone, Copy, Debug)]
pub struct Rels<'a> {
    pub(super) bytes: Bytes<'a>,
}

impl<'a> Rels<'a> {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.bytes.len() / REL_LEN
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Record number `index`.
    pub fn get(&self, index: usize) -> Result<Rel> {
        let at = index.saturating_mul(REL_LEN);
        let info = self.bytes.u64(at.saturating_add(8))?;
        Ok(Rel { offset: self.bytes.u64(at)?, symbol: (info >> 32) as u32, kind: info as u32 })
    }

    /// All records, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = Rel> + use<'a> {
        let rels = *self;
        (0..rels.len()).map_while(move |i| rels.get(i).ok())
    }
}
