//! BTF as C: a header that BPF programs include as `vmlinux.h`.
//!
//! What is promised, for clang compiling for BPF:
//!
//! - The header compiles, alone and before libbpf's headers.
//! - Of a 64-bit kernel's types every offset and every size is the kernel's (`layout.rs`); `--asserts` prints that as
//!   assertions. Types of a 32-bit kernel that hold pointers cannot be: a pointer has 8 bytes for BPF. They keep their
//!   members; CO-RE takes offsets from the kernel, and libbpf and core adjust the width of a pointer's load.
//! - Integers have the size that they have in the kernel (`scalar.rs`).
//! - Names that occur twice get a flavor (`names.rs`).
//! - Kernel functions that programs may call follow as prototypes (`kfuncs.rs`).
//!
//! Not carried over: other functions and variables, which are no types; declaration tags, which mean nothing to a BPF
//! compile.
//! The text depends on the BTF alone. Of several kernels one header is made by `union`.

mod asserts;
mod decl;
mod kfuncs;
mod layout;
mod names;
mod order;
mod print;
mod scalar;
pub mod union;

#[cfg(test)]
mod tests;

use anyhow::{Result, bail};
use corelet_core::btf::{Btf, Kind, Type};
use corelet_core::id::TypeId;

use order::Step;
use print::Printer;

const HEAD: &str = "\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif
";

const TAIL: &str = "
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
";

/// What to print.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of types, with or without `struct`, `union` or `enum`; they are printed with what they need. All types where
    /// there are none.
    pub types: Vec<String>,
    /// Whether assertions of the sizes and offsets follow the types.
    pub asserts: bool,
}

/// Prints `btf` as C.
///
/// # Errors
/// A type that `options` names and the BTF lacks; types that no C compiler could have made.
pub fn to_c(btf: &Btf<'_>, options: &Options) -> Result<String> {
    print(Printer::new(btf), options, "")
}

/// Prints the types of several kernels as C.
///
/// # Errors
/// As [`to_c`].
pub fn union_to_c(merged: &union::Merged, options: &Options) -> Result<String> {
    let btf = merged.btf.view();
    let mut printer = Printer::new(&btf);
    printer.layouts = layout::Layouts::without(&btf, &merged.inexact);
    print(printer, options, &merged.remarks)
}

fn print(mut printer: Printer<'_>, options: &Options, remarks: &str) -> Result<String> {
    let btf = &printer.btf.clone();
    let roots = roots(btf, &options.types)?;
    let (enum_roots, roots): (Vec<TypeId>, Vec<TypeId>) =
        roots.into_iter().partition(|&id| btf.ty(id).is_ok_and(|t| t.kind().is_enum()));
    let order = order::order(btf, &printer.names, &roots)?;

    // Enums depend on nothing. Anonymous ones that a type mentions are printed within that type.
    let mut text = String::new();
    let mut enums = order.enums.clone();
    enums.extend(enum_roots);
    for &id in &enums {
        let t = btf.ty(id)?;
        if names::is_forward(&t) {
            if printer.names.complete(id) == id && t.name_off != 0 {
                text.push('\n');
                printer.forward(&mut text, &t);
            }
        } else if t.name_off != 0 || !order.enums.contains(&id) {
            define(&mut text, &mut printer, &t)?;
        }
    }
    for step in &order.steps {
        match *step {
            Step::Declare(id) => {
                text.push('\n');
                printer.forward(&mut text, &btf.ty(id)?);
            }
            Step::Define(id) => {
                define(&mut text, &mut printer, &btf.ty(id)?)?;
            }
        }
    }
    if options.types.is_empty() {
        kfuncs::write(&mut text, &mut printer)?;
    }
    if options.asserts {
        asserts::write(&mut text, &mut printer, &order.steps)?;
    }
    Ok([HEAD, &text, remarks, TAIL].concat())
}

/// One definition after an empty line. `bool`, `true` and `false` are words of the language from C23 on, where kernels'
/// own are no longer C.
fn define<'b>(text: &mut String, printer: &mut Printer<'b>, t: &Type<'b>) -> Result<()> {
    let btf = printer.btf;
    let in_c23 = btf.name(t) == "bool" && t.kind() == Kind::Typedef
        || t.enumerators().any(|e| matches!(btf.string(e.name_off), "true" | "false"));
    text.push('\n');
    if in_c23 {
        text.push_str("#if __STDC_VERSION__ < 202311L\n");
    }
    printer.define(text, t)?;
    if in_c23 {
        text.push_str("#endif\n");
    }
    Ok(())
}

/// Ids of the types to print: those with a name in `wanted`, or all.
fn roots(btf: &Btf<'_>, wanted: &[String]) -> Result<Vec<TypeId>> {
    let printable = |t: &Type<'_>| match t.kind() {
        Kind::Struct | Kind::Union => t.name_off != 0,
        Kind::Typedef => !names::is_builtin(btf, t),
        kind => kind.is_enum(),
    };
    let mut found = vec![false; wanted.len()];
    let mut roots = Vec::new();
    for t in names::all(btf).filter(printable) {
        let mut take = wanted.is_empty();
        for (wanted, found) in wanted.iter().zip(&mut found) {
            if is_called(btf, &t, wanted) {
                *found = true;
                take = true;
            }
        }
        if take {
            roots.push(t.id);
        }
    }
    if let Some(at) = found.iter().position(|found| !found) {
        bail!("no type is called {}{}", wanted[at], hint(btf, &wanted[at]));
    }
    Ok(roots)
}

fn is_called(btf: &Btf<'_>, t: &Type<'_>, wanted: &str) -> bool {
    match wanted.split_once(' ') {
        Some((word, name)) => names::tag_word(t) == Some(word) && btf.name(t) == name.trim(),
        None => btf.name(t) == wanted,
    }
}

/// Names that hold the wanted one, or the remark that the kernel only declares it.
fn hint(btf: &Btf<'_>, wanted: &str) -> String {
    let name = wanted.split_once(' ').map_or(wanted, |(_, name)| name.trim());
    let mut near = std::collections::BTreeSet::new();
    for t in names::all(btf).filter(|t| names::tag_word(t).is_some() || t.kind() == Kind::Typedef) {
        let this = btf.name(&t);
        if this == name && t.kind() == Kind::Fwd {
            return " with members: the kernel's types only declare it".to_owned();
        }
        if this.contains(name) {
            near.insert(this);
        }
    }
    // The shortest is the nearest.
    match near.into_iter().min_by_key(|name| name.len()) {
        Some(name) => format!("; did you mean {name}?"),
        None => String::new(),
    }
}
