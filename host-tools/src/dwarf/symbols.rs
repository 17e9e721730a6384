//! What the ELF symbols say that DWARF does not: which functions have code under their own name, where per-cpu variables are,
//! and which functions are kfuncs.

use super::hash;
use corelet_core::Endian;
use object::{Object, ObjectSection, ObjectSymbol, ReadRef, SymbolKind};
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
    pub(super) fn read<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>, endian: Endian) -> Symbols {
        let mut symbols = Symbols::default();
        let percpu = elf.section_by_name(PERCPU);
        if let Some(section) = &percpu {
            symbols.percpu_range = section.address()..section.address().saturating_add(section.size());
        }
        let percpu = percpu.map(|section| section.index());
        // of 32-bit ARM's Thumb functions, the lowest bit of the address says that they are
        let thumb = elf.architecture() == object::Architecture::Arm;
        let mut ids = Ids::of(elf);
        for symbol in
            elf.symbols().filter(|symbol| symbol.is_definition() || symbol.kind() == SymbolKind::Unknown)
        {
            let Ok(name) = symbol.name_bytes() else { continue };
            if let Some(ids) = &mut ids {
                ids.add(name, symbol.address());
            }
            match symbol.kind() {
                SymbolKind::Text => {
                    let address = symbol.address() & if thumb { !1 } else { !0 };
                    symbols.functions.push((address, hash::string(name)));
                }
                SymbolKind::Data if percpu.is_some() && symbol.section_index() == percpu => {
                    let (address, name, size) = (symbol.address(), hash::string(name), symbol.size());
                    symbols.percpu.push(Symbol { address, name, size });
                }
                _ => {}
            }
        }
        symbols.functions.sort_unstable();
        symbols.functions.dedup();
        symbols.names = symbols.functions.iter().map(|&(_, name)| name).collect();
        symbols.names.sort_unstable();
        symbols.percpu.sort_unstable();
        symbols.kfuncs = ids.map(|ids| ids.kfuncs(endian)).unwrap_or_default();
        symbols
    }

    /// Whether a function of this name has code at `address`, or anywhere where no address is known. Compilers change how a
    /// function is called only where they also change its symbol's name (`.isra.0`, `.constprop.0`, `.part.0`). Without any
    /// symbols, the answer is yes.
    pub(super) fn has_function(&self, name: u64, address: Option<u64>) -> bool {
        match address {
            _ if self.functions.is_empty() => true,
            Some(address) => self.functions.binary_search(&(address, name)).is_ok(),
            None => self.names.binary_search(&name).is_ok(),
        }
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
    fn of<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>) -> Option<Ids> {
        let section = elf.section_by_name(".BTF_ids")?;
        Some(Ids {
            at: section.address(),
            bytes: section.data().ok()?.to_vec(),
            sets: Vec::new(),
            functions: Vec::new(),
        })
    }

    fn add(&mut self, name: &[u8], address: u64) {
        let Some(rest) = name.strip_prefix(b"__BTF_ID__") else { return };
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
            let (Some(count), Some(flags)) = (word(set), word(set + 4)) else { continue };
            if flags & SET8_KFUNCS == 0 {
                continue;
            }
            let members = set + 8..(set + 8).saturating_add(u64::from(count) * 8);
            for (address, name) in self.functions.iter().filter(|(address, _)| members.contains(address)) {
                found.push(Kfunc { name: name.clone(), flags: word(address + 4).unwrap_or(0) });
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
