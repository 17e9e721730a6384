//! What people see: events, results and how they are printed.

use crate::id::TypeId;
use serde::{Deserialize, Serialize};

/// Section `EVENTS`: what a ring buffer or perf event array carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// The map.
    pub map: u16,
    /// Type of a record in the pack's BTF. A record may be shorter (its tail is absent) or padded.
    pub type_id: TypeId,
    /// Name printed in front of the event; empty where there is one kind of event only.
    pub name: &'a str,
}

/// Section `RESULTS`: a map whose content is the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultMap<'a> {
    /// The map: a hash or array, or a data map together with `variable`.
    pub map: u16,
    /// Name printed with it.
    pub name: &'a str,
    /// Offset of the variable in a data map's value, in bytes.
    pub offset: u32,
    /// Type of a value in the pack's BTF: of the map, or of the variable.
    pub type_id: TypeId,
    /// How it is printed.
    pub how: How,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// Each entry's key and value by their types.
    Entries,
    /// Entries whose value has an array of counters, slot *n* counting values from 2^n: one histogram a key.
    Log2 {
        /// Offset of the array in the value, in bytes.
        offset: u32,
        /// Number of slots of four bytes each.
        slots: u32,
    },
    /// An array of counters, each with a name of its own.
    Counters {
        /// Enum in the pack's BTF whose enumerators name them by value; void for numbers.
        labels: TypeId,
    },
    /// As [`How::Log2`], with slots of another size, of equal width, or in each element of an array: one histogram an element.
    Hist {
        /// Offset of the slots in the value or element, in bytes.
        offset: u32,
        /// Number of slots.
        slots: u32,
        /// Bytes of a slot: 4 or 8.
        size: u8,
        /// Least value that slot 0 counts, where `step` is not 0.
        base: u32,
        /// Values that a slot counts; 0 where slot *n* counts from 2^n.
        step: u32,
        /// Enum in the pack's BTF that names the elements of an array; void for numbers.
        labels: TypeId,
    },
}

/// Section `VIEWS`: what more is to be said of one result. There is none for a result that is printed by its types alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View<'a> {
    /// Number of the record in `RESULTS`.
    pub result: u16,
    /// How a key that is no struct is printed.
    pub key: Format,
    /// How a value that is no struct is printed.
    pub value: Format,
    /// Units of a histogram's values, separated by spaces, of which the variable's value chooses one; empty for none.
    pub units: &'a str,
    /// Data map that holds the variable.
    pub unit_map: u16,
    /// Offset of the variable in the map's value, in bytes.
    pub unit_offset: u32,
    /// Bytes of the variable; 0 where there is none and the first unit holds.
    pub unit_size: u8,
    /// Offset in the value of the number by which entries are sorted, the largest first, in bytes.
    pub sort_offset: u32,
    /// Bytes of that number; 0 for entries as they come.
    pub sort_size: u8,
    /// Most entries that are printed of those sorted; 0 for as many as there is memory for.
    pub rows: u16,
    /// Whether each print starts counting anew.
    pub clear: bool,
}

/// Section `ALIASES`: another name of a variable, for whoever sets it; the name of the tool's own option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias<'a> {
    /// The other name.
    pub name: &'a str,
    /// Name of the variable.
    pub variable: &'a str,
}

/// Section `HINTS`: how one member is printed where its type does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// Struct in the pack's BTF.
    pub type_id: TypeId,
    /// Member number.
    pub member: u16,
    /// How it is printed.
    pub format: Format,
}

/// How a member is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// Not at all (padding, internal fields).
    Hide,
    /// Bytes to the first NUL as text.
    Text,
    /// Hexadecimal.
    Hex,
    /// 16 bits in network byte order as a number (ports).
    Port,
    /// 4 or 16 bytes as an IP address; which, says the member of this number (`AF_INET`, `AF_INET6`).
    Ip {
        /// Member that holds the address family.
        family: u16,
    },
    /// 4 bytes as an IPv4 address.
    Ipv4,
    /// NUL-separated strings as one text (argument vectors); the member of this number holds their length.
    Args {
        /// Member that holds the number of bytes used.
        len: u16,
    },
    /// An errno, negative or not: its name.
    Errno,
    /// A signal: its name.
    Signal,
    /// As the type says.
    Plain,
    /// A number by its name.
    Names {
        /// Enum in the pack's BTF.
        enumeration: TypeId,
    },
    /// Bits by their names, with `|` between; what has no name in hexadecimal behind them.
    Flags {
        /// Enum in the pack's BTF whose values are bits.
        enumeration: TypeId,
    },
    /// A device's number as the kernel has it, 20 bits of minor: `MAJOR:MINOR`.
    Dev,
    /// Octal (file modes).
    Octal,
    /// A time of the monotonic clock, as UTC.
    Time {
        /// Nanoseconds of one unit.
        unit: u32,
    },
    /// A number with so many decimals: 1234 as `1.234` with 3.
    Decimals {
        /// Digits behind the point.
        digits: u8,
    },
    /// Number of a stack in a map of stack traces, or negative for none: its kernel functions.
    KernelStack {
        /// The map.
        map: u16,
    },
    /// The same of user space: files and offsets in them.
    UserStack {
        /// The map.
        map: u16,
        /// Member that holds the process, as user space counts it (tgid).
        pid: u16,
    },
    /// An address in the kernel: the symbol.
    Ksym,
    /// An array of addresses in the kernel, to the first 0: the symbols.
    Ksyms {
        /// Member that holds the number of bytes used.
        len: u16,
    },
}
