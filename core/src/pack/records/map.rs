//! Maps, and what they hold from the start.

use crate::id::TypeId;
use serde::{Deserialize, Serialize};

/// How the number of entries of a map is found on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sizing {
    /// `max_entries` as it stands.
    Exact,
    /// As many as there are possible CPUs (perf event arrays).
    Cpus,
    /// Bytes, rounded up to a power of two of pages (ring buffers).
    PowerOfTwoPages,
}

/// What a map is to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapRole {
    /// Declared in `.maps`.
    Declared,
    /// `.data` or `.bss`: writable variables.
    Data,
    /// `.rodata`: frozen after its contents are set.
    Rodata,
    /// `.kconfig`: contents from the target, frozen.
    Kconfig,
    /// Declared with `pinning = LIBBPF_PIN_BY_NAME`: shared by its name in a bpffs.
    Pinned,
    /// A variable of `.struct_ops` or `.struct_ops.link`; what it is created of, section `STRUCT_OPS` of a target says.
    StructOps,
    /// Declared in `.maps`: an arena that begins with variables (`.addr_space.1`), set by mapping it.
    Arena,
}

impl MapRole {
    /// Whether the map's definition stands in `.maps`, or its contents are no variables; the others are variables.
    pub fn is_declared(self) -> bool {
        matches!(self, MapRole::Declared | MapRole::Pinned | MapRole::StructOps | MapRole::Arena)
    }
}

/// Section `MAPS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map<'a> {
    /// Name in the object: of the variable in `.maps`, or of the data section.
    pub name: &'a str,
    /// What it is.
    pub role: MapRole,
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Entries; see `sizing`.
    pub max_entries: u32,
    /// How `max_entries` becomes what the kernel is asked for.
    pub sizing: Sizing,
    /// `BPF_F_*` of map creation.
    pub map_flags: u32,
    /// `map_extra`.
    pub map_extra: u64,
    /// Type of a key in the pack's BTF; void where there is none or the map type refuses it.
    pub key_type: TypeId,
    /// Type of a value; the DATASEC of data maps.
    pub value_type: TypeId,
    /// First contents: offset in `DATA`. Data maps, and arenas that begin with variables.
    pub data_off: u32,
    /// First contents: bytes in `DATA`; 0 for all zeros. May be shorter than the value, the rest being zeros.
    pub data_len: u32,
    /// Pages of each CPU's buffer of a perf event array that carries events, or of a ring buffer that may become one (a power of
    /// two); 0 for other maps.
    pub perf_pages: u16,
}

impl Map<'_> {
    /// The perf event array that takes this ring buffer's place on a kernel that has none ([`super::MapFate::PerfBuffer`]).
    pub fn as_perf_buffer(self) -> Self {
        Map { map_type: 4, key_size: 4, value_size: 4, max_entries: 0, sizing: Sizing::Cpus, ..self }
    }
}

/// Section `INNER_MAPS`: what the maps in a map of maps are. One such map is created before it, as its pattern, and closed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InnerMap<'a> {
    /// The map of maps.
    pub map: u16,
    /// The pattern; its name is the outer map's with `.inner` behind it.
    #[serde(borrow)]
    pub def: Map<'a>,
}

/// Section `MAP_VALUES`: what a map of maps or programs holds from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapValue {
    /// The map.
    pub map: u16,
    /// Its key there.
    pub key: u32,
    /// What it holds.
    pub holds: Holds,
}

/// What a map of maps or programs holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holds {
    /// A map.
    Map {
        /// Its number.
        map: u16,
    },
    /// A program; the key stays empty where it is not loaded.
    Program {
        /// Its number.
        program: u16,
    },
}

/// Section `DEVICE_VALUES`: what a map of network devices or CPUs holds from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceValue<'a> {
    /// The map.
    pub map: u16,
    /// Its key there.
    pub key: u32,
    /// The interface; empty for a CPU.
    pub interface: &'a str,
    /// Packets that a CPU's queue holds.
    pub size: u32,
    /// Number of the program that takes the packets there, plus 1; 0 for none.
    pub program: u16,
}
