//! A report on a pack or target file.

use crate::btf::OwnedBtf;
use crate::pack::{File, relocation_bytes};
use anyhow::{Context, Result};
use corelet_core::btf::Type;
use corelet_core::pack::{
    Alias, Attach, Choice, Decision, DeviceValue, Event, Holds, InnerMap, Map, MapRole, MapValue, Memory,
    Module, Object, Patch, Program, Relo, ResultMap, Target, section,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What is said of a pack or target file.
#[derive(Serialize)]
pub struct Document<'a> {
    schema: u32,
    /// What kind of report it is.
    format: &'static str,
    bytes: usize,
    sections: Vec<SectionRow>,
    objects: Vec<ObjectPart<'a>>,
    targets: Vec<TargetPart<'a>>,
}

#[derive(Serialize)]
struct SectionRow {
    id: u16,
    name: &'static str,
    owner: u16,
    critical: bool,
    offset: u32,
    bytes: u32,
}

#[derive(Serialize)]
struct ObjectPart<'a> {
    name: &'a str,
    digest: String,
    license: &'a str,
    spdx: &'a str,
    programs: Vec<ProgramPart<'a>>,
    maps: Vec<Map<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inner_maps: Vec<InnerMap<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    map_values: Vec<MapValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    device_values: Vec<DeviceValue<'a>>,
    events: Vec<Event<'a>>,
    results: Vec<ResultMap<'a>>,
    options: Vec<Alias<'a>>,
    relocations: usize,
}

#[derive(Serialize)]
struct ProgramPart<'a> {
    name: &'a str,
    section: &'a str,
    attach: Attach<'a>,
}

#[derive(Serialize)]
struct TargetPart<'a> {
    object: String,
    release: &'a str,
    version: &'a str,
    build_id: String,
    modules: Vec<ModulePart<'a>>,
    arch: &'static str,
    pointer_size: u8,
    big_endian: bool,
    subset_bytes: usize,
    subset: Vec<SubsetType>,
    decisions: BTreeMap<u16, Decision>,
    /// Instructions that relocation changes, for loaders without an engine; none where those cannot load it.
    patches: usize,
    memory: Memory,
    /// RAM that relocation alone takes of a microcontroller, beside the stack; none for another file's object.
    relocation_bytes: Option<usize>,
}

/// A module that must be loaded, in this build.
#[derive(Serialize)]
struct ModulePart<'a> {
    name: &'a str,
    build_id: String,
}

/// A named type of a subset.
#[derive(Serialize)]
struct SubsetType {
    kind: &'static str,
    name: String,
    /// Bytes that it has in the kernel.
    size: u32,
    /// The members or enumerators that relocation needs of it.
    members: Vec<String>,
}

/// The named structs, unions and enums of a subset; the rest are the types of their members.
fn subset_types(bytes: &[u8]) -> Result<Vec<SubsetType>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let types = OwnedBtf::from_bytes(bytes.to_vec())?;
    let btf = types.view();
    let named =
        btf.own_types().filter(|t| t.name_off != 0 && (t.kind().is_composite() || t.kind().is_enum()));
    let members = |t: Type<'_>| {
        let members = t.members().map(|m| m.name_off);
        let all = members.chain(t.enumerators().map(|e| e.name_off));
        all.map(|name| btf.string(name).to_owned()).collect()
    };
    Ok(named
        .map(|t| SubsetType {
            kind: t.kind().name(),
            name: btf.name(&t).to_owned(),
            size: t.size(),
            members: members(t),
        })
        .collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads all of a pack or target file.
///
/// # Errors
/// It is cut short or malformed, or a checksum is wrong.
pub fn document(bytes: &[u8]) -> Result<Document<'_>> {
    let file = File::parse(bytes)?;
    let mut sections = Vec::new();
    for e in file.entries() {
        file.section(e.id, e.owner)?;
        sections.push(SectionRow {
            id: e.id,
            name: section::name(e.id),
            owner: e.owner,
            critical: e.critical,
            offset: e.offset,
            bytes: e.len,
        });
    }
    let objects = file.owners(section::OBJECT).map(|o| object(&file, o)).collect::<Result<_>>()?;
    let targets = file.owners(section::TARGET).map(|t| target(&file, t)).collect::<Result<_>>()?;
    Ok(Document { schema: 1, format: "pack", bytes: bytes.len(), sections, objects, targets })
}

fn object<'a>(file: &File<'a>, owner: u16) -> Result<ObjectPart<'a>> {
    let o: Object<'_> = file.record(section::OBJECT, owner)?;
    let programs: Vec<Program<'_>> = file.records(section::PROGRAMS, owner)?;
    Ok(ObjectPart {
        name: o.name,
        digest: hex(&o.digest),
        license: o.license,
        spdx: o.spdx,
        programs: (programs.iter())
            .map(|p| ProgramPart { name: p.name, section: p.section, attach: p.attach })
            .collect(),
        maps: file.records(section::MAPS, owner)?,
        inner_maps: file.records(section::INNER_MAPS, owner)?,
        map_values: file.records(section::MAP_VALUES, owner)?,
        device_values: file.records(section::DEVICE_VALUES, owner)?,
        events: file.records(section::EVENTS, owner)?,
        results: file.records(section::RESULTS, owner)?,
        options: file.records(section::ALIASES, owner)?,
        relocations: file.records::<Relo>(section::RELOS, owner)?.len(),
    })
}

fn name_of<'a>(maps: &[Map<'a>], number: u16) -> &'a str {
    maps.get(usize::from(number)).map_or("?", |m| m.name)
}

fn target<'a>(file: &File<'a>, owner: u16) -> Result<TargetPart<'a>> {
    let t: Target<'_> = file.record(section::TARGET, owner)?;
    let plan: Vec<Choice> = file.records(section::PLAN, owner)?;
    let subset = file.section(section::SUBSET, owner)?;
    let modules: Vec<Module<'a>> = file.records(section::MODULES, owner)?;
    let module = |m: &Module<'a>| ModulePart { name: m.name, build_id: hex(m.build_id) };
    Ok(TargetPart {
        object: hex(&t.object),
        release: t.release,
        version: t.version,
        build_id: hex(t.build_id),
        modules: modules.iter().map(module).collect(),
        arch: t.arch.name(),
        pointer_size: t.pointer_size,
        big_endian: t.big_endian,
        subset_bytes: subset.len(),
        subset: subset_types(subset).with_context(|| format!("types of target {owner}"))?,
        decisions: plan.iter().map(|c| (c.program, c.decision)).collect(),
        patches: file.records::<Patch>(section::PATCHES, owner)?.len(),
        memory: file.record(section::MEMORY, owner)?,
        relocation_bytes: relocation_bytes(file, owner)?,
    })
}

/// The same as text.
///
/// # Errors
/// Never but for a writer that fails.
pub fn text(name: &str, d: &Document<'_>) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(out, "{name}: {} bytes, {} objects, {} targets", d.bytes, d.objects.len(), d.targets.len())?;
    for o in &d.objects {
        writeln!(
            out,
            "object {} ({}, sha256 {}…)",
            o.name,
            if o.spdx.is_empty() { o.license } else { o.spdx },
            &o.digest[..16]
        )?;
        for p in &o.programs {
            writeln!(out, "  program {:<40} {}", p.name, p.section)?;
        }
        for m in &o.maps {
            writeln!(
                out,
                "  map     {:<40} type {}, key {}, value {}, max_entries {}{}",
                m.name,
                m.map_type,
                m.key_size,
                m.value_size,
                m.max_entries,
                if m.role == MapRole::Pinned { ", pinned by its name" } else { "" }
            )?;
        }
        for a in &o.options {
            writeln!(out, "  option  {:<40} --set {}=VALUE, of the variable {}", a.name, a.name, a.variable)?;
        }
        for InnerMap { map, def } in &o.inner_maps {
            let (outer, ty, key, value) =
                (name_of(&o.maps, *map), def.map_type, def.key_size, def.value_size);
            let entries = def.max_entries;
            writeln!(
                out,
                "  maps in {outer:<40} type {ty}, key {key}, value {value}, max_entries {entries}"
            )?;
        }
        for MapValue { map, key, holds } in &o.map_values {
            let held = match *holds {
                Holds::Map { map } => name_of(&o.maps, map),
                Holds::Program { program } => o.programs.get(usize::from(program)).map_or("?", |p| p.name),
            };
            writeln!(out, "  map     {} holds {held} under {key}", name_of(&o.maps, *map))?;
        }
        writeln!(out, "  {} relocations", o.relocations)?;
    }
    for t in &d.targets {
        writeln!(out, "target {} ({}) for object {}…", t.release, t.arch, &t.object[..16])?;
        writeln!(out, "  version  {}", t.version)?;
        writeln!(out, "  build id {}", if t.build_id.is_empty() { "none" } else { &t.build_id })?;
        for m in &t.modules {
            writeln!(out, "  module   {}, build id {}", m.name, m.build_id)?;
        }
        writeln!(out, "  types    {} bytes", t.subset_bytes)?;
        for s in &t.subset {
            let members = if s.members.is_empty() { "no members".to_owned() } else { s.members.join(", ") };
            writeln!(out, "    {} {} ({} bytes): {members}", s.kind, s.name, s.size)?;
        }
        writeln!(out, "  patches  {} instructions, for loaders without an engine", t.patches)?;
        let m = &t.memory;
        writeln!(
            out,
            "  memory   {} bytes for the loader, {} for maps (1 CPU, pages of 4 KiB)",
            m.work.bytes(1, 4096),
            m.maps.bytes(1, 4096)
        )?;
        if let Some(bytes) = t.relocation_bytes {
            writeln!(out, "           {bytes} bytes to relocate only, out of a microcontroller's flash")?;
        }
    }
    writeln!(out, "{:<10} {:>5} {:>8} {:>8} {:>8}", "section", "owner", "critical", "offset", "bytes")?;
    for s in &d.sections {
        let critical = if s.critical { "yes" } else { "no" };
        writeln!(out, "{:<10} {:>5} {:>8} {:>8} {:>8}", s.name, s.owner, critical, s.offset, s.bytes)?;
    }
    Ok(out)
}
