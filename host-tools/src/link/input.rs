//! One object that is linked: what it holds, checked, and how its parts are found by name.

use super::Input;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::btf::{Kind, Type};
use corelet_core::elf::{
    SHT_NOBITS, SHT_PROGBITS, SHT_REL, STB_WEAK, STT_FUNC, STT_SECTION, Section, Symbol,
};
use corelet_core::object::Object;
use corelet_core::{Endian, TypeId};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, SectionIndex};
use std::collections::HashMap;

/// `sh_type`: relocations with addends, which no compiler writes for BPF.
const SHT_RELA: u32 = 4;
/// `sh_flags`: is in memory when the program runs.
const SHF_ALLOC: u64 = 2;
/// `st_type`: the name of the source.
const STT_FILE: u8 = 4;
/// `STV_INTERNAL` and `STV_PROTECTED` are 1 and 3.
const STV_HIDDEN: u8 = 2;
/// The largest alignment of a section that is taken, in bytes: a page of any kernel.
const MAX_ALIGN: u64 = 64 << 10;
/// Linkage of a VAR or FUNC: seen in its file only.
pub(super) const STATIC: u32 = 0;

/// Memory for the index of an input's types.
///
/// # Errors
/// With the file's name: it is no BPF object, or has no types.
pub(super) fn index(input: &Input) -> Result<Vec<u32>> {
    let count = Object::type_count(&input.bytes).with_context(|| input.name.clone())?;
    Ok(vec![0; count])
}

/// An input.
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    pub(super) object: Object<'a>,
    /// All sections, by their number.
    pub(super) sections: Vec<Section<'a>>,
    /// Their alignments.
    pub(super) aligns: Vec<u64>,
    /// All symbols, by their number.
    pub(super) symbols: Vec<Symbol<'a>>,
    /// VARs and FUNCs that other files may see, by name.
    globals: HashMap<&'a str, TypeId>,
    /// The DATASEC that a VAR or FUNC is in, by name.
    homes: HashMap<TypeId, &'a str>,
}

impl<'a> File<'a> {
    /// Checks `input`.
    ///
    /// # Errors
    /// With the file's name: what is wrong with it.
    pub(super) fn open(input: &'a Input, index: &'a mut [u32]) -> Result<File<'a>> {
        Self::read(input, index).with_context(|| input.name.clone())
    }

    fn read(input: &'a Input, index: &'a mut [u32]) -> Result<File<'a>> {
        let object = Object::parse(&input.bytes, index)?;
        let sections: Vec<_> = object.elf().sections().collect();
        let elf = ElfFile64::<object::Endianness>::parse(&*input.bytes)?;
        let align = |s: &Section<'_>| match elf.section_by_index(SectionIndex(s.index.into())) {
            Ok(section) => section.align().max(1),
            Err(_) => 1,
        };
        let aligns: Vec<_> = sections.iter().map(align).collect();
        for (s, &align) in sections.iter().zip(&aligns) {
            let fits = align.is_power_of_two() && align <= MAX_ALIGN;
            ensure!(fits, "section {}: an alignment of {align} bytes", s.name);
            ensure!(s.kind != SHT_RELA, "section {}: relocations with addends, which BPF has not", s.name);
            let known = matches!(s.kind, 0..=3 | SHT_NOBITS | SHT_REL);
            ensure!(known || s.flags & SHF_ALLOC == 0, "section {}: of unknown type {}", s.name, s.kind);
        }
        let symbols: Vec<_> = object.elf().symbols().collect();
        symbols.iter().skip(1).try_for_each(|s| check(s, &sections))?;
        let btf = *object.btf();
        let (mut globals, mut homes) = (HashMap::new(), HashMap::new());
        for t in btf.own_types() {
            match t.kind() {
                Kind::Unknown => {
                    bail!("type {} is of kind {}, which is not known here", t.id, t.kind_number());
                }
                Kind::Datasec => homes.extend(t.vars().map(|v| (v.ty, btf.name(&t)))),
                _ if linkage(&t).is_some_and(|linkage| linkage != STATIC) => {
                    globals.entry(btf.name(&t)).or_insert(t.id);
                }
                _ => {}
            }
        }
        Ok(File { name: &input.name, object, sections, aligns, symbols, globals, homes })
    }

    /// The VAR or FUNC of a symbol that other files may see.
    pub(super) fn global(&self, name: &str) -> Option<TypeId> {
        self.globals.get(name).copied()
    }

    /// The DATASEC that a VAR or FUNC is in.
    pub(super) fn home(&self, id: TypeId) -> Option<&'a str> {
        self.homes.get(&id).copied()
    }

    /// Whether section `index` is joined with those of its name in other files: not tables, types and debug information, nor
    /// what is empty, as `.text` of an object without subprograms is.
    pub(super) fn is_joined(&self, index: u16) -> bool {
        let Some(s) = self.sections.get(usize::from(index)) else { return false };
        let apart = s.name.starts_with(".debug_") || matches!(s.name, ".BTF" | ".BTF.ext" | ".comment");
        let in_it = |symbol: &&Symbol<'_>| symbol.section == index && symbol.kind != STT_SECTION;
        matches!(s.kind, SHT_PROGBITS | SHT_NOBITS)
            && !apart
            && (s.size > 0 || self.symbols.iter().any(|symbol| in_it(&symbol)))
    }
}

/// Whether a symbol says something to the linker: not the name of a source.
pub(super) fn counts(symbol: &Symbol<'_>) -> bool {
    symbol.index != 0 && symbol.kind != STT_FILE
}

/// Linkage of a VAR or FUNC; `None` for other types.
pub(super) fn linkage(t: &Type<'_>) -> Option<u32> {
    match t.kind() {
        Kind::Func => Some(t.func_linkage()),
        _ => t.var_linkage(),
    }
}

fn check(symbol: &Symbol<'_>, sections: &[Section<'_>]) -> Result<()> {
    let name = if symbol.name.is_empty() { "without a name" } else { symbol.name };
    if !counts(symbol) {
        return Ok(());
    }
    ensure!(symbol.kind <= STT_SECTION, "symbol {name}: of unknown type {}", symbol.kind);
    ensure!(symbol.bind <= STB_WEAK, "symbol {name}: of unknown binding {}", symbol.bind);
    ensure!(
        matches!(symbol.visibility, 0 | STV_HIDDEN),
        "symbol {name}: its visibility is neither default nor hidden, which no loader of BPF knows"
    );
    if symbol.section == 0 {
        return Ok(());
    }
    let section = sections.get(usize::from(symbol.section));
    let section = section.with_context(|| format!("symbol {name}: is in no section (common or absolute)"))?;
    let end = symbol.value.checked_add(symbol.size);
    ensure!(
        end.is_some_and(|end| end <= section.size),
        "symbol {name}: ends behind section {}",
        section.name
    );
    ensure!(
        symbol.kind != STT_FUNC || section.is_executable(),
        "symbol {name}: a function in section {}, which holds no instructions",
        section.name
    );
    Ok(())
}

/// Refuses files of different byte orders.
pub(super) fn same_byte_order(files: &[File<'_>]) -> Result<()> {
    let word = |endian| if endian == Endian::Big { "big-endian" } else { "little-endian" };
    let first = &files[0];
    for file in &files[1..] {
        let (a, b) = (first.object.endian(), file.object.endian());
        ensure!(
            a == b,
            "{} is {} and {} is {}: compile both with -target bpfel, or both with -target bpfeb",
            first.name,
            word(a),
            file.name,
            word(b)
        );
    }
    Ok(())
}
