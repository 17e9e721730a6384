//! What an object expects the kernel or its configuration to define.
//! Source: `bpf_object__collect_externs`, `find_kcfg_type` and `cmp_externs`, libbpf `src/libbpf.c`.
//! Time: a walk over both DATASECs and over the symbols for each extern, of which each has a symbol of its own name.

use super::{Fault, Object};
use crate::btf::{Btf, Kind, Type, encoding};
use crate::elf::{STB_WEAK, Symbol};
use crate::error::{Error, Result};
use crate::id::TypeId;
use core::cmp::Reverse;

/// An extern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extern<'a> {
    /// Its number: place in [`Object::externs`].
    pub index: u32,
    /// Number of its symbol.
    pub symbol: u32,
    /// Its name; a flavor behind `___` belongs to it.
    pub name: &'a str,
    /// Its VAR or FUNC.
    pub ty: TypeId,
    /// Whether it may be missing.
    pub weak: bool,
    /// What it is.
    pub kind: ExternKind,
}

/// What an extern is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternKind {
    /// A value in the virtual section `.kconfig`: `CONFIG_*`, `LINUX_*`.
    Kconfig {
        /// Offset in the section, in bytes.
        offset: u32,
        /// Bytes.
        size: u32,
        /// What values it takes.
        value: KconfigType,
    },
    /// A variable of the kernel.
    Ksym {
        /// Its type behind modifiers and typedefs; void where it is declared as such, and only its address is asked for.
        ty: TypeId,
    },
    /// A function of the kernel.
    Kfunc,
}

/// What values a configuration extern takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KconfigType {
    /// `bool`.
    Bool,
    /// `enum libbpf_tristate`: n, y, m as 0, 1, 2.
    Tristate,
    /// One byte: a character, or a small number.
    Char {
        /// Whether numbers can be negative.
        signed: bool,
    },
    /// An integer of the extern's size.
    Int {
        /// Whether it can be negative.
        signed: bool,
    },
    /// A string.
    CharArray,
}

/// The order of externs: configuration first, by alignment downwards and size upwards, then the kernel's; by name at last.
type Key<'a> = (bool, Reverse<u32>, u32, &'a str);

impl<'a> Object<'a> {
    /// All externs in libbpf's order: configuration values by alignment (largest first), then size (smallest first), then
    /// name, which is also how they lie in `.kconfig`, each aligned; then variables and functions of the kernel by name.
    ///
    /// # Errors
    /// [`Error::Extern`], and then no more externs.
    pub fn externs(&self) -> impl Iterator<Item = Result<Extern<'a>>> + use<'a> {
        let object = *self;
        let mut state = Some((None::<Key<'a>>, 0u32, 0u32));
        core::iter::from_fn(move || {
            let (last, index, used) = state.take()?;
            match object.next_extern(last, index, used) {
                Ok(None) => None,
                Ok(Some((key, e))) => {
                    let end = match e.kind {
                        ExternKind::Kconfig { offset, size, .. } => offset.saturating_add(size),
                        _ => used,
                    };
                    state = Some((Some(key), index.saturating_add(1), end));
                    Some(Ok(e))
                }
                Err(e) => Some(Err(e)),
            }
        })
    }

    /// Bytes of the virtual section `.kconfig`; 0 where there is none.
    pub fn kconfig_size(&self) -> Result<u32> {
        let mut end = 0;
        for e in self.externs() {
            if let ExternKind::Kconfig { offset, size, .. } = e?.kind {
                end = offset.saturating_add(size);
            }
        }
        Ok(end)
    }

    /// The VAR or FUNC of name `name` in `.ksyms`.
    pub(super) fn ksym(&self, name: &str) -> Option<Type<'a>> {
        let elements = self.ksyms.into_iter().flat_map(|d| d.vars()).filter_map(|v| self.btf.ty(v.ty).ok());
        elements.into_iter().find(|t| self.btf.name(t) == name)
    }

    fn next_extern(
        &self,
        last: Option<Key<'a>>,
        index: u32,
        used: u32,
    ) -> Result<Option<(Key<'a>, Extern<'a>)>> {
        let mut best: Option<(Key<'a>, Type<'a>)> = None;
        for (kernel, datasec) in [(false, self.kconfig), (true, self.ksyms)] {
            for v in datasec.into_iter().flat_map(|d| d.vars()) {
                let t = self.btf.ty(v.ty)?;
                let key = self.key(kernel, &t)?;
                if last.is_none_or(|l| key > l) && best.is_none_or(|(b, _)| key < b) {
                    best = Some((key, t));
                }
            }
        }
        let Some((key, t)) = best else { return Ok(None) };
        let (kernel, Reverse(align), size, name) = key;
        let symbol = self.elf.symbols().find(|s| s.is_extern() && s.name == name);
        let symbol: Symbol<'a> = symbol.ok_or(Error::Extern { id: t.id, fault: Fault::NoExternSymbol })?;
        let kind = match (kernel, t.kind()) {
            (false, _) => ExternKind::Kconfig {
                offset: used.checked_next_multiple_of(align).unwrap_or(u32::MAX),
                size,
                value: kconfig_type(&self.btf, &t)?,
            },
            (true, Kind::Func) => ExternKind::Kfunc,
            (true, _) => ExternKind::Ksym { ty: self.btf.skip_mods(t.target())?.id },
        };
        let weak = symbol.bind == STB_WEAK;
        Ok(Some((key, Extern { index, symbol: symbol.index, name, ty: t.id, weak, kind })))
    }

    fn key(&self, kernel: bool, t: &Type<'a>) -> Result<Key<'a>> {
        let name = self.btf.name(t);
        match t.kind() {
            Kind::Var if !kernel => {
                kconfig_type(&self.btf, t)?;
                let size = self.btf.size_of(t.target())?;
                // An array is aligned as its elements, which are characters.
                let align = if self.btf.skip_mods(t.target())?.kind() == Kind::Array { 1 } else { size };
                Ok((false, Reverse(align), size, name))
            }
            Kind::Func if !kernel => Err(Error::Extern { id: t.id, fault: Fault::KconfigFunction }),
            Kind::Var | Kind::Func => Ok((true, Reverse(0), 0, name)),
            _ => Err(Error::WrongKind { id: t.id, kind: t.kind_number() }),
        }
    }
}

/// What values the configuration extern `var` takes.
fn kconfig_type(btf: &Btf<'_>, var: &Type<'_>) -> Result<KconfigType> {
    let bad = Error::Extern { id: var.id, fault: Fault::BadKconfigType };
    let t = btf.skip_mods(var.target())?;
    if let Some(a) = t.array() {
        let element = scalar_type(btf, &btf.skip_mods(a.elem)?);
        let is_char = matches!(element, Some(KconfigType::Char { .. }));
        return if is_char && a.nelems > 0 { Ok(KconfigType::CharArray) } else { Err(bad) };
    }
    scalar_type(btf, &t).ok_or(bad)
}

fn scalar_type(btf: &Btf<'_>, t: &Type<'_>) -> Option<KconfigType> {
    if t.kind().is_enum() {
        let tristate = btf.name(t) == "libbpf_tristate" && t.size() == 4;
        return tristate.then_some(KconfigType::Tristate);
    }
    let bits = t.int()?.encoding;
    let signed = bits & encoding::SIGNED != 0;
    match (bits & encoding::BOOL != 0, t.size()) {
        (true, 1) => Some(KconfigType::Bool),
        (false, 1) => Some(KconfigType::Char { signed }),
        (false, 2 | 4 | 8) => Some(KconfigType::Int { signed }),
        _ => None,
    }
}
