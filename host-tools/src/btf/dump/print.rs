//! Definitions: structs, unions, enums, typedefs.

use std::collections::HashSet;
use std::fmt::Write;

use anyhow::{Result, bail};
use corelet_core::btf::{Btf, Type};
use corelet_core::id::TypeId;

use super::layout::{Item, Layouts, MAX_NESTING};
use super::names::{self, Names};
use super::scalar;

/// The longest text that is made. A kernel's has about 4 MiB; hostile BTF can ask for any amount.
const MAX_TEXT: usize = 512 << 20;
/// Gaps from this many bits on are arrays of bytes, those below unnamed bitfields, which leave no trace in an object.
const BIG_GAP: u64 = 1024;

/// Prints the types of one BTF.
pub(super) struct Printer<'b> {
    pub(super) btf: Btf<'b>,
    pub(super) names: Names<'b>,
    pub(super) layouts: Layouts<'b>,
    /// Anonymous enums that were printed: a second time their enumerators need other names.
    printed: HashSet<TypeId>,
    /// Members that pad, in the type that is printed: within anonymous ones too each needs a name of its own.
    pads: u32,
    spent: usize,
}

impl<'b> Printer<'b> {
    pub(super) fn new(btf: &Btf<'b>) -> Printer<'b> {
        Printer {
            btf: *btf,
            names: Names::new(btf),
            layouts: Layouts::new(btf),
            printed: HashSet::new(),
            pads: 0,
            spent: 0,
        }
    }

    /// Counts `bytes` of text.
    ///
    /// # Errors
    /// Past [`MAX_TEXT`].
    pub(super) fn spend(&mut self, bytes: usize) -> Result<()> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > MAX_TEXT {
            bail!("the types make more than {} MiB of C; no kernel's do", MAX_TEXT >> 20);
        }
        Ok(())
    }

    /// A named struct or union, a typedef, or an enum, with its semicolon.
    pub(super) fn define(&mut self, out: &mut String, t: &Type<'b>) -> Result<()> {
        if t.kind().is_composite() {
            self.composite(out, t, 0, 0)?;
        } else if t.kind().is_enum() {
            self.enumeration(out, t, 0, false)?;
        } else {
            out.push_str("typedef ");
            let name = self.names.of(&self.btf, t.id).to_owned();
            self.declare(out, t.target(), &name, 0, 0)?;
        }
        out.push_str(";\n");
        Ok(())
    }

    /// A declaration of a struct, union or enum that is defined later or nowhere.
    pub(super) fn forward(&mut self, out: &mut String, t: &Type<'b>) {
        let word = names::tag_word(t).unwrap_or_default();
        let _ = write!(out, "{word} {}", self.names.of(&self.btf, t.id));
        if t.kind().is_enum() {
            // Complete with its type, so that it can be used by value.
            let _ = write!(out, " : {}", scalar::by_size(t.size(), t.kflag()).unwrap_or("unsigned int"));
        }
        out.push_str(";\n");
    }

    /// `struct x { … }`, without its tag where it has none.
    pub(super) fn composite(
        &mut self,
        out: &mut String,
        t: &Type<'b>,
        level: usize,
        depth: usize,
    ) -> Result<()> {
        let word = names::tag_word(t).unwrap_or_default();
        out.push_str(word);
        if t.name_off != 0 {
            let _ = write!(out, " {}", self.names.of(&self.btf, t.id));
        }
        self.body(out, t, level, depth)
    }

    fn body(&mut self, out: &mut String, t: &Type<'b>, level: usize, depth: usize) -> Result<()> {
        if depth > MAX_NESTING {
            bail!("type {}: contains itself, or nests deeper than {MAX_NESTING} levels", t.id);
        }
        let plan = self.layouts.plan(t)?;
        if depth == 0 {
            self.pads = 0;
        }
        out.push_str(" {");
        for item in &plan.items {
            self.spend(32)?;
            let inside = level + 1;
            match *item {
                Item::Member { index, bits } => self.member(out, t, index, bits, inside, depth)?,
                Item::Gap { from, to } if names::tag_word(t) == Some("struct") => {
                    gap(out, from, to, inside, &mut self.pads);
                }
                Item::Gap { to, .. } => {
                    line(out, inside);
                    let _ = write!(out, "unsigned char ___size_{}[{}];", self.pads, to / 8);
                    self.pads += 1;
                }
                Item::LeftOut { index, why } => {
                    line(out, inside);
                    let _ = write!(out, "/* member {index} is left out: {why} */");
                }
            }
        }
        if !plan.items.is_empty() {
            line(out, level);
        }
        out.push('}');
        if plan.packed {
            out.push_str(" __attribute__((packed))");
        }
        if let Some(n) = plan.aligned {
            let _ = write!(out, " __attribute__((aligned({n})))");
        }
        Ok(())
    }

    fn member(
        &mut self,
        out: &mut String,
        t: &Type<'b>,
        index: u32,
        bits: u32,
        level: usize,
        depth: usize,
    ) -> Result<()> {
        let Some(m) = t.member(index) else { return Ok(()) };
        line(out, level);
        let name = names::member(self.btf.string(m.name_off));
        let inner = self.btf.skip_mods(m.ty)?;
        if name.is_empty() && inner.kind().is_composite() {
            // An unnamed member of a named type (-fms-extensions, which kernels use since 6.19) declares nothing in plain
            // C, so its members are written out; CO-RE finds them by their own names either way.
            out.push_str(names::tag_word(&inner).unwrap_or_default());
            self.body(out, &inner, level, depth + 1)?;
        } else {
            self.declare(out, m.ty, &name, level, depth + 1)?;
        }
        if bits > 0 {
            let _ = write!(out, ": {bits}");
        }
        out.push(';');
        Ok(())
    }

    /// An anonymous enum within another type.
    pub(super) fn inline_enum(&mut self, out: &mut String, t: &Type<'b>, level: usize) -> Result<()> {
        let again = !self.printed.insert(t.id);
        self.enumeration(out, t, level, again)
    }

    fn enumeration(&mut self, out: &mut String, t: &Type<'b>, level: usize, again: bool) -> Result<()> {
        out.push_str("enum");
        if t.name_off != 0 {
            let _ = write!(out, " {}", self.names.of(&self.btf, t.id));
        }
        if let Some(c) = scalar::underlying(t) {
            let _ = write!(out, " : {c}");
        }
        out.push_str(" {");
        for (index, e) in (0..).zip(t.enumerators()) {
            line(out, level + 1);
            let start = out.len();
            if again {
                out.push_str(&self.names.enumerator_again(self.btf.string(e.name_off)));
            } else {
                out.push_str(self.names.enumerator(&self.btf, t, index));
            }
            let _ = write!(out, " = {},", scalar::literal(scalar::value(t, e)));
            self.spend(out.len() - start)?;
        }
        if t.vlen() > 0 {
            line(out, level);
        }
        out.push('}');
        Ok(())
    }
}

/// Starts a line.
fn line(out: &mut String, level: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n('\t', level));
}

/// Padding of a struct. An unnamed bitfield of `long` that ends at the next multiple of 64 bits starts wherever the one
/// before it ended, and leaves the struct's alignment alone.
fn gap(out: &mut String, from: u64, to: u64, level: usize, pads: &mut u32) {
    let mut at = from;
    let array = if to - from >= BIG_GAP {
        Some((from.next_multiple_of(8), (to - from.next_multiple_of(8)) / 8))
    } else {
        None
    };
    while at < to {
        line(out, level);
        match array {
            Some((start, bytes)) if start == at => {
                let _ = write!(out, "unsigned char ___pad_{pads}[{bytes}];");
                *pads += 1;
                at += bytes * 8;
            }
            _ => {
                let end = array.map_or(to, |(start, _)| if at < start { start } else { to });
                let bits = (end - at).min(64 - at % 64);
                let _ = write!(out, "long: {bits};");
                at += bits;
            }
        }
    }
}
