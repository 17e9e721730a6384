//! Symbols: which definition each name has, and the linked object's table of them.

use super::compat;
use super::input::{File, counts};
use super::sections::Sections;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::elf::{STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_SECTION, Symbol};
use std::collections::HashMap;
use std::ops::Range;

/// A symbol of the linked object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    /// `st_info` and `st_other`.
    pub(super) bind: u8,
    pub(super) kind: u8,
    pub(super) visibility: u8,
    /// Place in [`Sections::joined`]; `None` for what others must define.
    pub(super) section: Option<usize>,
    pub(super) value: u64,
    pub(super) size: u64,
}

/// A name that files share.
#[derive(Debug)]
pub(super) struct Global<'a> {
    pub(super) name: &'a str,
    /// Each file's symbol of the name: file, number.
    uses: Vec<(usize, u32)>,
    /// The one of them that defines it.
    pub(super) definition: Option<(usize, u32)>,
}

impl Global<'_> {
    /// Whether a file has a symbol of the name.
    pub(super) fn is_used_by(&self, file: usize) -> bool {
        self.uses.iter().any(|&(user, _)| user == file)
    }

    /// The use that the others are held against: the definition, else the first.
    pub(super) fn main(&self) -> (usize, u32) {
        self.definition.unwrap_or(self.uses[0])
    }
}

/// All symbols.
#[derive(Debug)]
pub(super) struct Symbols<'a> {
    /// The linked object's, local ones first; the null symbol is not in it.
    pub(super) table: Vec<Entry<'a>>,
    pub(super) globals: Vec<Global<'a>>,
    by_name: HashMap<&'a str, usize>,
    /// Number in the linked object of a file's symbol; of a section's symbol that of the joined section.
    numbers: HashMap<(usize, u32), u32>,
    /// Bytes of a file's section that a definition in another file overrides.
    dead: HashMap<(usize, u16), Vec<Range<u64>>>,
}

impl<'a> Symbols<'a> {
    /// Gives each name its definition, and each symbol its number.
    ///
    /// # Errors
    /// Two strong definitions of a name, or uses of different types; both files are named.
    pub(super) fn resolve(files: &[File<'a>], sections: &Sections<'a>) -> Result<Symbols<'a>> {
        let mut symbols = Symbols {
            table: Vec::new(),
            globals: Vec::new(),
            by_name: HashMap::new(),
            numbers: HashMap::new(),
            dead: HashMap::new(),
        };
        symbols.table.extend(sections.joined.iter().enumerate().map(|(at, _)| Entry {
            name: "",
            bind: STB_LOCAL,
            kind: STT_SECTION,
            visibility: 0,
            section: Some(at),
            value: 0,
            size: 0,
        }));
        for (file, f) in files.iter().enumerate() {
            for s in f.symbols.iter().filter(|s| counts(s)) {
                symbols.take(file, s, sections);
            }
        }
        for at in 0..symbols.globals.len() {
            symbols.define(at, files, sections)?;
        }
        Ok(symbols)
    }

    /// Local symbols get their number, others join those of their name.
    fn take(&mut self, file: usize, s: &Symbol<'a>, sections: &Sections<'a>) {
        let piece = sections.piece(file, s.section);
        // debug information is left out, and what is said once is the first file's
        if s.section != 0 && piece.is_none_or(|p| p.again && s.kind != STT_SECTION) {
            return;
        }
        match (s.bind, piece) {
            (_, Some(piece)) if s.kind == STT_SECTION => {
                self.numbers.insert((file, s.index), piece.section as u32 + 1);
            }
            (STB_LOCAL, Some(piece)) => {
                self.table.push(Entry {
                    name: s.name,
                    bind: STB_LOCAL,
                    kind: s.kind,
                    visibility: s.visibility,
                    section: Some(piece.section),
                    value: s.value + piece.offset,
                    size: s.size,
                });
                self.numbers.insert((file, s.index), self.table.len() as u32);
            }
            (STB_LOCAL, None) => {}
            _ => {
                let at = *self.by_name.entry(s.name).or_insert(self.globals.len());
                if at == self.globals.len() {
                    self.globals.push(Global { name: s.name, uses: Vec::new(), definition: None });
                }
                self.globals[at].uses.push((file, s.index));
            }
        }
    }

    fn define(&mut self, at: usize, files: &[File<'a>], sections: &Sections<'a>) -> Result<()> {
        let global = &mut self.globals[at];
        let symbol = |(file, index): (usize, u32)| files[file].symbols[index as usize];
        let mut definitions: Vec<_> =
            global.uses.iter().copied().filter(|&u| symbol(u).section != 0).collect();
        let mut strong = definitions.iter().copied().filter(|&u| symbol(u).bind == STB_GLOBAL);
        let first_strong = strong.next();
        if let (Some(first), Some(second)) = (first_strong, strong.next()) {
            bail!(
                "`{}` is defined in {} and in {}: make it static in one, or weak (__weak) in the one that gives way",
                global.name,
                files[first.0].name,
                files[second.0].name
            );
        }
        global.definition = first_strong.or(definitions.first().copied());
        let main = global.main();
        for &other in global.uses.iter().filter(|&&u| u != main) {
            let sorts = (symbol(main).kind, symbol(other).kind);
            let files = (&files[main.0], &files[other.0]);
            ensure!(
                sorts.0 == sorts.1 || sorts.0 == STT_NOTYPE || sorts.1 == STT_NOTYPE,
                "`{}` is {} in {} and {} in {}",
                global.name,
                sort(sorts.0),
                files.0.name,
                sort(sorts.1),
                files.1.name
            );
            compat::agree(global.name, files.0, files.1)
                .with_context(|| format!("`{}` of {} and {}", global.name, files.0.name, files.1.name))?;
        }
        let hidden = global.uses.iter().any(|&u| symbol(u).visibility != 0);
        let wanted = global.uses.iter().any(|&u| symbol(u).bind != STB_WEAK);
        let s = symbol(main);
        let piece = global.definition.and_then(|(file, _)| sections.piece(file, s.section));
        self.table.push(Entry {
            name: global.name,
            bind: match global.definition {
                Some(_) => s.bind,
                None if wanted => STB_GLOBAL,
                None => STB_WEAK,
            },
            kind: s.kind,
            visibility: if hidden { 2 } else { 0 },
            section: piece.map(|p| p.section),
            value: s.value + piece.map_or(0, |p| p.offset),
            size: s.size,
        });
        let number = self.table.len() as u32;
        self.numbers.extend(global.uses.iter().map(|&u| (u, number)));
        definitions.retain(|&u| Some(u) != global.definition);
        for (file, s) in definitions.into_iter().map(|u| (u.0, symbol(u))) {
            self.dead.entry((file, s.section)).or_default().push(s.value..s.value + s.size);
        }
        Ok(())
    }

    /// Number of a file's symbol in the linked object; `None` for one of what is left out.
    pub(super) fn number(&self, file: usize, index: u32) -> Option<u32> {
        self.numbers.get(&(file, index)).copied()
    }

    /// What files say of a name that other files may see.
    pub(super) fn global(&self, name: &str) -> Option<&Global<'a>> {
        self.by_name.get(name).map(|&at| &self.globals[at])
    }

    /// Whether byte `at` of a file's section is of a definition that another file's overrides.
    pub(super) fn is_dead(&self, file: usize, section: u16, at: u64) -> bool {
        self.dead.get(&(file, section)).is_some_and(|ranges| ranges.iter().any(|r| r.contains(&at)))
    }

    /// What neither a file defines nor the kernel is asked for.
    pub(super) fn undefined(&self, files: &[File<'_>]) -> Vec<(String, String)> {
        let open = self.globals.iter().filter(|g| g.definition.is_none());
        let named = open.map(|g| (g.name, &files[g.uses[0].0]));
        named
            .filter(|(name, file)| {
                let home = file.global(name).and_then(|id| file.home(id));
                !matches!(home, Some(".ksyms" | ".kconfig"))
            })
            .map(|(name, file)| (name.to_owned(), file.name.to_owned()))
            .collect()
    }
}

fn sort(kind: u8) -> &'static str {
    if kind == STT_FUNC { "a function" } else { "a variable" }
}
