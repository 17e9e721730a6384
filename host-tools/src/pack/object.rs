//! The sections of one object.

use super::Options;
use super::collect::{Collected, role};
use super::results::{aliases, hints, results, views};
use super::types::PackTypes;
use super::write::Section;
use super::{devices, maps, sizes};
use crate::manifest::{Manifest, Value};
use anyhow::{Context, Result, bail, ensure};
use corelet_core::btf::{Btf, encoding};
use corelet_core::object::{DataRole, ExternKind, Referent, Variable};
use corelet_core::pack::{
    Event, Fixup, FixupKind, FuncInfo, Function, InnerMap, LineInfo, Map, MapRole, MapValue, Object, Program,
    Relo, Sizing, section,
};
use corelet_core::{Endian, TypeId};

/// `enum bpf_map_type`.
const ARRAY: u32 = 2;
pub(super) const PERF_EVENT_ARRAY: u32 = 4;
pub(super) const RINGBUF: u32 = 27;
/// `BPF_F_RDONLY_PROG`: programs may not write to the map.
const RDONLY_PROG: u32 = 1 << 7;
/// `BPF_F_MMAPABLE`, which libbpf sets for data maps, is not: the loader reads and writes them by system calls.
const DATA_FLAGS: u32 = 0;
/// Bytes of one section of variables, at most. The device has them in memory once more.
const MAX_DATA: u32 = 64 << 20;
/// Pages of each CPU's perf buffer where the manifest does not say: 32 KiB with pages of 4 KiB.
pub(super) const PERF_PAGES: u16 = 8;

/// The maps of an object and their first contents.
pub(super) struct Maps<'o> {
    pub(super) maps: Vec<Map<'o>>,
    pub(super) inner: Vec<InnerMap<'o>>,
    values: Vec<MapValue>,
    data: Vec<u8>,
    /// Section number of each data map in `maps`, from `first_data` on.
    sections: Vec<u16>,
    first_data: usize,
    kconfig: Option<usize>,
    /// The section of variables in an arena, and the arena.
    arena: Option<(u16, u16)>,
}

impl<'o> Maps<'o> {
    /// Declared maps in their order, then data sections, then `.kconfig`.
    pub(super) fn new(c: &Collected<'o>, manifest: &Manifest, types: &PackTypes) -> Result<Self> {
        let known = |name: &String| c.maps.iter().any(|m| m.name == name);
        if let Some(name) = manifest.maps.keys().find(|n| !known(n)) {
            let all: Vec<_> = c.maps.iter().map(|m| m.name).collect();
            bail!(
                "{}: the manifest names map `{name}`, which the object does not have (it has {})",
                manifest.file,
                all.join(", ")
            );
        }
        let (mut maps, mut inner) = (Vec::new(), Vec::new());
        for (number, m) in (0..).zip(&c.maps) {
            let mut map = maps::declared(m, manifest, types)?;
            if map.map_type == RINGBUF && sizes::may_be_perf_buffer(c, number) {
                let said = manifest.maps.get(m.name);
                map.perf_pages = said.and_then(|said| said.perf_pages).unwrap_or(PERF_PAGES);
            }
            maps.push(map);
            inner.extend(maps::inner(number as u16, m, manifest, types)?);
        }
        let values = maps::values(c)?;
        let mut data = Vec::new();
        let arena = match &c.arena {
            Some(s) => Some((s.section, maps::begin_arena(s, c, &mut maps, &mut data)?)),
            None => None,
        };
        let first_data = maps.len();
        for ((s, variables), &datasec) in c.data.iter().zip(&types.datasecs) {
            ensure!(
                s.size <= MAX_DATA,
                "section {}: {} bytes of variables, where at most {} MiB are taken",
                s.name,
                s.size,
                MAX_DATA >> 20
            );
            let set = variables.iter().any(|v| manifest.variables.contains_key(v.name));
            let mut bytes = match (s.role, set) {
                (DataRole::Bss, true) => vec![0; s.size as usize],
                (DataRole::Bss, false) => Vec::new(),
                _ => s.data.to_vec(),
            };
            set_variables(&mut bytes, variables, c.object.btf(), manifest)
                .with_context(|| manifest.file.clone())?;
            while bytes.last() == Some(&0) {
                bytes.pop();
            }
            let role = role(s.role);
            let flags = if role == MapRole::Rodata { RDONLY_PROG } else { DATA_FLAGS };
            let mut map = data_map(s.name, role, s.size, flags, datasec);
            (map.data_off, map.data_len) = (data.len() as u32, bytes.len() as u32);
            data.extend(bytes);
            maps.push(map);
        }
        check_variables(c, manifest)?;
        let kconfig = (c.kconfig_size > 0).then_some(maps.len());
        if kconfig.is_some() {
            maps.push(data_map(".kconfig", MapRole::Kconfig, c.kconfig_size, RDONLY_PROG, types.kconfig));
        }
        maps.extend(c.struct_ops.iter().map(|m| maps::of_struct_ops(m.name, types.moved.id(m.ty))));
        let sections = c.data.iter().map(|(s, _)| s.section).collect();
        Ok(Maps { maps, inner, values, data, sections, first_data, kconfig, arena })
    }

    pub(super) fn of_section(&self, section: u16) -> Result<u16> {
        if let Some((_, map)) = self.arena.filter(|(arena, _)| *arena == section) {
            return Ok(map);
        }
        let at = self
            .sections
            .iter()
            .position(|&s| s == section)
            .context("a reference to no section of variables")?;
        Ok((self.first_data + at) as u16)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<u16> {
        self.maps.iter().position(|m| m.name == name).map(|at| at as u16)
    }
}

fn data_map(name: &str, role: MapRole, size: u32, map_flags: u32, value_type: TypeId) -> Map<'_> {
    Map {
        name,
        role,
        map_type: ARRAY,
        key_size: 4,
        value_size: size,
        max_entries: 1,
        sizing: Sizing::Exact,
        map_flags,
        map_extra: 0,
        key_type: TypeId::VOID,
        value_type,
        data_off: 0,
        data_len: 0,
        perf_pages: 0,
    }
}

/// Puts the manifest's values of variables into a section's bytes.
fn set_variables(
    bytes: &mut [u8],
    variables: &[Variable<'_>],
    btf: &Btf<'_>,
    manifest: &Manifest,
) -> Result<()> {
    for v in variables {
        let Some(value) = manifest.variables.get(v.name) else { continue };
        let t = btf.skip_mods(btf.ty(v.ty)?.target())?;
        let int = t.int();
        ensure!(
            int.is_some() || t.kind().is_enum(),
            "[variables] {}: only integers, booleans and enums can be set, this is a {}",
            v.name,
            t.kind().name()
        );
        ensure!(
            matches!(v.size, 1 | 2 | 4 | 8),
            "[variables] {}: has {} bytes, where only numbers of 1, 2, 4 or 8 can be set",
            v.name,
            v.size
        );
        let is_bool = int.is_some_and(|i| i.encoding & encoding::BOOL != 0);
        let signed = int.map_or(t.kflag(), |i| i.encoding & encoding::SIGNED != 0);
        let number = match (*value, is_bool) {
            (Value::Bool(b), true) => b.into(),
            (Value::Bool(_), false) => bail!("[variables] {}: is a number, not true or false", v.name),
            (Value::Int(n), _) => i128::from(n),
        };
        let bits = v.size * 8;
        let (low, high) = match (is_bool, signed) {
            (true, _) => (0, 1),
            (false, true) => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
            (false, false) => (0, (1i128 << bits) - 1),
        };
        ensure!((low..=high).contains(&number), "[variables] {}: takes {low} to {high}", v.name);
        let mut encoded = (number as u128).to_le_bytes()[..v.size as usize].to_vec();
        if btf.endian() == Endian::Big {
            encoded.reverse();
        }
        let place = bytes.get_mut(v.offset as usize..).and_then(|b| b.get_mut(..v.size as usize));
        place
            .with_context(|| format!("variable {} lies outside its section", v.name))?
            .copy_from_slice(&encoded);
    }
    Ok(())
}

fn check_variables(c: &Collected<'_>, manifest: &Manifest) -> Result<()> {
    let all: Vec<&str> = c.data.iter().flat_map(|(_, v)| v).map(|v| v.name).collect();
    match manifest.variables.keys().find(|n| !all.contains(&n.as_str())) {
        Some(name) => {
            bail!(
                "{}: [variables] {name}: the object has no such variable (it has {})",
                manifest.file,
                all.join(", ")
            )
        }
        None => Ok(()),
    }
}

/// Who an object is.
pub(super) struct Identity<'x> {
    pub(super) name: &'x str,
    /// Whether it is the pack's only object.
    pub(super) alone: bool,
    pub(super) digest: [u8; 32],
}

/// All sections of an object.
pub(super) fn sections(
    owner: u16,
    who: &Identity<'_>,
    c: &Collected<'_>,
    manifest: &Manifest,
    types: &PackTypes,
    maps: &Maps<'_>,
    options: &Options,
) -> Result<Vec<Section>> {
    let object = Object {
        name: who.name,
        digest: who.digest,
        license: c.object.license()?.unwrap_or(""),
        spdx: manifest.spdx.as_deref().unwrap_or(""),
        kern_version: c.object.kern_version()?,
    };
    let functions = c.functions.iter().map(|f| Function {
        name: f.name,
        start: c.start_of(f.index),
        count: f.insn_count(),
    });
    let reached: Vec<Vec<u8>> = (c.programs.iter())
        .map(|&(f, _)| c.reached(f).iter().flat_map(|&s| (s as u16).to_le_bytes()).collect())
        .collect();
    let programs = c.programs.iter().zip(&reached).map(|((f, sec), subprograms)| {
        let function = &c.functions[*f as usize];
        Program {
            name: function.name,
            section: function.section_name,
            function: *f as u16,
            subprograms,
            prog_type: sec.prog_type,
            expected_attach_type: sec.expected_attach_type,
            prog_flags: sec.prog_flags,
            attach: sec.attach,
        }
    });
    let relos = c.relos.iter().zip(&types.relos).map(|((located, relo), &(type_id, access_str_off))| Relo {
        function: located.function as u16,
        insn: located.insn,
        type_id,
        access_str_off,
        kind: relo.kind as u8,
        index: located.number,
        line: c.lines.record(located.function, located.insn).map_or(0, |l| l.record.line()),
    });
    let func_infos =
        c.func_infos.iter().map(|(&f, &ty)| FuncInfo { function: f as u16, type_id: types.moved.id(ty) });
    let packed = super::read_back(&types.bytes, 8)?;
    let file = || manifest.file.clone();
    Ok(vec![
        Section::records(section::OBJECT, owner, [object])?,
        Section::raw(section::INSNS, owner, c.insns()),
        Section::raw(section::BTF, owner, types.bytes.clone()),
        Section::records(section::FUNCTIONS, owner, functions)?,
        Section::records(section::PROGRAMS, owner, programs)?,
        Section::records(section::MAPS, owner, &maps.maps)?,
        Section::records(section::RELOS, owner, relos)?,
        Section::records(section::FIXUPS, owner, fixups(c, maps, types)?)?,
        Section::raw(section::DATA, owner, maps.data.clone()),
        Section::records(section::FUNC_INFO, owner, func_infos)?,
        Section::records(section::LINE_INFO, owner, lines(c, types, options)?)?,
        events(owner, who, maps, types)?,
        Section::records(
            section::RESULTS,
            owner,
            results(c, manifest, maps, types, &packed.view()).with_context(file)?,
        )?,
        Section::records(
            section::HINTS,
            owner,
            hints(manifest, maps, types, &packed.view()).with_context(file)?,
        )?,
        Section::records(
            section::VIEWS,
            owner,
            &views(c, manifest, maps, types, &packed.view()).with_context(file)?,
        )?,
        Section::records(section::ALIASES, owner, aliases(c, manifest).with_context(file)?)?,
        Section::records(section::WEAK, owner, &types.weak)?,
        Section::records(section::INNER_MAPS, owner, &maps.inner)?,
        Section::records(section::MAP_VALUES, owner, &maps.values)?,
        Section::records(section::DEVICE_VALUES, owner, devices::values(c, manifest).with_context(file)?)?,
    ])
}

/// Whether an extern of the kernel was declared without a type, so that only its address is asked for.
pub(super) fn typeless(c: &Collected<'_>, var: TypeId) -> bool {
    let mut externs = c.externs.iter().filter(|e| e.ty == var);
    externs.any(|e| matches!(e.kind, ExternKind::Ksym { ty: TypeId::VOID }))
}

fn fixups(c: &Collected<'_>, maps: &Maps<'_>, types: &PackTypes) -> Result<Vec<Fixup>> {
    let mut out = Vec::new();
    let name = |ty| Ok::<_, anyhow::Error>(types.string(c.object.btf().name(&c.object.btf().ty(ty)?)));
    for r in &c.references {
        let kind = match r.to {
            Referent::Map { map } => FixupKind::Map { map: map as u16 },
            Referent::Data { section, offset } => {
                FixupKind::MapValue { map: maps.of_section(section)?, offset }
            }
            Referent::Kconfig { offset, .. } => {
                FixupKind::MapValue { map: maps.kconfig.context("no .kconfig")? as u16, offset }
            }
            Referent::Ksym { ty, weak } if typeless(c, ty) => {
                FixupKind::KsymAddress { name_off: name(ty)?, weak }
            }
            Referent::Ksym { ty, weak } => FixupKind::Ksym { name_off: name(ty)?, weak },
            Referent::Kfunc { ty, weak } => FixupKind::Kfunc { name_off: name(ty)?, weak },
            Referent::Call { function } => FixupKind::Call { function: function as u16 },
            Referent::FunctionAddress { function } => {
                FixupKind::FunctionAddress { function: function as u16 }
            }
        };
        out.push(Fixup { function: r.function as u16, insn: r.insn, kind });
    }
    Ok(out)
}

fn lines(c: &Collected<'_>, types: &PackTypes, options: &Options) -> Result<Vec<LineInfo>> {
    if !options.lines {
        return Ok(Vec::new());
    }
    let btf = c.object.btf();
    let line = |l: corelet_core::object::Located<corelet_core::btf_ext::LineInfo>| LineInfo {
        function: l.function as u16,
        insn: l.insn,
        file_off: types.string(btf.text(l.record.file_name_off)),
        line_off: types.string(btf.text(l.record.line_off)),
        line_col: l.record.line_col,
    };
    Ok(c.object.line_infos().map(|l| l.map(line)).collect::<Result<_, _>>()?)
}

/// The events, named by what tells them apart: the object in a pack of several, the map where an object has several.
fn events(owner: u16, who: &Identity<'_>, maps: &Maps<'_>, types: &PackTypes) -> Result<Section> {
    let several = types.events.len() > 1;
    let name = |map: &str| match (who.alone, several) {
        (true, false) => String::new(),
        (true, true) => map.to_owned(),
        (false, false) => who.name.to_owned(),
        (false, true) => format!("{}.{map}", who.name),
    };
    let names: Vec<String> = types.events.keys().map(|map| name(map)).collect();
    let mut events = Vec::new();
    for ((map, &type_id), name) in types.events.iter().zip(&names) {
        let map = maps.by_name(map).context("an event of no map")?;
        events.push(Event { map, type_id, name });
    }
    events.sort_by_key(|e| e.map);
    Section::records(section::EVENTS, owner, events)
}
