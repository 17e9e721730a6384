//! Assertions that the header has the kernel's layout: the size of each struct and union, and offset and size of each member
//! that C can name. Bitfields have no offset in C; of types with a 32-bit kernel's pointers nothing is asserted.

use std::fmt::Write;

use anyhow::Result;
use corelet_core::btf::{Btf, Kind, Type};
use corelet_core::id::TypeId;

use super::layout::{Item, MAX_NESTING};
use super::names;
use super::order::Step;
use super::print::Printer;

/// Appends the assertions of every struct and union that `steps` define, by tag or by typedef.
pub(super) fn write(out: &mut String, printer: &mut Printer<'_>, steps: &[Step]) -> Result<()> {
    out.push_str("\n#define ___layout(at, what) _Static_assert(at, what \" differs from the kernel's\")\n");
    for step in steps {
        let Step::Define(id) = *step else { continue };
        let named = printer.btf.ty(id)?;
        let t = match named.kind() {
            Kind::Typedef => printer.btf.ty(named.target())?,
            _ => named,
        };
        let is_named_struct = named.kind() == Kind::Typedef && t.name_off != 0;
        if !t.kind().is_composite() || is_named_struct || !printer.layouts.of(t.id)?.is_some_and(|l| l.exact)
        {
            continue;
        }
        let name = printer.names.of(&printer.btf, id);
        let c = match named.kind() {
            Kind::Typedef => name.to_owned(),
            _ => format!("{} {name}", names::tag_word(&t).unwrap_or_default()),
        };
        let _ = writeln!(out, "___layout(sizeof({c}) == {}, \"size of {c}\");", t.size());
        members(out, printer, &c, &t, 0, 0)?;
    }
    Ok(())
}

fn members<'b>(
    out: &mut String,
    printer: &mut Printer<'b>,
    c: &str,
    t: &Type<'b>,
    base: u64,
    depth: usize,
) -> Result<()> {
    let btf = printer.btf;
    for item in printer.layouts.plan(t)?.items {
        let Item::Member { index, bits: 0 } = item else { continue };
        let Some(m) = t.member(index) else { continue };
        let at = base + u64::from(m.bit_offset / 8);
        let inner = btf.skip_mods(m.ty)?;
        let name = names::member(btf.string(m.name_off));
        if !name.is_empty() {
            printer.spend(2 * c.len() + name.len() + 64)?;
            let _ = writeln!(
                out,
                "___layout(__builtin_offsetof({c}, {name}) == {at}, \"offset of {c}.{name}\");"
            );
            // A va_list is the compiler's, and BPF's is another one.
            if !names::is_builtin(&btf, &behind_typedefs(&btf, m.ty)?) {
                let size = btf.size_of(m.ty)?;
                let _ =
                    writeln!(out, "___layout(sizeof((({c} *)0)->{name}) == {size}, \"size of {c}.{name}\");");
            }
        } else if inner.kind().is_composite() && depth < MAX_NESTING {
            members(out, printer, c, &inner, at, depth + 1)?;
        }
    }
    Ok(())
}

/// The last typedef of the chain that starts at `id`, `id` itself where there is none or it is a builtin one.
fn behind_typedefs<'b>(btf: &Btf<'b>, id: TypeId) -> Result<Type<'b>> {
    let mut t = btf.ty(id)?;
    while t.kind() == Kind::Typedef && !names::is_builtin(btf, &t) {
        t = btf.ty(t.target())?;
    }
    Ok(t)
}
