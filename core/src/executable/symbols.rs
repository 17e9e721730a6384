//! Functions by name, as `elf_find_func_offset` and `elf_resolve_pattern_offsets` of libbpf's `src/elf.c` find them.

use super::{Executable, File, Section, glob};
use crate::error::{Error, Limit, Part, Result};
use crate::limits::{MAX_EXECUTABLE_SYMBOLS, MAX_NAME_LEN};
use heapless::Vec;

const SHT_SYMTAB: u32 = 2;
const SHT_DYNSYM: u32 = 11;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;
const STB_WEAK: u8 = 2;
/// `st_shndx` from here on are no sections.
const SHN_LORESERVE: u16 = 0xff00;
const EM_ARM: u16 = 40;

/// Bytes of a table that are in memory at once: a multiple of an entry's, of 16 or 24.
const WINDOW: usize = 2016;
/// Places in the strings at which a name can stand: of its own, and at the end of longer ones.
const PLACES: usize = 64;

/// A function of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its first byte in the file.
    pub offset: u64,
    /// Whether its instructions are Thumb's, which Linux cannot probe.
    pub thumb: bool,
}

/// What came of looking for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It is there.
    Found(Symbol),
    /// It is chosen when the program starts (`STT_GNU_IFUNC`), and has no place of its own under this name.
    Indirect,
    /// Two functions of that name, neither of them weak.
    Ambiguous,
    /// It is not there.
    Absent(Tables),
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Functions.
    pub functions: u32,
    /// Whether there is a `.dynsym`.
    pub dynsym: bool,
    /// Whether there is a `.symtab`, which `strip` takes out.
    pub symtab: bool,
}

/// An entry of a symbol table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    index: u32,
    name: u32,
    info: u8,
    section: u16,
    value: u64,
}

impl Entry {
    /// Whether it is a function that the file has.
    fn is_function(&self, kind: u8) -> bool {
        self.info & 15 == kind && (1..SHN_LORESERVE).contains(&self.section)
    }
}

/// A table that is gone through.
struct Walk {
    table: Section,
    count: u32,
    next: u32,
    window: [u8; WINDOW],
    /// Bytes of the window that were read, and that were gone through.
    filled: usize,
    place: usize,
}

/// Where in the strings a name can stand; `None` where that is at more places than fit here.
type Places = Option<Vec<u32, PLACES>>;

impl<F: File> Executable<'_, F> {
    /// Looks for a function, as `NAME`, `NAME@VERSION` or `NAME@@VERSION`: first among the dynamic symbols. A weak one yields to
    /// one that is not.
    ///
    /// # Errors
    /// Those of a file that is broken, and of reading.
    pub fn find(&mut self, name: &str) -> Result<Lookup> {
        let (base, version) = match name.split_once('@') {
            Some((base, version)) => (base, Some(version.strip_prefix('@').unwrap_or(version))),
            None => (name, None),
        };
        let (mut tables, mut indirect) = (Tables::default(), false);
        for kind in [SHT_DYNSYM, SHT_SYMTAB] {
            let Some(table) = self.of_kind(kind)? else { continue };
            *(if kind == SHT_DYNSYM { &mut tables.dynsym } else { &mut tables.symtab }) = true;
            let strings = self.linked(table.link)?;
            let places = self.places(&strings, base.as_bytes())?;
            let mut walk = self.walk(table)?;
            let mut best: Option<(Symbol, bool)> = None;
            while let Some(entry) = walk.next(self)? {
                let is_function = entry.is_function(STT_FUNC);
                tables.functions = tables.functions.saturating_add(is_function.into());
                if !(is_function || entry.is_function(STT_GNU_IFUNC))
                    || places.as_ref().is_some_and(|places| !places.contains(&entry.name))
                    || !self.is_name(&strings, &entry, kind, (base, name, version))?
                {
                    continue;
                }
                if !is_function {
                    indirect = true;
                    continue;
                }
                let is_weak = entry.info >> 4 == STB_WEAK;
                let Some(symbol) = self.symbol(&entry)? else { continue };
                match best {
                    Some((before, _)) if before.offset == symbol.offset => {}
                    Some((_, false)) if !is_weak => return Ok(Lookup::Ambiguous),
                    Some(_) if is_weak => {}
                    _ => best = Some((symbol, is_weak)),
                }
            }
            if let Some((symbol, _)) = best {
                return Ok(Lookup::Found(symbol));
            }
        }
        Ok(if indirect { Lookup::Indirect } else { Lookup::Absent(tables) })
    }

    /// Calls `take` with every function whose name fits `pattern` ([`glob`]): of the table of all symbols, or where that has none, of
    /// the dynamic ones. Several names of one place are several calls. What was looked at.
    ///
    /// # Errors
    /// As [`Executable::find`], and those of `take`.
    pub fn matching(&mut self, pattern: &str, take: &mut dyn FnMut(Symbol) -> Result<()>) -> Result<Tables> {
        let mut tables = Tables::default();
        for kind in [SHT_SYMTAB, SHT_DYNSYM] {
            let Some(table) = self.of_kind(kind)? else { continue };
            *(if kind == SHT_DYNSYM { &mut tables.dynsym } else { &mut tables.symtab }) = true;
            let strings = self.linked(table.link)?;
            let mut walk = self.walk(table)?;
            let mut found = false;
            while let Some(entry) = walk.next(self)? {
                if !entry.is_function(STT_FUNC) {
                    continue;
                }
                tables.functions = tables.functions.saturating_add(1);
                let mut name = [0; MAX_NAME_LEN];
                let len = self.fill_some(strings.offset.saturating_add(entry.name.into()), &mut name)?;
                let name = name.get(..len).unwrap_or_default();
                // a longer name fits nothing
                let Some(end) = name.iter().position(|&b| b == 0) else { continue };
                if glob::fits(pattern, name.get(..end).unwrap_or_default())
                    && let Some(symbol) = self.symbol(&entry)?
                {
                    take(symbol)?;
                    found = true;
                }
            }
            if found {
                break;
            }
        }
        Ok(tables)
    }

    /// Where the function is, by its section; `None` for one without instructions in the file.
    fn symbol(&mut self, entry: &Entry) -> Result<Option<Symbol>> {
        let section = self.section(entry.section)?;
        let thumb = self.head.machine == EM_ARM && entry.value & 1 != 0;
        // the bit says which instructions, and is none of the address
        let inside = (entry.value & !u64::from(thumb)).checked_sub(section.addr);
        let offset = inside.and_then(|inside| section.offset.checked_add(inside));
        let offset = offset.filter(|&offset| offset != 0 && section.kind != super::SHT_NOBITS);
        Ok(offset.map(|offset| Symbol { offset, thumb }))
    }

    /// Whether the entry has the name: `base`, in the table of all symbols maybe with a version behind it; and the version.
    fn is_name(
        &mut self,
        strings: &Section,
        entry: &Entry,
        kind: u32,
        (base, whole, version): (&str, &str, Option<&str>),
    ) -> Result<bool> {
        match version {
            Some(version) if kind == SHT_DYNSYM => Ok(self.is_text(strings, entry.name, base.as_bytes())?
                && self.is_version(entry.index, version)?),
            Some(_) => self.is_text(strings, entry.name, whole.as_bytes()),
            // that what stands there begins with the name, `places` has seen, or else it is looked at here
            None => self.begins(strings, entry.name, base.as_bytes()),
        }
    }

    /// Whether `text` stands at `at` of the strings, and behind it a NUL or an `@`.
    fn begins(&mut self, strings: &Section, at: u32, text: &[u8]) -> Result<bool> {
        let mut piece = [0; 1 + MAX_NAME_LEN];
        let Some(piece) = piece.get_mut(..text.len().saturating_add(1)) else { return Ok(false) };
        let len = self.fill_some(strings.offset.saturating_add(at.into()), piece)?;
        let behind = piece.get(..len).unwrap_or_default().strip_prefix(text);
        Ok(matches!(behind, Some([0 | b'@'])))
    }

    /// All places in the strings at which `text` stands, and behind it a NUL or an `@`.
    fn places(&mut self, strings: &Section, text: &[u8]) -> Result<Places> {
        let mut places = Vec::new();
        let mut window = [0u8; WINDOW];
        let step = WINDOW.saturating_sub(text.len());
        // names that are nearly as long as the window are looked at one by one
        if step < WINDOW / 2 {
            return Ok(None);
        }
        let mut at = 0u64;
        while at < strings.size {
            let len = self.fill_some(strings.offset.saturating_add(at), &mut window)?;
            let here = window.get(..len).unwrap_or_default();
            let first = text.first();
            for (place, _) in
                here.iter().enumerate().filter(|(_, b)| Some(*b) == first).take_while(|(p, _)| *p < step)
            {
                let behind = here.get(place..).and_then(|rest| rest.strip_prefix(text));
                if matches!(behind, Some([0 | b'@', ..])) {
                    let place = u32::try_from(at.saturating_add(place as u64)).unwrap_or(u32::MAX);
                    if places.push(place).is_err() {
                        return Ok(None);
                    }
                }
            }
            if len < WINDOW {
                break;
            }
            at = at.saturating_add(step as u64);
        }
        Ok(Some(places))
    }

    /// The table, to be gone through.
    fn walk(&self, table: Section) -> Result<Walk> {
        let count = table.size.checked_div(self.entry_len() as u64).unwrap_or(0);
        match u32::try_from(count) {
            Ok(count) if count <= MAX_EXECUTABLE_SYMBOLS => {
                Ok(Walk { table, count, next: 0, window: [0; WINDOW], filled: 0, place: 0 })
            }
            _ => Err(Error::TooMany { what: Limit::Symbols, limit: MAX_EXECUTABLE_SYMBOLS }),
        }
    }

    fn entry_len(&self) -> usize {
        if self.head.wide { 24 } else { 16 }
    }
}

impl Walk {
    /// The next entry; `None` after the last.
    fn next<F: File>(&mut self, file: &mut Executable<'_, F>) -> Result<Option<Entry>> {
        const PART: Part = Part::Symbols;
        let len = file.entry_len();
        let index = self.next;
        if index >= self.count {
            return Ok(None);
        }
        if self.place >= self.filled {
            let at = u64::from(index).saturating_mul(len as u64);
            self.filled = self.table.size.saturating_sub(at).min(WINDOW as u64) as usize;
            self.place = 0;
            let window = self.window.get_mut(..self.filled).unwrap_or_default();
            file.fill(PART, self.table.offset.saturating_add(at), window)?;
        }
        let record = self.window.get(self.place..).and_then(|rest| rest.get(..len)).unwrap_or_default();
        self.place = self.place.saturating_add(len);
        self.next = index.saturating_add(1);
        let f = file.fields(record, PART);
        Ok(Some(Entry {
            index,
            name: f.word(0, 0)?,
            info: f.bytes.u8(if f.wide { 4 } else { 12 })?,
            section: f.half(14, 6)?,
            value: f.long(4, 8)?,
        }))
    }
}
