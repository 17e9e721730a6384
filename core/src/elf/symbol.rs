//! ELF symbols. Source: `Elf64_Sym`, `include/uapi/linux/elf.h`.

/// Bytes of a symbol.
pub(super) const SYMBOL_LEN: usize = 24;
/// `st_shndx` of a symbol that another file defines.
pub const SHN_UNDEF: u16 = 0;
/// `st_type`: none given.
pub const STT_NOTYPE: u8 = 0;
/// `st_type`: a variable.
pub const STT_OBJECT: u8 = 1;
/// `st_type`: a function.
pub const STT_FUNC: u8 = 2;
/// `st_type`: a section.
pub const STT_SECTION: u8 = 3;
/// `st_bind`: seen in this file only.
pub const STB_LOCAL: u8 = 0;
/// `st_bind`: seen everywhere.
pub const STB_GLOBAL: u8 = 1;
/// `st_bind`: seen everywhere, may be overridden or missing.
pub const STB_WEAK: u8 = 2;

/// One symbol.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// Its number in the symbol table.
    pub index: u32,
    /// Its name; empty for sections.
    pub name: &'a str,
    /// Number of the section it is in; [`SHN_UNDEF`] and numbers from [`super::SHN_LORESERVE`] on are special.
    pub section: u16,
    /// Offset in its section, in bytes.
    pub value: u64,
    /// Bytes.
    pub size: u64,
    /// `STT_*`.
    pub kind: u8,
    /// `STB_*`.
    pub bind: u8,
    /// `STV_*`: 0 default, 1 internal, 2 hidden, 3 protected.
    pub visibility: u8,
}

impl Symbol<'_> {
    /// Whether the kernel, or its configuration, is to define it: `sym_is_extern` of libbpf.
    pub fn is_extern(&self) -> bool {
        self.section == SHN_UNDEF
            && self.kind == STT_NOTYPE
            && matches!(self.bind, STB_GLOBAL | STB_WEAK)
            && !self.name.is_empty()
    }
}
