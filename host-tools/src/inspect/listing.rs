//! The instructions of an object, listed as the verifier's log does: source lines behind `;`, then `N: (opcode) text`.
//! Behind the text, after another `;`, stands what the log cannot know: where a jump goes, which variable is meant, what
//! relocation asks or did.

use crate::disasm::{self, Helpers, Names};
use crate::relocate::{Lines, Program, Verdict, core_relo};
use anyhow::{Context, Result, ensure};
use corelet_core::insn::{self, Insn};
use corelet_core::object::{DataSection, Function, Object, Referent};
use corelet_core::relo::{Spec, SpecText};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What an instruction is printed with.
#[derive(Default)]
struct Notes {
    /// In place of a number: a map, a function.
    referent: Option<String>,
    /// Behind the instruction.
    notes: Vec<String>,
}

/// A writer of listings for one object.
pub struct Listing<'x, 'o> {
    object: &'x Object<'o>,
    helpers: &'x Helpers<'x>,
    lines: Lines<'o>,
    notes: BTreeMap<(u32, u32), Notes>,
    relocated: Option<&'x [Program]>,
}

impl<'x, 'o> Listing<'x, 'o> {
    /// Looks up what the instructions of `object` refer to. With `relocated`, its functions as [`crate::relocate::relocate`]
    /// made them, their code is listed, else the code as it was compiled.
    ///
    /// # Errors
    /// A reference or relocation of the object is malformed.
    pub fn new(
        object: &'x Object<'o>,
        helpers: &'x Helpers<'x>,
        relocated: Option<&'x [Program]>,
    ) -> Result<Listing<'x, 'o>> {
        let lines = Lines::of(object)?;
        let mut listing = Listing { object, helpers, lines, notes: BTreeMap::new(), relocated };
        listing.references()?;
        listing.relocations()?;
        Ok(listing)
    }

    fn references(&mut self) -> Result<()> {
        let object = self.object;
        let functions: Vec<Function<'o>> = object.functions().collect();
        let maps: Vec<&str> = object.maps().map(|m| m.map(|m| m.name)).collect::<Result<_, _>>()?;
        let data: Vec<DataSection<'o>> = object.data_sections().collect::<Result<_, _>>()?;
        let name = |ty| object.btf().ty(ty).map_or("", |t| object.btf().name(&t));
        let of_function = |f: u32| functions.get(f as usize).map_or("", |f| f.name);
        for reference in object.references() {
            let reference = reference?;
            let mut note = None;
            let referent = match reference.to {
                Referent::Map { map } => format!("map[{}]", maps.get(map as usize).unwrap_or(&"")),
                Referent::Data { section, offset } => {
                    let section = data.iter().find(|s| s.section == section);
                    note = section.and_then(|s| variable_at(object, s, offset));
                    format!("map[{}][0]+{offset}", section.map_or("", |s| s.name))
                }
                Referent::Kconfig { index, offset } => {
                    let name = object.externs().nth(index as usize).transpose()?.map_or("", |e| e.name);
                    note = Some(name.to_owned());
                    format!("map[.kconfig][0]+{offset}")
                }
                Referent::Ksym { ty, weak } => {
                    note = weak.then(|| "weak".to_owned());
                    format!("ksym[{}]", name(ty))
                }
                Referent::Kfunc { ty, weak } => {
                    note = Some(if weak { "weak kernel function" } else { "kernel function" }.to_owned());
                    name(ty).to_owned()
                }
                Referent::Call { function } => of_function(function).to_owned(),
                Referent::FunctionAddress { function } => format!("subprog[{}]", of_function(function)),
            };
            let notes = vec_of(note);
            self.notes
                .insert((reference.function, reference.insn), Notes { referent: Some(referent), notes });
        }
        Ok(())
    }

    fn relocations(&mut self) -> Result<()> {
        let btf = self.object.btf();
        for relo in self.object.core_relos() {
            let relo = relo?;
            let r = core_relo(&relo)?;
            let mut spec = Spec::default();
            let about = match spec.parse(btf, r.type_id, r.access_str_off, r.kind) {
                Ok(()) => SpecText { spec: &spec, btf, root_id: r.type_id.0 }.to_string(),
                Err(e) => e.to_string(),
            };
            let done = self.relocated.and_then(|p| p.get(relo.function as usize)).and_then(|p| {
                p.relocations.iter().find(|done| (done.index, done.insn) == (relo.number, relo.insn))
            });
            let done = match done.map(|d| (d.outcome, d.old, d.new)) {
                Some((Verdict::Patched, Some(old), Some(new))) => format!(": {old} -> {new}"),
                Some((Verdict::Poisoned, ..)) => ": poisoned".to_owned(),
                Some((Verdict::Failed, ..)) => ": FAILED".to_owned(),
                _ => String::new(),
            };
            let note = format!("relo #{} <{}> {about}{done}", relo.number, r.kind.name());
            self.notes.entry((relo.function, relo.insn)).or_default().notes.push(note);
        }
        Ok(())
    }

    /// Lists the functions called `wanted`, or all.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn write(&self, out: &mut String, wanted: Option<&str>) -> Result<()> {
        let functions: Vec<_> = self.object.functions().collect();
        let chosen = functions.iter().filter(|f| wanted.is_none_or(|name| f.name == name));
        ensure!(
            wanted.is_none() || chosen.clone().next().is_some(),
            "has no program {}; it has {}",
            wanted.unwrap_or_default(),
            functions.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
        );
        for (number, f) in chosen.enumerate() {
            if number > 0 {
                out.push('\n');
            }
            writeln!(out, "{} ({}, {} insns)", f.name, f.section_name, f.insn_count())?;
            self.function(out, f).with_context(|| f.name.to_owned())?;
        }
        Ok(())
    }

    fn function(&self, out: &mut String, f: &Function<'_>) -> Result<()> {
        let relocated = self.relocated.and_then(|p| p.get(f.index as usize));
        let insns = relocated.map_or(f.insns, |p| &p.insns.bytes);
        let endian = self.object.endian();
        let (mut at, mut shown) = (0, String::new());
        while let Ok(first) = insn::read(insns, at, endian) {
            let second = insn::read(insns, at + 1, endian).ok();
            if self.lines.record(f.index, at).is_some_and(|l| l.insn == at) {
                let place = self.lines.at(f.index, at).unwrap_or_default();
                let line = match self.lines.text(f.index, at).trim() {
                    "" => format!("; {place}"),
                    text => format!("; {text} @ {place}"),
                };
                // records differ by column too
                if line != shown {
                    writeln!(out, "{line}")?;
                    shown = line;
                }
            }
            self.line(out, f.index, at, first, second)?;
            at += if first.is_ld_imm64() { 2 } else { 1 };
        }
        Ok(())
    }

    fn line(
        &self,
        out: &mut String,
        function: u32,
        at: u32,
        first: Insn,
        second: Option<Insn>,
    ) -> Result<()> {
        let notes = self.notes.get(&(function, at));
        // what relocation has poisoned refers to nothing any more
        let referent = notes.and_then(|n| n.referent.as_deref()).filter(|_| first != Insn::POISON);
        let text = disasm::text(first, second, &Names { helpers: self.helpers, referent });
        let jump = disasm::jump_distance(first).map(|d| format!("to {}", i64::from(at) + d));
        let behind: Vec<&str> =
            jump.iter().chain(notes.into_iter().flat_map(|n| &n.notes)).map(|s| &**s).collect();
        write!(out, "{at:5}: ({:02x}) ", first.code)?;
        if behind.is_empty() {
            writeln!(out, "{text}")?;
        } else {
            writeln!(out, "{text:<40} ; {}", behind.join("; "))?;
        }
        Ok(())
    }
}

fn vec_of(note: Option<String>) -> Vec<String> {
    note.into_iter().collect()
}

/// The variable at a place in its section: `targ_pid`, `args+8`.
fn variable_at(object: &Object<'_>, section: &DataSection<'_>, offset: u32) -> Option<String> {
    let covers = |start: u32, size: u32| start <= offset && offset - start < size;
    let found = object.variables(section).filter_map(Result::ok).find(|v| covers(v.offset, v.size))?;
    Some(match offset - found.offset {
        0 => found.name.to_owned(),
        inside => format!("{}+{inside}", found.name),
    })
}
