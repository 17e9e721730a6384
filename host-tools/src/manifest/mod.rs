//! Manifests: what a BPF object's BTF does not say, in TOML beside the object.
//!
//! An object tells the types of its maps but not what its buffers carry, which of its programs exclude each other, which
//! may be left out, and how its results read. The tool's own user space knows that; on the device there is none, so the
//! manifest says it once, on the PC. `manifests/` has those of BCC's tools, and its README the form.

mod builtin;
pub mod decl;
mod file;
mod perf;
#[cfg(test)]
mod tests;

pub use builtin::BUILTIN;

use anyhow::Result;
use corelet_core::pack::Arch;
use std::collections::{BTreeMap, BTreeSet};

/// What is to be known of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What errors call it, a file's name; empty where there is none.
    pub file: String,
    /// SPDX expression of the object's licence.
    pub spdx: Option<String>,
    /// One line for people.
    pub description: Option<String>,
    /// Modules whose types the programs mean, where the kernel itself has none of the name: in the kernel's spelling.
    pub modules: Vec<String>,
    /// The architecture that the object was compiled for, where its programs read registers and its types do not say it.
    pub arch: Option<Arch>,
    /// Programs, maps and variables that not every version of the tool has.
    pub varying: BTreeSet<String>,
    /// By the name in the object.
    pub maps: BTreeMap<String, Map>,
    /// Groups of programs of which one set is taken, in the order of the file.
    pub alternatives: Vec<Alternatives>,
    /// By the name in the object.
    pub programs: BTreeMap<String, Program>,
    /// First values of variables of `.rodata`, `.data` and `.bss`, by name.
    pub variables: BTreeMap<String, Value>,
    /// Variables by the names of the tool's own options.
    pub options: BTreeMap<String, String>,
    /// What is printed at the end, in this order.
    pub results: Vec<ResultSpec>,
    /// How members are printed: by struct (`struct event`), then by member.
    pub hints: BTreeMap<String, BTreeMap<String, Hint>>,
}

/// What is to be known of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// Type of a ring or perf buffer's records.
    pub event: Option<EventType>,
    /// Instead of the object's `max_entries`; bytes for a ring buffer.
    pub max_entries: Option<u32>,
    /// Bytes of a value, where the object leaves them to the tool's user space.
    pub value_size: Option<u32>,
    /// Pages of each CPU's buffer of a perf event array: a power of two.
    pub perf_pages: Option<u16>,
    /// What a map of network devices or CPUs holds from the start.
    pub values: Vec<DeviceValue>,
    /// What the maps in a map of maps are, where the object leaves that to the tool's user space.
    pub inner: Option<Inner>,
}

/// A map in a map of maps.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inner {
    /// Its type, as `bpftool map` prints it: `hash`.
    pub r#type: String,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// How many it takes.
    pub max_entries: u32,
    /// `BPF_F_*` of map creation.
    #[serde(default)]
    pub map_flags: u32,
}

/// A value of a map of network devices or CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceValue {
    /// Its key.
    pub key: u32,
    /// The interface, of a map of devices.
    pub interface: Option<String>,
    /// Packets that the CPU's queue holds, of a map of CPUs.
    pub size: Option<u32>,
    /// Program of the object that takes the packets there.
    pub program: Option<String>,
}

/// The type of a buffer's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Struct of this name in the object's BTF.
    Btf(String),
    /// Struct that the BTF does not have, as each known version of the tool has it: the one of the size that the programs
    /// send is taken. At least one.
    Declared(Vec<Version>),
}

/// An event as one version of a tool has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The struct.
    pub decl: decl::Composite,
    /// A program that only objects of this version have, where another's event has the same size.
    pub program: Option<String>,
}

/// Programs that do the same in different ways. The first set is taken whose programs the target and the loader all
/// support; the programs of the others are not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternatives {
    /// Names of programs, best set first.
    pub sets: Vec<Vec<String>>,
}

/// What is to be known of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Whether it is loaded.
    pub presence: Presence,
    /// SEC() names that say what it is attached to instead of the object's own, one attachment each; none where the object's
    /// stands.
    pub attach: Vec<String>,
    /// Cgroups, network namespaces, maps of sockets; interfaces or hooks of netfilter as [`corelet_core::device::Place`] reads them:
    /// one attachment to each; none where only the device's command line says.
    pub places: Vec<String>,
    /// What a `SEC("perf_event")` program counts.
    pub perf: Option<PerfEvent>,
}

/// Whether a program is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It is loaded, or the pack fails.
    #[default]
    Needed,
    /// It is left out where the kernel lacks what it attaches to.
    Optional,
    /// It is not loaded.
    Disabled,
}

impl From<Presence> for Program {
    fn from(presence: Presence) -> Program {
        Program { presence, ..Program::default() }
    }
}

/// A counter, and how often it gives a sample, as `struct perf_event_attr` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerfEvent {
    /// `PERF_TYPE_*`.
    pub kind: u32,
    /// Which of that type.
    pub config: u64,
    /// Events to a sample, or samples a second; not 0.
    pub sample: u64,
    /// Whether `sample` is samples a second.
    pub freq: bool,
}

/// A variable's value. Whether it fits the variable's type is for the one who knows the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Int(i64),
}

/// A map or variable that is the tool's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultSpec {
    /// Name printed with it.
    pub name: String,
    /// Where it is.
    pub from: ResultFrom,
    /// How it is printed.
    pub how: ResultHow,
    /// How a key that is no struct is printed.
    pub key: Option<Hint>,
    /// How a value that is no struct is printed.
    pub value: Option<Hint>,
    /// Unit of a histogram's values.
    pub unit: Option<Unit>,
    /// Member of the value by which entries are sorted, the largest first; `value` where the value is a number.
    pub sort: Option<String>,
    /// Most entries that are printed; 0 for all there is memory for.
    pub rows: u16,
    /// Whether each print starts counting anew.
    pub clear: bool,
}

/// Unit of a histogram's values.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged, expecting = "expected a unit, or { variable = \"NAME\", names = [UNITS] }")]
pub enum Unit {
    /// Always this one.
    Fixed(String),
    /// The one that a variable's value chooses.
    ByVariable {
        /// The variable.
        variable: String,
        /// Units of the values from 0 on.
        names: Vec<String>,
    },
}

/// Where a result is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultFrom {
    /// In this map.
    Map(String),
    /// In this variable.
    Variable(String),
}

/// How a result is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultHow {
    /// Each entry by its types.
    Entries,
    /// As histograms.
    Hist {
        /// Member of the value that is the array of counters; `None` where the value is that array.
        slots: Option<String>,
        /// Least value and width of the slots; `None` for powers of two.
        linear: Option<(u32, u32)>,
        /// Names of the elements, where the value is an array of histograms.
        labels: Labels,
    },
    /// As named numbers.
    Counters(Labels),
}

/// Names of counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// None: they are numbered.
    Numbers,
    /// By number.
    Named(Names),
}

/// Numbers with names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of names, a table as { NAME = 1 }, or the name of an enum such as \"enum op\""
)]
pub enum Names {
    /// Enum of the object's BTF, as `enum NAME`.
    Enum(String),
    /// Names of 0, 1, …; of bits 0, 1, … where they are flags.
    List(Vec<String>),
    /// Names with their numbers.
    Values(BTreeMap<String, u32>),
}

/// How a member is printed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hint {
    /// Not at all.
    Hide,
    /// Bytes to the first NUL as text.
    Text,
    /// In hexadecimal.
    Hex,
    /// As a port: 16 bits in network byte order.
    Port,
    /// As an IP address of the family that this member holds.
    Ip(String),
    /// As an IPv4 address.
    Ipv4,
    /// As NUL-separated strings, of as many bytes as this member says.
    Args(String),
    /// As the name of an errno.
    Errno,
    /// As the name of a signal.
    Signal,
    /// By its name.
    Names(Names),
    /// As the names of the bits that are set.
    Flags(Names),
    /// As a device's number, `MAJOR:MINOR`.
    Dev,
    /// In octal.
    Octal,
    /// As a time of the monotonic clock in this unit.
    Time(TimeUnit),
    /// With so many digits behind the point.
    Decimals(u8),
    /// As the functions of a stack in this map.
    #[serde(rename = "kernel_stack")]
    KernelStack(String),
    /// As the places in files of a stack of user space.
    #[serde(rename = "user_stack")]
    UserStack {
        /// The map.
        map: String,
        /// Member that holds the process; without one, addresses stay numbers.
        pid: Option<String>,
    },
    /// As the kernel symbol of an address.
    Ksym,
    /// As the kernel symbols of an array of addresses, of as many bytes as this member says.
    Ksyms(String),
}

/// Unit of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

impl Hint {
    /// The other member that it reads.
    pub fn refers_to(&self) -> Option<&str> {
        match self {
            Hint::Ip(member) | Hint::Args(member) | Hint::Ksyms(member) => Some(member),
            Hint::UserStack { pid, .. } => pid.as_deref(),
            _ => None,
        }
    }
}

impl Manifest {
    /// Parses the text of a manifest. `name` is what errors call it, a file's name.
    ///
    /// # Errors
    /// With the line, the key and what is allowed there; unknown keys are refused. Whether the object has the maps,
    /// programs and variables that are named is not checked here.
    pub fn parse(name: &str, text: &str) -> Result<Manifest> {
        Ok(Manifest { file: name.to_owned(), ..file::parse(name, text)? })
    }

    /// The text of the manifest that comes with this crate for a tool, by the name of its object with or without
    /// `.bpf.o`, and `-libbpf` as Debian calls BCC's tools.
    pub fn builtin(tool: &str) -> Option<&'static str> {
        let tool = tool.strip_suffix(".o").unwrap_or(tool);
        let tool = tool.strip_suffix(".bpf").unwrap_or(tool);
        let tool = tool.strip_suffix("-libbpf").unwrap_or(tool);
        let tool = builtin::ALIASES.iter().find(|(alias, _)| *alias == tool).map_or(tool, |&(_, own)| own);
        BUILTIN.iter().find(|(name, _)| *name == tool).map(|&(_, text)| text)
    }
}
