//! Maps that an object declares, as records of a pack, and what maps of maps and of programs hold from the start.
//! Source of what becomes of a definition: `bpf_object__create_map` and `map_set_def_max_entries`, libbpf `src/libbpf.c`.

use super::collect::Collected;
use super::object::{PERF_EVENT_ARRAY, PERF_PAGES, RINGBUF};
use super::types::PackTypes;
use crate::exit::Failure;
use crate::inspect::map_type;
use crate::manifest::Manifest;
use anyhow::{Context, Result, ensure};
use corelet_core::TypeId;
use corelet_core::object::{DataSection, MapDef, MapSpec, MapValueTarget};
use corelet_core::pack::{Holds, InnerMap, Map, MapRole, MapValue, Sizing};

/// `enum bpf_map_type`.
const STACK_TRACE: u32 = 7;
const ARRAY_OF_MAPS: u32 = 12;
const HASH_OF_MAPS: u32 = 13;
const STRUCT_OPS: u32 = 26;
const USER_RINGBUF: u32 = 31;
const ARENA: u32 = 33;
const INSN_ARRAY: u32 = 34;
/// Local storage, which grows with what it belongs to: cgroup, per-CPU cgroup, socket, inode, task, cgroup.
const STORAGE: [u32; 6] = [19, 21, 24, 28, 29, 32];
/// Types whose key and value types the kernel refuses, as libbpf keeps them back: perf event, cgroup and stack trace arrays, maps of
/// maps, devmaps, sockmap, cpumap, xskmap, sockhash, queue, stack, arena.
const UNTYPED: [u32; 14] = [4, 7, 8, 12, 13, 14, 15, 16, 17, 18, 22, 23, 25, 33];
/// Where user space would map an arena that says no address. The kernel loads a program only once that is known (`resolve_pseudo_ldimm64`,
/// `kernel/bpf/verifier.c`), and the loader, which reads no arena, maps none. Not across 4 GiB.
const ARENA_ADDRESS: u64 = 1 << 32;
/// Bytes of a page, at least: of every architecture that has arenas.
const SMALLEST_PAGE: u64 = 4096;
/// `BPF_F_NUMA_NODE`
const NUMA_NODE: u32 = 1 << 2;

/// The record of a map, sized by the manifest where that says so.
///
/// # Errors
/// The loader cannot make such a map, or neither object nor manifest say how large it is.
pub(super) fn declared<'o>(m: &MapDef<'o>, manifest: &Manifest, types: &PackTypes) -> Result<Map<'o>> {
    let spec = &m.spec;
    let said = manifest.maps.get(m.name).cloned().unwrap_or_default();
    let refuse = |why: &str| Err(Failure::not_portable(format!("map {}: {why}", m.name)));
    let holds_maps = matches!(spec.map_type, ARRAY_OF_MAPS | HASH_OF_MAPS);
    if matches!(spec.map_type, STRUCT_OPS | INSN_ARRAY) {
        return refuse(&format!("this version's loader makes no {}", map_type::name(spec.map_type)));
    }
    if holds_maps && m.inner.is_none() && said.inner.is_none() {
        return refuse(&format!(
            "its definition does not say what the maps in it are; the tool's own loader sets it, here the manifest must: \
             [maps.{}] inner = {{ type = \"hash\", key_size = N, value_size = N, max_entries = N }}",
            m.name
        ));
    }
    if said.inner.is_some() {
        let free = holds_maps && m.inner.is_none();
        let why = if holds_maps { "the object says what the maps in it are" } else { "it holds no maps" };
        ensure!(free, "{}: [maps.{}] inner: {why}", manifest.file, m.name);
    }
    if spec.map_flags & NUMA_NODE != 0 && spec.numa_node != 0 {
        return refuse("numa_node: this version's loader puts maps on node 0 only");
    }
    let carries_events = said.event.is_some();
    if carries_events {
        ensure!(
            matches!(spec.map_type, PERF_EVENT_ARRAY | RINGBUF),
            "{}: map {}: the manifest gives it an event type, but it is neither a ring buffer nor a perf event array",
            manifest.file,
            m.name
        );
    }
    let mut map = of_spec(m.name, spec, types);
    map.max_entries = said.max_entries.unwrap_or(map.max_entries);
    if let Some(size) = said.value_size {
        ensure!(
            spec.value_size == 0 || spec.value_size == size,
            "{}: [maps.{}] value_size = {size}: the object says {}",
            manifest.file,
            m.name,
            spec.value_size
        );
        map.value_size = size;
    }
    if spec.map_type == PERF_EVENT_ARRAY && (spec.max_entries == 0 || carries_events) {
        (map.sizing, map.max_entries) = (Sizing::Cpus, 0);
    }
    if spec.pinned {
        map.role = MapRole::Pinned;
    }
    if map.sizing == Sizing::Exact && map.max_entries == 0 && !STORAGE.contains(&spec.map_type) {
        return refuse(&format!(
            "has no max_entries; the tool's own loader sets it, here the manifest must: [maps.{}] max_entries = N",
            m.name
        ));
    }
    if spec.map_type == STACK_TRACE && map.value_size == 0 {
        return refuse(&format!(
            "has no value_size; the tool's own loader sets it, here the manifest must, 8 bytes for each frame: [maps.{}] \
             value_size = 1016",
            m.name
        ));
    }
    if spec.map_type == ARENA && map.map_extra == 0 {
        map.map_extra = ARENA_ADDRESS;
    }
    if carries_events && spec.map_type == PERF_EVENT_ARRAY {
        map.perf_pages = said.perf_pages.unwrap_or(PERF_PAGES);
    }
    Ok(map)
}

/// Makes the object's arena begin with its variables `s`, whose first contents go behind `data`; the arena's number.
///
/// # Errors
/// The object has no arena or several, or one that is shared, has an address of its own, or is too small.
pub(super) fn begin_arena(
    s: &DataSection<'_>,
    c: &Collected<'_>,
    maps: &mut [Map<'_>],
    data: &mut Vec<u8>,
) -> Result<u16> {
    let refuse = |why: &str| {
        Err(Failure::not_portable(format!("section {}: variables in an arena (`__arena`): {why}", s.name)))
    };
    let mut arenas = (0u16..).zip(maps).zip(&c.maps).filter(|((_, m), _)| m.map_type == ARENA);
    let (Some(((number, map), def)), None) = (arenas.next(), arenas.next()) else {
        return refuse("the object must have one map of type arena");
    };
    if map.role == MapRole::Pinned {
        return refuse("the arena is pinned, so that another object may have set it");
    }
    // the loader maps it where the kernel likes
    if def.spec.map_extra != 0 {
        return refuse("the arena says an address (map_extra): this version's loader maps it anywhere");
    }
    if u64::from(s.size) > u64::from(map.max_entries) * SMALLEST_PAGE {
        return refuse("the arena has too few pages (max_entries)");
    }
    (map.role, map.map_extra) = (MapRole::Arena, 0);
    (map.data_off, map.data_len) = (data.len() as u32, s.data.len() as u32);
    data.extend(s.data);
    Ok(number)
}

/// The record of what the maps in map number `number` are; `None` for one that holds no maps.
pub(super) fn inner<'o>(
    number: u16,
    m: &MapDef<'o>,
    manifest: &Manifest,
    types: &PackTypes,
) -> Result<Option<InnerMap<'o>>> {
    let said = manifest.maps.get(m.name).and_then(|said| said.inner.as_ref()).map(|said| {
        let mut spec = MapSpec::default();
        spec.map_type = map_type::number(&said.r#type).unwrap_or(0);
        (spec.key_size, spec.value_size) = (said.key_size, said.value_size);
        (spec.max_entries, spec.map_flags) = (said.max_entries, said.map_flags);
        spec
    });
    let Some(spec) = m.inner.as_ref().or(said.as_ref()) else { return Ok(None) };
    let def = of_spec(m.name, spec, types);
    if def.sizing == Sizing::Exact && def.max_entries == 0 && !STORAGE.contains(&spec.map_type) {
        let why = format!("map {}: the maps in it have no max_entries", m.name);
        return Err(Failure::not_portable(why));
    }
    Ok(Some(InnerMap { map: number, def }))
}

/// What a definition alone says.
fn of_spec<'o>(name: &'o str, spec: &MapSpec, types: &PackTypes) -> Map<'o> {
    let typed = |ty| if UNTYPED.contains(&spec.map_type) { TypeId::VOID } else { types.moved.id(ty) };
    let (key_size, value_size) = match spec.map_type {
        PERF_EVENT_ARRAY => (4, 4),
        _ => (spec.key_size, spec.value_size),
    };
    let sizing = match spec.map_type {
        RINGBUF | USER_RINGBUF => Sizing::PowerOfTwoPages,
        PERF_EVENT_ARRAY if spec.max_entries == 0 => Sizing::Cpus,
        _ => Sizing::Exact,
    };
    Map {
        name,
        role: MapRole::Declared,
        map_type: spec.map_type,
        key_size,
        value_size,
        max_entries: spec.max_entries,
        sizing,
        map_flags: spec.map_flags,
        map_extra: spec.map_extra,
        key_type: typed(spec.key_type),
        value_type: typed(spec.value_type),
        data_off: 0,
        data_len: 0,
        perf_pages: 0,
    }
}

/// The record of a map of struct_ops, with the object's struct, whose name is the kernel's; what it is created of, each target says.
pub(super) fn of_struct_ops(name: &str, value_type: TypeId) -> Map<'_> {
    Map {
        name,
        role: MapRole::StructOps,
        map_type: STRUCT_OPS,
        key_size: 4,
        value_size: 0,
        max_entries: 1,
        sizing: Sizing::Exact,
        map_flags: 0,
        map_extra: 0,
        key_type: TypeId::VOID,
        value_type,
        data_off: 0,
        data_len: 0,
        perf_pages: 0,
    }
}

/// What maps hold from the start, with programs by their number in the pack.
pub(super) fn values(c: &Collected<'_>) -> Result<Vec<MapValue>> {
    let mut out = Vec::new();
    for v in &c.map_values {
        let map = c.maps.get(v.map as usize).context("a value of no map")?;
        if map.spec.key_size != 4 {
            let (name, size) = (map.name, map.spec.key_size);
            let why = format!(
                "map {name}: holds values from the start, whose keys are numbers of 4 bytes, not {size}"
            );
            return Err(Failure::not_portable(why));
        }
        let holds = match v.target {
            MapValueTarget::Map(held) => Holds::Map { map: held as u16 },
            MapValueTarget::Program(function) => {
                let number = c.programs.iter().position(|(f, _)| *f == function);
                Holds::Program { program: number.context("a value that is no program")? as u16 }
            }
        };
        out.push(MapValue { map: v.map as u16, key: v.key, holds });
    }
    Ok(out)
}
