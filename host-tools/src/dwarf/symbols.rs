//! What the ELF symbols say that DWARF does not: which functions have code under their own name, where per-cpu variables are,
//! and which functions are kfuncs.

use super::form::Cursor;
use super::hash;
use super::relocatable::Layout;
use super::sections;
use anyhow::{Context, Result};
use corelet_core::Endian;
use object::{Object, ObjectSection, ReadRef};
use std::fs::File;
use std::ops::Range;

/// The section of per-cpu variables, which is the name of their DATASEC.
pub(super) const PERCPU: &str = ".data..percpu";

/// A kfunc by `.BTF_ids`, with the flags of its registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kfunc {
    pub(super) name: String,
    pub(super) flags: u32,
}

/// `BTF_SET8_KFUNCS` of `include/linux/btf_ids.h`.
const SET8_KFUNCS: u32 = 1;
/// `KF_FASTCALL` of `include/linux/btf.h`.
const KF_FASTCALL: u32 = 1 << 12;

impl Kfunc {
    /// The declaration tags that the kernel's build gives it.
    pub(super) fn tags(&self) -> impl Iterator<Item = &'static str> {
        let fastcall = (self.flags & KF_FASTCALL != 0).then_some("bpf_fastcall");
        std::iter::once("bpf_kfunc").chain(fastcall)
    }
}

/// `st_info` of the ELF specification.
const STT_NOTYPE: u8 = 0;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;
/// From here on, section numbers mean something else.
const SHN_LORESERVE: usize = 0xff00;

/// An entry of the symbol table.
pub(super) struct Entry {
    name: u32,
    kind: u8,
    section: usize,
    /// An address; in an object file, from the section's start.
    pub(super) value: u64,
    size: u64,
}

/// Tells `take` of each symbol and of the bytes that its name begins.
///
/// # Errors
/// The symbol table lies outside the file.
pub(super) fn each<'d, R: ReadRef<'d>>(
    elf: &object::File<'d, R>,
    file: &File,
    mut take: impl FnMut(&Entry, &[u8]),
) -> Result<()> {
    let hold = |name: &str| -> Result<Vec<u8>> {
        let extent = sections::extent(elf, name)?;
        extent.map_or(Ok(Vec::new()), |extent| extent.hold(file)).with_context(|| format!("section {name}"))
    };
    let endian = endian(elf);
    // of 32-bit ARM's Thumb functions, the lowest bit of the address says that they are
    let thumb = elf.architecture() == object::Architecture::Arm;
    let (table, strings) = (hold(".symtab")?, hold(".strtab")?);
    for entry in table.chunks_exact(if elf.is_64() { 24 } else { 16 }) {
        let Some(mut symbol) = Entry::parse(entry, endian) else { continue };
        let Some(name) = strings.get(symbol.name as usize..) else { continue };
        if thumb && symbol.kind == STT_FUNC {
            symbol.value &= !1;
        }
        take(&symbol, name);
    }
    Ok(())
}

/// The byte order of an ELF file.
pub(super) fn endian<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>) -> Endian {
    if elf.is_little_endian() { Endian::Little } else { Endian::Big }
}

impl Entry {
    /// Whether it is a function, variable or label at an address.
    pub(super) fn is_placed(&self) -> bool {
        self.section != 0
            && self.section < SHN_LORESERVE
            && matches!(self.kind, STT_NOTYPE | STT_OBJECT | STT_FUNC)
    }

    /// Reads `Elf64_Sym` or `Elf32_Sym`, by the length.
    fn parse(entry: &[u8], endian: Endian) -> Option<Entry> {
        let mut cursor = Cursor { bytes: entry, at: 0 };
        let mut number = |size| cursor.unsigned(size, endian).ok();
        let name = number(4)? as u32;
        Some(if entry.len() == 24 {
            let (info, _, section) = (number(1)?, number(1)?, number(2)? as usize);
            Entry { name, kind: info as u8 & 15, section, value: number(8)?, size: number(8)? }
        } else {
            let (value, size, info, _, section) =
                (number(4)?, number(4)?, number(1)?, number(1)?, number(2)?);
            Entry { name, kind: info as u8 & 15, section: section as usize, value, size }
        })
    }
}

/// A symbol of a function or variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Symbol {
    address: u64,
    name: u64,
    size: u64,
}

/// What is known of the symbols.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// Of functions, by address and name; empty where the file has no symbols.
    functions: Vec<(u64, u64)>,
    /// The names of `functions`.
    names: Vec<u64>,
    percpu: Vec<Symbol>,
    /// Addresses of per-cpu variables.
    pub(super) percpu_range: Range<u64>,
    pub(super) kfuncs: Vec<Kfunc>,
}

impl Symbols {
    /// Reads the symbols of `elf`; `.BTF_ids` out of `main`, since a debug file has none of its bytes.
    ///
    /// # Errors
    /// The symbol table lies outside the file.
    pub(super) fn read<'d, 'm, R: ReadRef<'d>, M: ReadRef<'m>>(
        elf: &object::File<'d, R>,
        main: &object::File<'m, M>,
        layout: &Layout,
        file: &File,
        endian: Endian,
    ) -> Result<Symbols> {
        let mut symbols = Symbols::default();
        let percpu = elf.section_by_name(PERCPU);
        if let Some(section) = &percpu {
            let start = layout.address(section);
            symbols.percpu_range = start..start.saturating_add(section.size());
        }
        let percpu = percpu.map(|section| section.index().0);
        let mut ids = Ids::of(main, layout);
        each(elf, file, |symbol, name| {
            let address = symbol.value.wrapping_add(layout.base(symbol.section));
            if let Some(ids) = ids.as_mut().filter(|_| name.starts_with(Ids::PREFIX)) {
                let end = memchr::memchr(0, name).unwrap_or(name.len());
                ids.add(&name[Ids::PREFIX.len()..end], address);
            }
            match symbol.kind {
                STT_FUNC if symbol.is_placed() => symbols.functions.push((address, hash::string(name))),
                STT_OBJECT if Some(symbol.section) == percpu => {
                    symbols.percpu.push(Symbol { address, name: hash::string(name), size: symbol.size });
                }
                _ => {}
            }
        })?;
        symbols.functions.sort_unstable();
        symbols.functions.dedup();
        symbols.names = symbols.functions.iter().map(|&(_, name)| name).collect();
        symbols.names.sort_unstable();
        symbols.percpu.sort_unstable();
        symbols.kfuncs = ids.map(|ids| ids.kfuncs(endian)).unwrap_or_default();
        Ok(symbols)
    }

    /// Whether a function of this name has code at `address`, or anywhere where no address is known. Compilers change how a
    /// function is called only where they also change its symbol's name (`.isra.0`, `.constprop.0`, `.part.0`). Without any
    /// symbols, the answer is yes.
    pub(super) fn has_function(&self, name: u64, address: Option<u64>) -> bool {
        if self.functions.is_empty() {
            return true;
        }
        let from = self.names.partition_point(|&other| other < name);
        if self.names.get(from) != Some(&name) || self.names.get(from + 1) == Some(&name) {
            return false;
        }
        address.is_none_or(|address| self.functions.binary_search(&(address, name)).is_ok())
    }

    /// The size of the per-cpu variable of this name at `address`.
    pub(super) fn percpu_size(&self, name: u64, address: u64) -> Option<u64> {
        let at = self.percpu.partition_point(|symbol| (symbol.address, symbol.name) < (address, name));
        let symbol = self.percpu.get(at)?;
        (symbol.address == address && symbol.name == name && symbol.size != 0).then_some(symbol.size)
    }
}

/// The sets of `.BTF_ids` (`include/linux/btf_ids.h`): a set's symbol has its address, and each function in it one of its own.
struct Ids {
    at: u64,
    bytes: Vec<u8>,
    sets: Vec<u64>,
    functions: Vec<(u64, String)>,
}

impl Ids {
    const PREFIX: &[u8] = b"__BTF_ID__";

    fn of<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>, layout: &Layout) -> Option<Ids> {
        let section = elf.section_by_name(".BTF_ids")?;
        Some(Ids {
            at: layout.address(&section),
            bytes: section.data().ok()?.to_vec(),
            sets: Vec::new(),
            functions: Vec::new(),
        })
    }

    /// Takes a symbol whose name goes on with `rest`.
    fn add(&mut self, rest: &[u8], address: u64) {
        if rest.starts_with(b"set8__") {
            self.sets.push(address);
        } else if let Some(function) = rest.strip_prefix(b"func__") {
            // a number that makes the symbol unique follows, by two underscores
            let function = String::from_utf8_lossy(function);
            let name = function.rsplit_once("__").map_or(&*function, |(name, _)| name);
            self.functions.push((address, name.to_owned()));
        }
    }

    /// The functions of those sets that are of kfuncs, each once, by name.
    fn kfuncs(&self, endian: Endian) -> Vec<Kfunc> {
        let word = |at: u64| -> Option<u32> {
            let at = usize::try_from(at.checked_sub(self.at)?).ok()?;
            Some(endian.u32(self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
        };
        let mut found: Vec<Kfunc> = Vec::new();
        for &set in &self.sets {
            let (Some(count), Some(flags)) = (word(set), set.checked_add(4).and_then(word)) else { continue };
            if flags & SET8_KFUNCS == 0 {
                continue;
            }
            let members = set..set.saturating_add(8 + u64::from(count) * 8);
            for (address, name) in self.functions.iter().filter(|(address, _)| members.contains(address)) {
                found.push(Kfunc {
                    name: name.clone(),
                    flags: address.checked_add(4).and_then(word).unwrap_or(0),
                });
            }
        }
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|again, first| {
            let same = again.name == first.name;
            if same {
                first.flags |= again.flags;
            }
            same
        });
        found
    }
}
