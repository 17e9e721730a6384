//! One object's sections in memory, and its parts that the steps of loading share.

use crate::arena::Arena;
use crate::exit::Done;
use crate::file::PackFile;
use crate::sys::Kernel;
use corelet_core::btf::Btf;
use corelet_core::pack::{Fixup, Function, Map, Object, Program, Records, Relo, section};

/// The verified sections of an object and its target, by what loading does with them.
#[derive(Clone, Copy)]
pub struct Sections<'a> {
    /// The pack's path, for messages.
    pub path: &'a str,
    /// `OBJECT`
    pub object: Object<'a>,
    /// `BTF`
    pub btf: Btf<'a>,
    /// The bytes of `BTF`.
    pub btf_bytes: &'a [u8],
    /// `MAPS`
    pub maps: &'a [u8],
    /// `FUNCTIONS`
    pub functions: &'a [u8],
    /// `PROGRAMS`
    pub programs: &'a [u8],
    /// `RELOS`
    pub relos: &'a [u8],
    /// `FIXUPS`
    pub fixups: &'a [u8],
    /// `DATA`
    pub data: &'a [u8],
    /// `KCONFIG`
    pub kconfig: &'a [u8],
    /// `PLAN`
    pub plan: &'a [u8],
    /// `FUNC_INFO`
    pub func_info: &'a [u8],
    /// `LINE_INFO`
    pub line_info: &'a [u8],
}

impl<'a> Sections<'a> {
    /// All functions.
    pub fn functions(&self) -> Records<'a, Function<'a>> {
        Records::new(self.functions, section::FUNCTIONS)
    }

    /// All programs.
    pub fn programs(&self) -> Records<'a, Program<'a>> {
        Records::new(self.programs, section::PROGRAMS)
    }

    /// All maps.
    pub fn maps(&self) -> Records<'a, Map<'a>> {
        Records::new(self.maps, section::MAPS)
    }

    /// All relocations.
    pub fn relos(&self) -> Records<'a, Relo> {
        Records::new(self.relos, section::RELOS)
    }

    /// All fix-ups.
    pub fn fixups(&self) -> Records<'a, Fixup> {
        Records::new(self.fixups, section::FIXUPS)
    }
}

/// Copies sections of one object or target into an arena.
pub struct Reader<'f, 'm, 'a> {
    /// Where the sections are.
    pub file: &'f PackFile<'f>,
    /// The object's or target's number.
    pub owner: u16,
    /// Where they go.
    pub arena: &'m mut Arena<'a>,
}

impl<'a> Reader<'_, '_, 'a> {
    /// The section `id`, checked; empty where it is left out.
    pub fn section<K: Kernel>(&mut self, kernel: &mut K, id: u16) -> Done<&'a mut [u8]> {
        let Some(entry) = self.file.table().find(id, self.owner) else { return Ok(&mut []) };
        let into = self.arena.take(kernel, entry.len as usize)?;
        self.file.read(kernel, &entry, into)?;
        Ok(into)
    }
}

/// A NUL-padded kernel object name: letters, digits, `_` and `.`, 15 bytes at most; other characters become `_`.
/// Source: `bpf_obj_name_cpy`, kernel `kernel/bpf/syscall.c`.
pub fn kernel_name(prefix: &str, name: &str) -> [u8; 16] {
    let mut out = [0; 16];
    let allowed = |b: u8| if b.is_ascii_alphanumeric() || b == b'.' { b } else { b'_' };
    for (slot, b) in out.iter_mut().take(15).zip(prefix.bytes().chain(name.bytes())) {
        *slot = allowed(b);
    }
    out
}
