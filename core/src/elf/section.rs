//! ELF sections. Source: `Elf64_Shdr`, `include/uapi/linux/elf.h`.

/// `sh_type`: contents defined by the program.
pub const SHT_PROGBITS: u32 = 1;
/// `sh_type`: symbol table.
pub const SHT_SYMTAB: u32 = 2;
/// `sh_type`: string table.
pub const SHT_STRTAB: u32 = 3;
/// `sh_type`: zeros that take no room in the file.
pub const SHT_NOBITS: u32 = 8;
/// `sh_type`: relocations without addends.
pub const SHT_REL: u32 = 9;
/// `sh_flags`: holds instructions.
pub const SHF_EXECINSTR: u64 = 4;

/// One section.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// Its number in the section header table.
    pub index: u16,
    /// Its name.
    pub name: &'a str,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// Its bytes; empty for `SHT_NOBITS`.
    pub data: &'a [u8],
    /// Its size in bytes, that of `SHT_NOBITS` included.
    pub size: u64,
    /// `sh_link`: the string table of a symbol table, the symbol table of relocations.
    pub link: u32,
    /// `sh_info`: the section that relocations are for.
    pub info: u32,
    /// Bytes of an entry of a table, 0 for other sections.
    pub entsize: u64,
}

impl Section<'_> {
    /// Whether the section holds instructions.
    pub fn is_executable(&self) -> bool {
        self.kind == SHT_PROGBITS && self.flags & SHF_EXECINSTR != 0
    }
}
