//! The pack: what the image builder hands to the device, in one file that is read, checked and used in place.
//!
//! # The file, byte by byte
//!
//! All numbers are little-endian. A pack and a target file have the same form and differ in their sections.
//!
//! ```text
//! offset  bytes  header
//!      0      8  magic  "CORELET\n"
//!      8      2  version of the format: 1
//!     10      2  number of sections
//!     12      4  length of the file
//!     16      4  CRC-32 (ISO-HDLC) of header and section table, taken with these four bytes 0
//!     20      4  reserved, 0
//!
//!                section table: one entry of 20 bytes for each section
//!      0      2  section id, below
//!      2      2  flags: bit 0 critical; the other bits are 0
//!      4      2  owner: number of the object or target that the section belongs to, from 0
//!      6      2  reserved, 0
//!      8      4  offset from the start of the file, a multiple of 8
//!     12      4  length in bytes
//!     16      4  CRC-32 of the section's bytes
//!
//!                the sections, each padded with zeros to a multiple of 8
//! ```
//!
//! Entries may name the same bytes: what several targets have in common, above all kernels of one series, is in the file
//! once. A reader refuses a critical section whose id it does not know, and skips any other. A newer writer may append fields to
//! no record: a changed record gets a new section id.
//!
//! # Sections
//!
//! *records* are [postcard](https://postcard.jamesmunns.com/wire-format) values of the named type, one after another to the
//! end of the section, each number in its shortest encoding. Writing goes through postcard and serde; the device reads the
//! same bytes without serde's visitors, which take 7 KB of flash (`wire.rs`). The number of a record is its place from 0;
//! other records refer to it by that number.
//!
//! ```text
//! id     name       owner   critical  content
//! 0x10   OBJECT     object  yes       one record Object
//! 0x11   INSNS      object  yes       the instructions of all functions, 8 bytes each, in the target's byte order,
//!                                     as compiled: not relocated, not fixed up
//! 0x12   BTF        object  yes       BTF blob for the kernel, types of relocations, events and results included
//! 0x13   FUNCTIONS  object  yes       records Function, in the order of INSNS
//! 0x14   PROGRAMS   object  yes       records Program
//! 0x15   MAPS       object  yes       records Map
//! 0x16   RELOS      object  yes       records Relo, in the order of .BTF.ext
//! 0x17   FIXUPS     object  yes       records Fixup, by function and instruction
//! 0x18   DATA       object  yes       first contents of data maps, one after another
//! 0x19   FUNC_INFO  object  no        records FuncInfo
//! 0x1a   LINE_INFO  object  no        records LineInfo
//! 0x1b   EVENTS     object  no        records Event
//! 0x1c   RESULTS    object  no        records ResultMap
//! 0x1d   HINTS      object  no        records Hint
//! 0x1e   WEAK       object  no        records TypeId: the VARs of .kconfig that are weak externs
//! 0x20   TARGET     target  yes       one record Target
//! 0x21   SUBSET     target  yes       BTF blob: the kernel's types that relocation reads
//! 0x22   IDS        target  yes       records KernelId, by subset id: the kernel's own ids of types
//! 0x23   KCONFIG    target  yes       contents of the .kconfig map
//! 0x24   PLAN       target  yes       records Choice: which programs are loaded on this target
//! 0x25   MEMORY     target  yes       one record Memory
//! 0x26   MODULES    target  yes       records Module: which builds of which modules SUBSET has types of
//! 0x27   SANITIZED  target  no        BTF blob: section BTF as this kernel takes it, if it does not take all of its kinds
//! 0x28   ATTACH_IDS target  no        records AttachId: the kernel's own ids of what programs attach to
//! 0x29   MAP_PLAN   target  yes       records MapChoice: maps that this kernel lacks the type of
//! 0x30   INNER_MAPS object  yes       records InnerMap: what the maps in maps of maps are
//! 0x31   MAP_VALUES object  yes       records MapValue: what maps of maps and of programs hold from the start
//! 0x33   VIEWS      object  no        records View: units, order and names of results
//! 0x34   ALIASES    object  no        records Alias: names of the tool's own options for variables
//! 0x35   PATCHES    target  no        records Patch: the instructions that relocation changes, as it leaves them
//! 0x37   DEVICE_VALUES object yes     records DeviceValue: what maps of network devices and CPUs hold from the start
//! 0x39   STRUCT_OPS target  yes       records StructOps: maps of struct_ops as this kernel has them
//! 0x3a   STRUCT_OPS_MEMBERS target yes records StructOpsMember: which programs are members of which map of struct_ops
//! 0x7f   SIGNATURE  0       no        reserved
//! ```
//!
//! Sections without content are left out: `MODULES` is of those targets only that have types of modules, and is critical, since
//! a loader that cannot check the modules must not take such a target. `TARGET` names its object by digest, so that a target may
//! travel in a file of its own and still finds its object. Such a file is installed as `DIGEST/BUILDID.target` in `/lib/corelet`,
//! the object's digest and the kernel's build id in hexadecimal, where the loader looks for what the pack does not have.

mod crc;
mod decode;
mod memory;
mod patches;
mod printing;
mod read;
mod records;
mod subset;
mod wire;
mod working;

pub use crc::{Crc, crc32};
pub use decode::{check, check_plain};
pub use memory::{Formula, Memory};
pub use patches::patch;
pub use printing::{EVENT_PADDING, MAX_EVENT, Printed, Printing, ROWS, STACKS};
pub use read::{Checked, Entry, Header, Records, Table};
pub use records::{
    Alias, Arch, Attach, AttachId, Choice, Decision, DeviceValue, Event, Fixup, FixupKind, Format, FuncInfo,
    Function, Hint, Holds, How, InnerMap, KernelId, LineInfo, Map, MapChoice, MapFate, MapRole, MapValue,
    Module, Object, Patch, Place, Program, Relo, ResultMap, Sizing, SkipReason, StructOps, StructOpsMember,
    Target, View,
};
pub use subset::Subset;
pub use wire::{Reader, Wire};
pub use working::{OPEN_MAP, STREAM_FIXED, STREAM_PER_CPU, Sizes, candidates, relocation, stays, work};

/// First eight bytes of a pack or target file. The newline shows a transfer that rewrote line ends.
pub const MAGIC: [u8; 8] = *b"CORELET\n";
/// Version of the format that this crate writes and the newest it reads.
pub const VERSION: u16 = 1;
/// Bytes of the header.
pub const HEADER_LEN: usize = 24;
/// Bytes of an entry of the section table.
pub const ENTRY_LEN: usize = 20;
/// Flag of a section that a reader must know.
pub const CRITICAL: u16 = 1;

/// Section ids.
#[allow(missing_docs, reason = "the table in this module's documentation says what each holds")]
pub mod section {
    pub const OBJECT: u16 = 0x10;
    pub const INSNS: u16 = 0x11;
    pub const BTF: u16 = 0x12;
    pub const FUNCTIONS: u16 = 0x13;
    pub const PROGRAMS: u16 = 0x14;
    pub const MAPS: u16 = 0x15;
    pub const RELOS: u16 = 0x16;
    pub const FIXUPS: u16 = 0x17;
    pub const DATA: u16 = 0x18;
    pub const FUNC_INFO: u16 = 0x19;
    pub const LINE_INFO: u16 = 0x1a;
    pub const EVENTS: u16 = 0x1b;
    pub const RESULTS: u16 = 0x1c;
    pub const HINTS: u16 = 0x1d;
    pub const WEAK: u16 = 0x1e;
    pub const TARGET: u16 = 0x20;
    pub const SUBSET: u16 = 0x21;
    pub const IDS: u16 = 0x22;
    pub const KCONFIG: u16 = 0x23;
    pub const PLAN: u16 = 0x24;
    pub const MEMORY: u16 = 0x25;
    pub const MODULES: u16 = 0x26;
    pub const SANITIZED: u16 = 0x27;
    pub const ATTACH_IDS: u16 = 0x28;
    pub const MAP_PLAN: u16 = 0x29;
    pub const INNER_MAPS: u16 = 0x30;
    pub const MAP_VALUES: u16 = 0x31;
    pub const VIEWS: u16 = 0x33;
    pub const ALIASES: u16 = 0x34;
    pub const PATCHES: u16 = 0x35;
    pub const DEVICE_VALUES: u16 = 0x37;
    pub const STRUCT_OPS: u16 = 0x39;
    pub const STRUCT_OPS_MEMBERS: u16 = 0x3a;
    pub const SIGNATURE: u16 = 0x7f;

    /// Whether this version knows what the section holds.
    pub fn known(id: u16) -> bool {
        matches!(id, OBJECT..=WEAK | TARGET..=MAP_PLAN | INNER_MAPS | MAP_VALUES | VIEWS..=PATCHES | SIGNATURE)
            || matches!(id, DEVICE_VALUES | STRUCT_OPS | STRUCT_OPS_MEMBERS)
    }

    /// Whether the section belongs to a target and not to an object.
    pub fn of_target(id: u16) -> bool {
        matches!(id, TARGET..=MAP_PLAN | PATCHES | STRUCT_OPS | STRUCT_OPS_MEMBERS)
    }

    /// Whether a writer marks the section as critical.
    pub fn critical(id: u16) -> bool {
        matches!(id, OBJECT..=DATA | TARGET..=MODULES | MAP_PLAN | INNER_MAPS | MAP_VALUES)
            || matches!(id, DEVICE_VALUES | STRUCT_OPS | STRUCT_OPS_MEMBERS)
    }

    /// The name in the documentation, for messages.
    pub fn name(id: u16) -> &'static str {
        match id {
            OBJECT => "OBJECT",
            INSNS => "INSNS",
            BTF => "BTF",
            FUNCTIONS => "FUNCTIONS",
            PROGRAMS => "PROGRAMS",
            MAPS => "MAPS",
            RELOS => "RELOS",
            FIXUPS => "FIXUPS",
            DATA => "DATA",
            FUNC_INFO => "FUNC_INFO",
            LINE_INFO => "LINE_INFO",
            EVENTS => "EVENTS",
            RESULTS => "RESULTS",
            HINTS => "HINTS",
            WEAK => "WEAK",
            TARGET => "TARGET",
            SUBSET => "SUBSET",
            IDS => "IDS",
            KCONFIG => "KCONFIG",
            PLAN => "PLAN",
            MEMORY => "MEMORY",
            MODULES => "MODULES",
            SANITIZED => "SANITIZED",
            VIEWS => "VIEWS",
            MAP_PLAN => "MAP_PLAN",
            INNER_MAPS => "INNER_MAPS",
            MAP_VALUES => "MAP_VALUES",
            ATTACH_IDS => "ATTACH_IDS",
            ALIASES => "ALIASES",
            DEVICE_VALUES => "DEVICE_VALUES",
            PATCHES => "PATCHES",
            STRUCT_OPS => "STRUCT_OPS",
            STRUCT_OPS_MEMBERS => "STRUCT_OPS_MEMBERS",
            SIGNATURE => "SIGNATURE",
            _ => "unknown",
        }
    }
}
