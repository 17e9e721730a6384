//! Prototypes of kernel functions that BPF programs may call: those that the kernel's BTF tags `bpf_kfunc` (from 6.10 on).
//!
//! They are weak externs in `.ksyms`, as bpftool writes them, so that a program can ask with `bpf_ksym_exists` whether the
//! kernel it runs on has one. `BPF_NO_KFUNC_PROTOTYPES` leaves them out, for programs that declare them themselves.

use super::names;
use super::print::Printer;
use anyhow::Result;
use corelet_core::btf::{Kind, Type};
use std::collections::BTreeMap;

/// The declaration tag of a kfunc.
const TAG: &str = "bpf_kfunc";

const HEAD: &str = "
#ifndef BPF_NO_KFUNC_PROTOTYPES
#ifndef __ksym
#define __ksym __attribute__((section(\".ksyms\")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif

";
const TAIL: &str = "#endif /* BPF_NO_KFUNC_PROTOTYPES */\n";

/// Adds the prototypes, by name; nothing where the kernel tags none.
pub(super) fn write(text: &mut String, printer: &mut Printer<'_>) -> Result<()> {
    let btf = printer.btf;
    let mut functions: BTreeMap<&str, Type<'_>> = BTreeMap::new();
    for tag in names::all(&btf).filter(|t| t.kind() == Kind::DeclTag && btf.name(t) == TAG) {
        let function = btf.ty(tag.target())?;
        if function.kind() == Kind::Func {
            functions.entry(btf.name(&function)).or_insert(function);
        }
    }
    if functions.is_empty() {
        return Ok(());
    }
    text.push_str(HEAD);
    for (name, function) in functions {
        text.push_str("extern ");
        printer.declare(text, function.target(), name, 0, 0)?;
        text.push_str(" __weak __ksym;\n");
    }
    text.push_str(TAIL);
    Ok(())
}
