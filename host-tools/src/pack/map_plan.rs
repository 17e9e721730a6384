//! Maps whose type a kernel does not have: left uncreated, as libbpf does of those that a tool turns off, or a perf event array in
//! a ring buffer's place.
//!
//! Which types a kernel has, its `enum bpf_map_type` says; where its types are an excerpt without that enum, its version does.
//! An enumerator proves that the kernel knows the type, not that it was configured.

use super::object::RINGBUF;
use corelet_core::btf::{Btf, Kind};
use corelet_core::pack::{Map, MapChoice, MapFate};

/// Version (as `LINUX_VERSION_CODE`) that a type of map is there from, for those that came after 4.19.
const SINCE: [(u32, u32); 14] = [
    (22, version(4, 20)), // queue
    (23, version(4, 20)), // stack
    (24, version(5, 2)),  // sk_storage
    (25, version(5, 4)),  // devmap_hash
    (26, version(5, 6)),  // struct_ops
    (27, version(5, 8)),  // ringbuf
    (28, version(5, 10)), // inode_storage
    (29, version(5, 11)), // task_storage
    (30, version(5, 16)), // bloom_filter
    (31, version(6, 1)),  // user_ringbuf
    (32, version(6, 2)),  // cgrp_storage
    (33, version(6, 9)),  // arena
    (34, version(6, 19)), // insn_array
    (35, version(7, 2)),  // rhash
];

const fn version(major: u32, minor: u32) -> u32 {
    (major << 16) | (minor << 8)
}

/// Whether a kernel of these types and this version, where that is known, has maps of type `map_type`.
fn has(kernel: &Btf<'_>, release: Option<u32>, map_type: u32) -> bool {
    if let Some(types) = kernel.find("bpf_map_type", Kind::Enum) {
        return types.enumerators().any(|e| e.value == u64::from(map_type));
    }
    let since = SINCE.iter().find(|(number, _)| *number == map_type).map(|(_, since)| *since);
    since.zip(release).is_none_or(|(since, release)| release >= since)
}

/// What becomes of the maps that the kernel lacks the type of, by their numbers.
pub(super) fn plan(maps: &[Map<'_>], kernel: &Btf<'_>, release: Option<u32>) -> Vec<MapChoice> {
    let lacking = (0..).zip(maps).filter(|(_, m)| !has(kernel, release, m.map_type));
    lacking
        .map(|(map, m)| MapChoice {
            map,
            // pages for a perf buffer say that the programs can write to one
            fate: if m.map_type == RINGBUF && m.perf_pages > 0 {
                MapFate::PerfBuffer
            } else {
                MapFate::Absent
            },
        })
        .collect()
}

/// The map as it will be created; `None` for one that will not be.
pub(super) fn applied<'m>(number: u16, map: &Map<'m>, plan: &[MapChoice]) -> Option<Map<'m>> {
    match plan.iter().find(|c| c.map == number).map(|c| c.fate) {
        None => Some(*map),
        Some(MapFate::PerfBuffer) => Some(map.as_perf_buffer()),
        Some(MapFate::Absent) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::OwnedBtf;
    use crate::subset::BtfWriter;
    use corelet_core::pack::{MapRole, Sizing};
    use corelet_core::{Endian, TypeId};

    fn map(map_type: u32, perf_pages: u16) -> Map<'static> {
        Map {
            name: "m",
            role: MapRole::Declared,
            map_type,
            key_size: 0,
            value_size: 0,
            max_entries: 1 << 18,
            sizing: Sizing::PowerOfTwoPages,
            map_flags: 0,
            map_extra: 0,
            key_type: TypeId::VOID,
            value_type: TypeId::VOID,
            data_off: 0,
            data_len: 0,
            perf_pages,
        }
    }

    fn kernel(types: &[(&str, u32)]) -> OwnedBtf {
        let mut w = BtfWriter::new(Endian::Little);
        let rows: Vec<u32> = types.iter().flat_map(|&(name, value)| [w.string(name), value]).collect();
        let name = if types.is_empty() { "other" } else { "bpf_map_type" };
        w.push(name, Kind::Enum, false, types.len() as u32, 4, &rows);
        OwnedBtf::from_bytes(w.finish()).unwrap()
    }

    #[test]
    fn the_enum_decides_and_without_it_the_version() {
        let maps = [map(1, 0), map(27, 8), map(27, 0), map(30, 0)];
        let fates = |kernel: &OwnedBtf, release| {
            plan(&maps, &kernel.view(), release).iter().map(|c| (c.map, c.fate)).collect::<Vec<_>>()
        };
        let all = [(1, MapFate::PerfBuffer), (2, MapFate::Absent), (3, MapFate::Absent)];
        let old = kernel(&[("BPF_MAP_TYPE_HASH", 1)]);
        assert_eq!(fates(&old, Some(version(7, 0))), all);
        let new = kernel(&[("BPF_MAP_TYPE_HASH", 1), ("BPF_MAP_TYPE_RINGBUF", 27), ("B", 30)]);
        assert_eq!(fates(&new, Some(version(4, 19))), []);
        let none = kernel(&[]);
        assert_eq!(fates(&none, Some(version(5, 4))), all);
        assert_eq!(fates(&none, Some(version(5, 10))), all[2..]);
        assert_eq!(fates(&none, None), []);
    }

    #[test]
    fn a_ring_buffer_becomes_an_array_of_as_many_entries_as_cpus() {
        let plan =
            [MapChoice { map: 1, fate: MapFate::PerfBuffer }, MapChoice { map: 2, fate: MapFate::Absent }];
        let perf = applied(1, &map(27, 8), &plan).unwrap();
        assert_eq!((perf.map_type, perf.key_size, perf.value_size), (4, 4, 4));
        assert_eq!((perf.sizing, perf.perf_pages), (Sizing::Cpus, 8));
        assert_eq!(applied(2, &map(27, 0), &plan), None);
        assert_eq!(applied(3, &map(27, 0), &plan), Some(map(27, 0)));
    }
}
