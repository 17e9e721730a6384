//! Functions of an object: entry programs and subprograms.
//! Source: `bpf_object__add_programs` and `cmp_progs`, libbpf `src/libbpf.c`.
//! Time: a walk over the symbols for each function.

use super::{Fault, Object};
use crate::elf::{STB_LOCAL, STT_FUNC, Symbol};
use crate::error::{Error, Limit, Result};
use crate::insn::INSN_SIZE;
use crate::limits;

/// One function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its number: place in [`Object::functions`].
    pub index: u32,
    /// Name of its symbol. Static functions of one object can share a name.
    pub name: &'a str,
    /// Number of its section.
    pub section: u16,
    /// Name of its section, without the `?` that turns loading off.
    pub section_name: &'a str,
    /// Start in its section, in bytes.
    pub start: u32,
    /// Its instructions, in the object's byte order.
    pub insns: &'a [u8],
    /// Whether it is visible outside its file (not static, not hidden): a global function is verified by itself.
    pub global: bool,
    /// An entry program, as opposed to a subprogram in `.text`.
    pub entry: bool,
    /// Whether it is loaded unless asked not to: false where the section's name starts with `?`.
    pub autoload: bool,
}

impl Function<'_> {
    /// Number of its instructions.
    pub fn insn_count(&self) -> u32 {
        (self.insns.len() / INSN_SIZE) as u32
    }

    /// The instruction at byte `at` of section `section`, if it is in this function.
    pub(super) fn insn_at(&self, section: u16, at: u64) -> Option<u32> {
        let from_start = at.checked_sub(self.start.into())?;
        let inside = section == self.section && from_start < self.insns.len() as u64;
        from_start.checked_div(INSN_SIZE as u64).filter(|_| inside).map(|i| i as u32)
    }
}

impl<'a> Object<'a> {
    /// All functions, by section and then by offset.
    pub fn functions(&self) -> impl Iterator<Item = Function<'a>> + use<'a> {
        let object = *self;
        let mut last: Option<Function<'a>> = None;
        core::iter::from_fn(move || {
            last = object.next_function(last).ok().flatten();
            last
        })
    }

    /// The function of number `index`.
    pub fn function(&self, index: u32) -> Option<Function<'a>> {
        self.functions().nth(index as usize)
    }

    /// Proves what [`Object::functions`] relies on.
    pub(super) fn check_functions(&self) -> Result<()> {
        let mut last = None;
        while let Some(f) = self.next_function(last)? {
            if f.index >= limits::MAX_FUNCTIONS {
                return Err(Error::TooMany { what: Limit::Functions, limit: limits::MAX_FUNCTIONS });
            }
            last = Some(f);
        }
        Ok(())
    }

    /// The function behind `last`, in order.
    pub(super) fn next_function(&self, last: Option<Function<'a>>) -> Result<Option<Function<'a>>> {
        let after = last.map(|f| (f.section, u64::from(f.start)));
        let mut best: Option<Symbol<'a>> = None;
        let mut twins = false;
        for s in self.function_symbols() {
            let key = (s.section, s.value);
            if after.is_some_and(|a| key <= a) {
                continue;
            }
            match best.map(|b| key.cmp(&(b.section, b.value))) {
                None | Some(core::cmp::Ordering::Less) => (best, twins) = (Some(s), false),
                Some(core::cmp::Ordering::Equal) => twins = true,
                Some(core::cmp::Ordering::Greater) => {}
            }
        }
        let Some(symbol) = best else { return Ok(None) };
        let index = last.map_or(0, |f| f.index.saturating_add(1));
        let f = self.function_of(&symbol, index)?;
        let overlaps = last.is_some_and(|l| {
            l.section == f.section && (f.start.saturating_sub(l.start) as usize) < l.insns.len()
        });
        if twins || overlaps {
            return Err(Object::fault(f.section, f.start.into(), Fault::OverlappingFunctions));
        }
        Ok(Some(f))
    }

    /// The function that holds byte `at` of section `section`; `None` between functions, where the linker left the code of
    /// an overridden weak function.
    pub(super) fn function_at(&self, section: u16, at: u64) -> Result<Option<Function<'a>>> {
        let (mut index, mut best) = (0u32, None::<Symbol<'a>>);
        for s in self.function_symbols() {
            if (s.section, s.value) > (section, at) {
                continue;
            }
            index = index.saturating_add(1);
            if s.section == section && best.is_none_or(|b| s.value > b.value) {
                best = Some(s);
            }
        }
        let Some(symbol) = best else { return Ok(None) };
        let f = self.function_of(&symbol, index.saturating_sub(1))?;
        Ok(f.insn_at(section, at).map(|_| f))
    }

    /// Symbols of functions, unnamed and in the order of the file.
    fn function_symbols(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let elf = self.elf;
        elf.unnamed_symbols().filter(move |s| s.kind == STT_FUNC && elf.is_executable(s.section))
    }

    fn function_of(&self, symbol: &Symbol<'a>, index: u32) -> Result<Function<'a>> {
        let section = self.elf.section(symbol.section)?;
        let fault = |fault| Object::fault(section.index, symbol.value, fault);
        let insn = INSN_SIZE as u64;
        if symbol.size == 0 {
            return Err(fault(Fault::EmptyFunction));
        }
        if !symbol.value.is_multiple_of(insn) || !symbol.size.is_multiple_of(insn) {
            return Err(fault(Fault::UnalignedFunction));
        }
        let range = usize::try_from(symbol.value).ok().zip(usize::try_from(symbol.size).ok());
        let insns = range.and_then(|(at, len)| section.data.get(at..at.checked_add(len)?));
        let insns = insns.ok_or(fault(Fault::LongFunction))?;
        let entry = self.text != Some(section.index);
        if entry && symbol.bind == STB_LOCAL {
            return Err(fault(Fault::StaticProgram));
        }
        // STV_INTERNAL and STV_HIDDEN: libbpf marks such functions static in the BTF.
        let hidden = matches!(symbol.visibility, 1 | 2);
        let stripped = section.name.strip_prefix('?');
        Ok(Function {
            index,
            name: self.elf.symbol(symbol.index)?.name,
            section: section.index,
            section_name: stripped.unwrap_or(section.name),
            start: u32::try_from(symbol.value).map_err(|_| fault(Fault::LongFunction))?,
            insns,
            global: symbol.bind != STB_LOCAL && !hidden,
            entry,
            autoload: stripped.is_none(),
        })
    }
}
