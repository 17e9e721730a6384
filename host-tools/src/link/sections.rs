//! Sections of one name, joined: where each file's piece lies.

use super::input::File;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::elf::{SHT_NOBITS, Section};
use corelet_core::insn::INSN_SIZE;
use std::collections::HashMap;

/// The most bytes of a section: offsets in `.BTF` and in instructions have 32 bits, the latter a sign.
const MAX_SECTION: u64 = i32::MAX as u64;

/// A section of the linked object.
#[derive(Clone, Debug)]
pub(super) struct Joined<'a> {
    pub(super) name: &'a str,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) align: u64,
    pub(super) entsize: u64,
    /// Bytes; empty for `SHT_NOBITS`.
    pub(super) data: Vec<u8>,
    /// Bytes, zeros included.
    pub(super) size: u64,
    /// The first file that has it.
    file: usize,
}

/// Where a file's section went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Place in [`Sections::joined`].
    pub(super) section: usize,
    /// Where it begins there, in bytes.
    pub(super) offset: u64,
    /// Whether it is said once for all files: the licence and version. Only the first file's is kept.
    pub(super) again: bool,
}

/// All sections of the linked object, in the order in which files have them.
#[derive(Debug)]
pub(super) struct Sections<'a> {
    pub(super) joined: Vec<Joined<'a>>,
    /// By file and number of the section.
    pieces: HashMap<(usize, u16), Piece>,
}

impl<'a> Sections<'a> {
    /// Joins the sections of all files.
    ///
    /// # Errors
    /// Sections of one name are of different sorts, licences or versions differ, or a section becomes too large.
    pub(super) fn join(files: &[File<'a>]) -> Result<Sections<'a>> {
        let mut sections = Sections { joined: Vec::new(), pieces: HashMap::new() };
        let mut by_name = HashMap::new();
        for (number, file) in files.iter().enumerate() {
            for s in file.sections.iter().filter(|s| file.is_joined(s.index)) {
                let align = file.aligns[usize::from(s.index)];
                let piece = match by_name.get(s.name) {
                    Some(&at) => {
                        let joined: &mut Joined<'_> = &mut sections.joined[at];
                        let first: &File<'_> = &files[joined.file];
                        let both = || format!("{} and {}: section {}", first.name, file.name, s.name);
                        joined.takes(s).with_context(both)?;
                        let again = matches!(s.name, "license" | "version");
                        if again {
                            same_words(joined, s).with_context(both)?;
                        }
                        let offset = if again { 0 } else { joined.append(s, align).with_context(both)? };
                        Piece { section: at, offset, again }
                    }
                    None => {
                        let at = sections.joined.len();
                        by_name.insert(s.name, at);
                        let mut joined = Joined {
                            name: s.name,
                            kind: s.kind,
                            flags: s.flags,
                            align,
                            entsize: s.entsize,
                            data: Vec::new(),
                            size: 0,
                            file: number,
                        };
                        joined.append(s, align).with_context(|| file.name.to_owned())?;
                        sections.joined.push(joined);
                        Piece { section: at, offset: 0, again: false }
                    }
                };
                sections.pieces.insert((number, s.index), piece);
            }
        }
        Ok(sections)
    }

    /// Where section `index` of a file went; `None` for one that is not joined.
    pub(super) fn piece(&self, file: usize, index: u16) -> Option<Piece> {
        self.pieces.get(&(file, index)).copied()
    }
}

impl Joined<'_> {
    /// Whether a section of another file is of the same sort.
    fn takes(&self, s: &Section<'_>) -> Result<()> {
        ensure!(
            (self.kind, self.flags, self.entsize) == (s.kind, s.flags, s.entsize),
            "is of type {} with flags {:#x} in one and of type {} with flags {:#x} in the other",
            self.kind,
            self.flags,
            s.kind,
            s.flags
        );
        Ok(())
    }

    /// Adds a piece; gives where it begins.
    fn append(&mut self, s: &Section<'_>, align: u64) -> Result<u64> {
        if s.is_executable() && !s.size.is_multiple_of(INSN_SIZE as u64) {
            bail!("section {}: {} bytes are no whole instructions", s.name, s.size);
        }
        // the whole's alignment, as bpftool has it: a piece that asks for less begins where it does there
        self.align = self.align.max(align);
        let offset = self.size.next_multiple_of(self.align);
        let end = offset.checked_add(s.size).filter(|&end| end <= MAX_SECTION);
        let Some(end) = end else { bail!("section {}: would have 2 GiB or more", s.name) };
        if s.kind != SHT_NOBITS {
            self.data.resize(offset as usize, 0);
            self.data.extend(s.data);
        }
        self.size = end;
        Ok(offset)
    }
}

/// Whether both files say the same licence or version.
fn same_words(joined: &Joined<'_>, s: &Section<'_>) -> Result<()> {
    if joined.data == s.data {
        return Ok(());
    }
    let shown = |data: &[u8]| match (s.name, <[u8; 4]>::try_from(data)) {
        ("version", Ok(bytes)) => format!("{:#x}", u32::from_le_bytes(bytes)),
        _ => format!("\"{}\"", data.split(|&b| b == 0).next().unwrap_or_default().escape_ascii()),
    };
    bail!(
        "{} in one and {} in the other: a kernel takes one for all programs of an object; write the same in both sources",
        shown(&joined.data),
        shown(s.data)
    )
}
