//! Functions by name, as `elf_find_func_offset` and `elf_resolve_pattern_offsets` of libbpf's `src/elf.c` find them.

use super::{Executable, File, Head, RECORD_LEN, Record, SHT_NOBITS, Section, TEXT_LEN, glob};
use crate::bytes::pieces;
use crate::error::{Error, Limit, Part, Result};
use crate::limits::MAX_EXECUTABLE_SYMBOLS;
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
    /// Whether it is of this type, one of `STT_*`.
    fn is(&self, kind: u8) -> bool {
        self.info & 15 == kind
    }
}

/// Where in the strings a name can stand; `None` where that is at more places than fit here.
type Places = Option<Vec<u32, PLACES>>;

/// What is done with a function and its name.
type Each<'x, 'f, F> = &'x mut dyn FnMut(&mut Executable<'f, F>, &Entry, &[u8]) -> Result<()>;

impl<'f, F: File> Executable<'f, F> {
    /// Looks for a function, as `NAME`, `NAME@VERSION` or `NAME@@VERSION`: first among the dynamic symbols. A weak one yields to
    /// one that is not.
    ///
    /// # Errors
    /// Those of a file that is broken, and of reading.
    pub fn find(&mut self, name: &str) -> Result<Lookup> {
        let end = name.bytes().position(|b| b == b'@').unwrap_or(name.len());
        let (base, version) = name.split_at_checked(end).unwrap_or_default();
        let version = version.trim_start_matches('@');
        let (mut tables, mut indirect, mut ambiguous) = (Tables::default(), false, false);
        for kind in [SHT_DYNSYM, SHT_SYMTAB] {
            let mut best: Option<(Symbol, bool)> = None;
            self.functions(kind, &mut tables, base.as_bytes(), &mut |file, entry, found| {
                let fits = match found.strip_prefix(base.as_bytes()) {
                    // in the table of all symbols the version is part of the name
                    Some([] | [b'@', ..]) if version.is_empty() => true,
                    Some([]) if kind == SHT_DYNSYM => file.is_version(entry.index, version)?,
                    _ => found == name.as_bytes(),
                };
                if !fits {
                    return Ok(());
                }
                let Some(symbol) = file.symbol(entry)?.filter(|_| !entry.is(STT_GNU_IFUNC)) else {
                    indirect |= entry.is(STT_GNU_IFUNC);
                    return Ok(());
                };
                let is_weak = entry.info >> 4 == STB_WEAK;
                match best {
                    Some((before, _)) if before.offset == symbol.offset => {}
                    Some((_, false)) if !is_weak => ambiguous = true,
                    Some(_) if is_weak => {}
                    _ => best = Some((symbol, is_weak)),
                }
                Ok(())
            })?;
            if ambiguous {
                return Ok(Lookup::Ambiguous);
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
        let (mut tables, mut any) = (Tables::default(), false);
        for kind in [SHT_SYMTAB, SHT_DYNSYM] {
            self.functions(kind, &mut tables, &[], &mut |file, entry, name| {
                if entry.is(STT_FUNC)
                    && glob::fits(pattern, name)
                    && let Some(symbol) = file.symbol(entry)?
                {
                    any = true;
                    take(symbol)?;
                }
                Ok(())
            })?;
            if any {
                break;
            }
        }
        Ok(tables)
    }

    /// Does `each` with every function of a table that can have a name which begins with `name`.
    #[inline(never)]
    fn functions(
        &mut self,
        kind: u32,
        tables: &mut Tables,
        name: &[u8],
        each: Each<'_, 'f, F>,
    ) -> Result<()> {
        const PART: Part = Part::Symbols;
        let Some(table) = self.find_section(kind, "")? else { return Ok(()) };
        *(if kind == SHT_DYNSYM { &mut tables.dynsym } else { &mut tables.symtab }) = true;
        let strings = self.section(table.link)?;
        let places = self.places(&strings, name)?;
        let len = if self.head.wide { 24 } else { 16 };
        if table.size > u64::from(MAX_EXECUTABLE_SYMBOLS).saturating_mul(len as u64) {
            return Err(Error::TooMany { what: Limit::Symbols, limit: MAX_EXECUTABLE_SYMBOLS });
        }
        let mut window = [0; WINDOW];
        let (mut at, mut index) = (0, 0u32);
        while at < table.size {
            let window = window.get_mut(..table.size.saturating_sub(at).min(WINDOW as u64) as usize);
            let window = window.unwrap_or_default();
            self.fill(PART, table.offset.saturating_add(at), window)?;
            at = at.saturating_add(WINDOW as u64);
            for bytes in pieces(window, len) {
                let Head { wide, big_endian, .. } = self.head;
                let mut r = Record { bytes: [0; RECORD_LEN], wide, big_endian };
                r.bytes.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
                let entry = Entry {
                    index,
                    name: r.word(0, 0),
                    info: r.number(if wide { 4 } else { 12 }, 1) as u8,
                    section: r.half(14, 6),
                    value: r.long(4, 8),
                };
                index = index.saturating_add(1);
                if !(1..SHN_LORESERVE).contains(&entry.section)
                    || !(entry.is(STT_FUNC) || entry.is(STT_GNU_IFUNC))
                {
                    continue;
                }
                tables.functions = tables.functions.saturating_add(entry.is(STT_FUNC).into());
                if places.as_ref().is_none_or(|places| places.contains(&entry.name)) {
                    let mut text = [0; TEXT_LEN];
                    let name = self.text(&strings, entry.name, &mut text)?;
                    each(self, &entry, name)?;
                }
            }
        }
        Ok(())
    }

    /// Where the function is, by its section; `None` for one without instructions in the file.
    #[inline(never)]
    fn symbol(&mut self, entry: &Entry) -> Result<Option<Symbol>> {
        let section = self.section(entry.section.into())?;
        let thumb = self.head.machine == EM_ARM && entry.value & 1 != 0;
        // the bit says which instructions, and is none of the address
        let inside = (entry.value & !u64::from(thumb)).checked_sub(section.addr);
        let offset = inside.and_then(|inside| section.offset.checked_add(inside));
        let offset = offset.filter(|&offset| offset != 0 && section.kind != SHT_NOBITS);
        Ok(offset.map(|offset| Symbol { offset, thumb }))
    }

    /// All places in the strings at which `text` stands, and behind it a NUL or an `@`.
    #[inline(never)]
    fn places(&mut self, strings: &Section, text: &[u8]) -> Result<Places> {
        let mut places = Vec::new();
        let mut window = [0u8; WINDOW];
        // no name, or one that is nearly as long as the window: all are looked at one by one
        let step = WINDOW.saturating_sub(text.len());
        if text.is_empty() || step < WINDOW / 2 {
            return Ok(None);
        }
        let mut at = 0u64;
        while at < strings.size {
            let len = self.fill_some(strings.offset.saturating_add(at), &mut window)?;
            for place in 0..step.min(len) {
                let rest = window.get(place..len).unwrap_or_default();
                if rest.first() == text.first()
                    && matches!(rest.strip_prefix(text), Some([0 | b'@', ..]))
                    && places.push((at as u32).saturating_add(place as u32)).is_err()
                {
                    return Ok(None);
                }
            }
            if len < WINDOW {
                break;
            }
            at = at.saturating_add(step as u64);
        }
        Ok(Some(places))
    }
}
