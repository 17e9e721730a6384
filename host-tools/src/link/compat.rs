//! Whether two files mean the same by a name: types of functions and variables, definitions of maps.
//!
//! Modifiers and typedefs do not count, nor do names of parameters. Behind a pointer the name of a struct, union or enum is
//! enough, and a forward declaration stands for what it declares; elsewhere their contents must agree. An array of no stated
//! length agrees with one of any length.

use super::input::File;
use crate::btf::shape::{self, Nameless};
use anyhow::{Result, bail, ensure};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Type};
use std::collections::{BTreeMap, HashSet};

/// A type in one of two files.
#[derive(Clone, Copy)]
struct Side<'x, 'a> {
    btf: &'x Btf<'a>,
    id: TypeId,
}

impl<'a> Side<'_, 'a> {
    fn ty(self) -> Result<Type<'a>, String> {
        self.btf.ty(self.id).map_err(|e| e.to_string())
    }
}

/// Holds what `other` says of `name` against what `main` says. What has no type in one of them agrees with all.
///
/// # Errors
/// What differs; the caller names the files, `main` first.
pub(super) fn agree(name: &str, main: &File<'_>, other: &File<'_>) -> Result<()> {
    let (Some(a), Some(b)) = (main.global(name), other.global(name)) else { return Ok(()) };
    let homes = (main.home(a), other.home(b));
    for kernels in [".ksyms", ".kconfig"] {
        ensure!(
            (homes.0 == Some(kernels)) == (homes.1 == Some(kernels)),
            "one takes it from {}, the other does not: is __ksym or __kconfig too much, or missing?",
            if kernels == ".ksyms" { "the kernel" } else { "the kernel's configuration" }
        );
    }
    let a = Side { btf: main.object.btf(), id: a };
    let b = Side { btf: other.object.btf(), id: b };
    if homes.0 == Some(".maps") && homes.1 == Some(".maps") {
        return same_map(a, b);
    }
    let Err(why) = same(a, b) else { return Ok(()) };
    let declared = |side: Side<'_, '_>| {
        let of = side.btf.ty(side.id).map_or(side.id, |t| t.target());
        shape::declare(side.btf, of, name, Nameless::Short)
    };
    bail!("`{}` in one and `{}` in the other ({why})", declared(a), declared(b))
}

/// Definitions of a map: the same attributes, keys and values of the same types.
fn same_map(a: Side<'_, '_>, b: Side<'_, '_>) -> Result<()> {
    let (a, b) = (attributes(a)?, attributes(b)?);
    for name in a.keys().chain(b.keys()) {
        let (Some(&x), Some(&y)) = (a.get(name), b.get(name)) else {
            bail!("only one of the two definitions of the map says `{name}`");
        };
        if matches!(*name, "key" | "value") {
            if let Err(why) = same(pointee(x), pointee(y)) {
                let text = |side: Side<'_, '_>| shape::of(side.btf, pointee(side).id, Nameless::Short);
                bail!("the map's {name} is `{}` in one and `{}` in the other ({why})", text(x), text(y));
            }
        } else if described(x) != described(y) {
            bail!("the map's {name} is {} in one and {} in the other", described(x), described(y));
        }
    }
    Ok(())
}

/// The members of a map's definition by name.
fn attributes<'x, 'a>(var: Side<'x, 'a>) -> Result<BTreeMap<&'a str, Side<'x, 'a>>> {
    let of = var.btf.ty(var.id)?.target();
    let definition = var.btf.skip_mods(of)?;
    ensure!(definition.kind() == Kind::Struct, "no definition of a map in .maps");
    Ok(definition.members().map(|m| (var.btf.string(m.name_off), Side { btf: var.btf, id: m.ty })).collect())
}

/// What a pointer points to; the type itself where it is none.
fn pointee<'x, 'a>(side: Side<'x, 'a>) -> Side<'x, 'a> {
    match side.btf.skip_mods(side.id) {
        Ok(t) if t.kind() == Kind::Ptr => Side { id: t.target(), ..side },
        _ => side,
    }
}

/// An attribute of a map: its number (`__uint` is a pointer to an array of that length), else its type.
fn described(side: Side<'_, '_>) -> String {
    match side.btf.skip_mods(pointee(side).id).ok().and_then(|t| t.array()) {
        Some(array) if pointee(side).id != side.id => array.nelems.to_string(),
        _ => shape::of(side.btf, side.id, Nameless::Whole),
    }
}

/// Holds two types against each other, and what they are made of.
///
/// # Errors
/// What differs, the first type's first.
fn same(a: Side<'_, '_>, b: Side<'_, '_>) -> Result<(), String> {
    let mut todo = vec![(a.id, b.id, true)];
    let mut seen = HashSet::new();
    while let Some(pair) = todo.pop() {
        if !seen.insert(pair) {
            continue;
        }
        let (x, y, exact) = pair;
        let real = |btf: &Btf<'_>, id| btf.skip_mods(id).map_err(|e| e.to_string()).map(|t| t.id);
        let (x, y) = (Side { id: real(a.btf, x)?, ..a }, Side { id: real(b.btf, y)?, ..b });
        step(x, y, exact, &mut todo)?;
    }
    Ok(())
}

/// Compares two types that are no modifiers, and puts what they refer to on the list.
fn step(
    a: Side<'_, '_>,
    b: Side<'_, '_>,
    exact: bool,
    todo: &mut Vec<(TypeId, TypeId, bool)>,
) -> Result<(), String> {
    let (x, y) = (a.ty()?, b.ty()?);
    let shown = |side: Side<'_, '_>| shape::of(side.btf, side.id, Nameless::Short);
    let differ = |what: &str| Err(format!("`{}` and `{}`{what}", shown(a), shown(b)));
    let names = (a.btf.name(&x), b.btf.name(&y));
    if sort(&x) != sort(&y) {
        return differ("");
    }
    match x.kind() {
        Kind::Void => {}
        Kind::Int | Kind::Float if (x.size(), x.int()) != (y.size(), y.int()) => return differ(""),
        Kind::Int | Kind::Float => {}
        Kind::Ptr => todo.push((x.target(), y.target(), false)),
        Kind::Func | Kind::Var => todo.push((x.target(), y.target(), exact)),
        Kind::Array => {
            let (Some(p), Some(q)) = (x.array(), y.array()) else { return differ("") };
            if p.nelems != q.nelems && p.nelems != 0 && q.nelems != 0 {
                return differ("");
            }
            todo.push((p.elem, q.elem, exact));
        }
        Kind::FuncProto => {
            if x.vlen() != y.vlen() {
                return differ("");
            }
            todo.push((x.target(), y.target(), exact));
            todo.extend(x.params().zip(y.params()).map(|(p, q)| (p.ty, q.ty, exact)));
        }
        _ if names.0 != names.1 => return differ(""),
        _ if !exact || x.kind() == Kind::Fwd || y.kind() == Kind::Fwd => {}
        Kind::Struct | Kind::Union => {
            if (x.size(), x.vlen()) != (y.size(), y.vlen()) {
                return differ(&format!(": {} bytes and {}", x.size(), y.size()));
            }
            for (m, n) in x.members().zip(y.members()) {
                let name = (a.btf.string(m.name_off), b.btf.string(n.name_off));
                let place = |m: corelet_core::btf::Member| (m.bit_offset, m.bitfield_size);
                if name.0 != name.1 || place(m) != place(n) {
                    return differ(&format!(": members {} and {}", name.0, name.1));
                }
                todo.push((m.ty, n.ty, true));
            }
        }
        // an enum without enumerators is only declared
        Kind::Enum | Kind::Enum64 if x.vlen() > 0 && y.vlen() > 0 => {
            let all = |btf: &Btf<'_>, t: Type<'_>| -> Vec<(String, u64)> {
                t.enumerators().map(|e| (btf.string(e.name_off).to_owned(), e.value)).collect()
            };
            if x.size() != y.size() || all(a.btf, x) != all(b.btf, y) {
                return differ(": other enumerators");
            }
        }
        _ => {}
    }
    Ok(())
}

/// Kinds that can agree have the same sort.
fn sort(t: &Type<'_>) -> Kind {
    match (t.kind(), t.kflag()) {
        (Kind::Fwd, false) => Kind::Struct,
        (Kind::Fwd, true) => Kind::Union,
        (Kind::Enum64, _) => Kind::Enum,
        (kind, _) => kind,
    }
}
