//! A report on a BPF object: its programs, subprograms, maps, variables, externs and relocations.

use super::{btf::endian, map_type, value};
use crate::btf::name;
use crate::relocate::core_relo;
use anyhow::{Context, Result};
use corelet_core::object::{ExternKind, Function, MapDef, Object, sec_name};
use corelet_core::pack::Attach;
use corelet_core::{Result as CoreResult, TypeId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// What is said of an object.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// Version of this form.
    pub schema: u32,
    /// What kind of report it is: `object`.
    pub format: &'static str,
    /// Bytes of the file.
    pub bytes: usize,
    /// `little` or `big`.
    pub endian: &'static str,
    /// Its licence, as the kernel is told.
    pub license: Option<&'a str>,
    /// Entry programs, in the order of the file.
    pub programs: Vec<Program<'a>>,
    /// Functions that programs call.
    pub subprograms: Vec<Subprogram<'a>>,
    /// Maps of `.maps`.
    pub maps: Vec<Map<'a>>,
    /// Sections of variables.
    pub sections: Vec<Section<'a>>,
    /// Configuration values, kernel variables and functions.
    pub externs: Vec<ExternRow<'a>>,
    /// Number of CO-RE relocations by kind, in libbpf's words.
    pub relocations: BTreeMap<&'static str, usize>,
    /// Number of types.
    pub types: u32,
}

/// An entry program.
#[derive(Clone, Debug, Serialize)]
pub struct Program<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its SEC().
    pub section: &'a str,
    /// Number of its instructions.
    pub insns: u32,
    /// Whether it is loaded unless asked not to.
    pub autoload: bool,
    /// What it is attached to; none where the section's name says nothing that is known.
    pub attach: Option<Attach<'a>>,
}

/// A subprogram.
#[derive(Clone, Debug, Serialize)]
pub struct Subprogram<'a> {
    /// Its name.
    pub name: &'a str,
    /// Number of its instructions.
    pub insns: u32,
    /// Whether it is verified by itself.
    pub global: bool,
}

/// A map.
#[derive(Clone, Debug, Serialize)]
pub struct Map<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type in bpftool's words.
    pub map_type: String,
    /// Type of a key, where the object says.
    pub key: Option<String>,
    /// Bytes of a key.
    pub key_size: u32,
    /// Type of a value, where the object says.
    pub value: Option<String>,
    /// Bytes of a value.
    pub value_size: u32,
    /// Entries, as written.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub map_flags: u32,
    /// Whether it is pinned by its name.
    pub pinned: bool,
}

/// A section of variables.
#[derive(Clone, Debug, Serialize)]
pub struct Section<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its bytes.
    pub size: u32,
    /// Its variables by offset.
    pub variables: Vec<Variable<'a>>,
}

/// A variable.
#[derive(Clone, Debug, Serialize)]
pub struct Variable<'a> {
    /// Its name.
    pub name: &'a str,
    /// Offset in its section, in bytes.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// Its type in C.
    pub ty: String,
    /// Its first value.
    pub value: String,
}

/// An extern.
#[derive(Clone, Debug, Serialize)]
pub struct ExternRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// `kconfig`, `ksym` or `kfunc`.
    pub kind: &'static str,
    /// Its type in C.
    pub ty: String,
    /// Whether it may be missing.
    pub weak: bool,
}

impl<'a> Report<'a> {
    /// Reads all of `object`, a file of `bytes` bytes.
    ///
    /// # Errors
    /// Something in it is malformed.
    pub fn new(object: &Object<'a>, bytes: usize) -> Result<Report<'a>> {
        let functions: Vec<Function<'a>> = object.functions().collect();
        let btf = object.btf();
        let c_type = |id: TypeId| (id != TypeId::VOID).then(|| name::of(btf, id));
        let map = |m: MapDef<'a>| Map {
            name: m.name,
            map_type: map_type::name(m.spec.map_type),
            key: c_type(m.spec.key_type),
            key_size: m.spec.key_size,
            value: c_type(m.spec.value_type),
            value_size: m.spec.value_size,
            max_entries: m.spec.max_entries,
            map_flags: m.spec.map_flags,
            pinned: m.spec.pinned,
        };
        let mut relocations = BTreeMap::new();
        for relo in object.core_relos() {
            *relocations.entry(core_relo(&relo.context(".BTF.ext")?)?.kind.name()).or_default() += 1;
        }
        Ok(Report {
            schema: 1,
            format: "object",
            bytes,
            endian: endian(object.endian()),
            license: object.license().context("section license")?,
            programs: functions.iter().filter(|f| f.entry).map(program).collect(),
            subprograms: (functions.iter().filter(|f| !f.entry))
                .map(|f| Subprogram { name: f.name, insns: f.insn_count(), global: f.global })
                .collect(),
            maps: object.maps().map(|m| m.map(map)).collect::<CoreResult<_>>().context(".maps")?,
            sections: sections(object)?,
            externs: externs(object)?,
            relocations,
            types: btf.id_end() - btf.id_start(),
        })
    }

    /// The report as text.
    ///
    /// # Errors
    /// Never but for a writer that fails.
    pub fn text(&self, name: &str) -> Result<String, fmt::Error> {
        let mut out = String::new();
        let license = self.license.unwrap_or("none");
        writeln!(
            out,
            "{name}: BPF object, {} bytes, {}-endian, {} types, license {license}",
            self.bytes, self.endian, self.types
        )?;
        if !self.programs.is_empty() {
            writeln!(out, "programs")?;
        }
        let width = self.programs.iter().map(|p| p.name.len()).max().unwrap_or(0);
        for p in &self.programs {
            let off = if p.autoload { "" } else { "  (not loaded unless asked for)" };
            writeln!(out, "  {:width$}  SEC(\"{}\")  {} insns{off}", p.name, p.section, p.insns)?;
        }
        if !self.subprograms.is_empty() {
            writeln!(out, "subprograms")?;
        }
        for f in &self.subprograms {
            let linkage = if f.global { "global" } else { "static" };
            writeln!(out, "  {}  {} insns, {linkage}", f.name, f.insns)?;
        }
        if !self.maps.is_empty() {
            writeln!(out, "maps")?;
        }
        let width = self.maps.iter().map(|m| m.name.len()).max().unwrap_or(0);
        for m in &self.maps {
            write!(out, "  {:width$}  {}", m.name, m.map_type)?;
            for (what, ty, size) in [("key", &m.key, m.key_size), ("value", &m.value, m.value_size)] {
                match (ty, size) {
                    (Some(ty), _) => write!(out, ", {what} {ty} ({size} bytes)")?,
                    (None, 0) => {}
                    (None, _) => write!(out, ", {what} of {size} bytes")?,
                }
            }
            write!(out, ", max_entries {}", m.max_entries)?;
            if m.map_flags != 0 {
                write!(out, ", flags {:#x}", m.map_flags)?;
            }
            writeln!(out, "{}", if m.pinned { ", pinned by name" } else { "" })?;
        }
        for s in &self.sections {
            writeln!(out, "{} ({} bytes)", s.name, s.size)?;
            for v in &s.variables {
                writeln!(out, "  {:>5}  {} {} = {}", v.offset, v.ty, v.name, v.value)?;
            }
        }
        if !self.externs.is_empty() {
            writeln!(out, "externs")?;
        }
        for e in &self.externs {
            writeln!(out, "  {}  {} {}{}", e.kind, e.ty, e.name, if e.weak { "  (weak)" } else { "" })?;
        }
        let total: usize = self.relocations.values().sum();
        writeln!(out, "relocations  {total}")?;
        for (kind, count) in &self.relocations {
            writeln!(out, "  {kind:<14} {count}")?;
        }
        Ok(out)
    }
}

fn program<'a>(f: &Function<'a>) -> Program<'a> {
    Program {
        name: f.name,
        section: f.section_name,
        insns: f.insn_count(),
        autoload: f.autoload,
        attach: sec_name::parse(f.section_name).ok().map(|s| s.attach),
    }
}

fn sections<'a>(object: &Object<'a>) -> Result<Vec<Section<'a>>> {
    let btf = object.btf();
    let mut out = Vec::new();
    for s in object.data_sections() {
        let s = s?;
        let mut variables = Vec::new();
        for v in object.variables(&s) {
            let v = v.with_context(|| s.name.to_owned())?;
            let ty = btf.ty(v.ty).map_or(v.ty, |t| t.target());
            // of .bss there are no bytes
            let data = s.data.get(v.offset as usize..).and_then(|d| d.get(..v.size as usize));
            let zeros = vec![0; if data.is_none() { v.size.min(8) as usize } else { 0 }];
            let value = value::text(btf, ty, data.unwrap_or(&zeros));
            let ty = name::of(btf, ty);
            variables.push(Variable { name: v.name, offset: v.offset, size: v.size, ty, value });
        }
        variables.sort_by_key(|v| v.offset);
        out.push(Section { name: s.name, size: s.size, variables });
    }
    Ok(out)
}

fn externs<'a>(object: &Object<'a>) -> Result<Vec<ExternRow<'a>>> {
    let btf = object.btf();
    let mut out = Vec::new();
    for e in object.externs() {
        let e = e.context("externs")?;
        let kind = match e.kind {
            ExternKind::Kconfig { .. } => "kconfig",
            ExternKind::Ksym { .. } => "ksym",
            ExternKind::Kfunc => "kfunc",
        };
        // a VAR's type; of a FUNC its return type says most
        let target = btf.ty(e.ty)?.target();
        let ty = match e.kind {
            ExternKind::Kfunc => btf.ty(target)?.target(),
            _ => target,
        };
        out.push(ExternRow { name: e.name, kind, ty: name::of(btf, ty), weak: e.weak });
    }
    Ok(out)
}
