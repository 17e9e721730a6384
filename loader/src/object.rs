//! One object's sections in memory, and its parts that the steps of loading share.

use crate::arena::Arena;
use crate::exit::Done;
use crate::file::PackFile;
use crate::sys::Kernel;
use corelet_core::btf::Btf;
use corelet_core::pack::{
    Checked, Fixup, Function, Map, Object, Program, Records, Relo, Wire, section as id,
};

/// The lowest section id of an object, and how many ids there are up to the highest.
const FIRST: u16 = id::OBJECT;
const IDS: usize = (id::STRUCT_OPS_MEMBERS - FIRST) as usize + 1;

/// Verified sections of an object and its target, by id.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    parts: [&'a [u8]; IDS],
}

impl<'a> Parts<'a> {
    /// None read yet.
    pub fn none() -> Self {
        Parts { parts: [&[]; IDS] }
    }

    /// The bytes of section `id`; empty where it is left out.
    pub fn get(&self, id: u16) -> &'a [u8] {
        self.parts.get(usize::from(id.wrapping_sub(FIRST))).copied().unwrap_or(&[])
    }

    /// The records of section `id`.
    pub fn records<T: Wire<'a>>(&self, id: u16) -> Checked<'a, T> {
        Checked::new(self.get(id), id)
    }

    /// Puts `bytes` in the place of section `id`.
    pub fn put(&mut self, id: u16, bytes: &'a [u8]) {
        if let Some(part) = self.parts.get_mut(usize::from(id.wrapping_sub(FIRST))) {
            *part = bytes;
        }
    }

    /// Reads the sections `ids` of object or target `owner` into the arena.
    #[inline(never)]
    pub fn read<K: Kernel>(
        &mut self,
        kernel: &mut K,
        (file, owner): (&PackFile<'_>, u16),
        arena: &mut Arena<'a>,
        ids: &[u16],
    ) -> Done<()> {
        for &id in ids {
            let bytes = section(kernel, (file, owner), arena, id)?;
            self.put(id, bytes);
        }
        Ok(())
    }
}

/// An object whose sections are in memory.
#[derive(Clone, Copy)]
pub struct Sections<'a> {
    /// The pack's path, for messages.
    pub path: &'a str,
    /// `OBJECT`
    pub object: Object<'a>,
    /// `BTF`
    pub btf: Btf<'a>,
    /// The sections.
    pub parts: Parts<'a>,
}

impl<'a> Sections<'a> {
    /// All functions.
    pub fn functions(&self) -> Checked<'a, Function<'a>> {
        self.parts.records(id::FUNCTIONS)
    }

    /// The function of number `index`.
    #[inline(never)]
    pub fn function(&self, index: u16) -> corelet_core::Result<Function<'a>> {
        self.functions().at(index)
    }

    /// All programs.
    pub fn programs(&self) -> Checked<'a, Program<'a>> {
        self.parts.records(id::PROGRAMS)
    }

    /// All maps.
    pub fn maps(&self) -> Checked<'a, Map<'a>> {
        self.parts.records(id::MAPS)
    }

    /// All relocations.
    pub fn relos(&self) -> Records<'a, Relo> {
        Records::new(self.parts.get(id::RELOS), id::RELOS)
    }

    /// All fix-ups.
    pub fn fixups(&self) -> Checked<'a, Fixup> {
        self.parts.records(id::FIXUPS)
    }
}

/// The section `id` of object or target `owner`, copied into the arena and checked; empty where it is left out.
pub fn section<'a, K: Kernel>(
    kernel: &mut K,
    (file, owner): (&PackFile<'_>, u16),
    arena: &mut Arena<'a>,
    id: u16,
) -> Done<&'a mut [u8]> {
    let Some(entry) = file.table().find(id, owner) else { return Ok(&mut []) };
    let into = arena.take(kernel, entry.len as usize)?;
    file.read(kernel, &entry, into)?;
    Ok(into)
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
