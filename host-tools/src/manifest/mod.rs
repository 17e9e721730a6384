//! Manifests: what a BPF object's BTF does not say, in TOML beside the object.
//!
//! An object tells the types of its maps but not what its buffers carry, which of its programs exclude each other, which
//! may be left out, and how its results read. The tool's own user space knows that; on the device there is none, so the
//! manifest says it once, on the PC. `manifests/` has those of BCC's tools, and its README the form.

pub mod decl;
mod file;
mod perf;
#[cfg(test)]
mod tests;

use anyhow::Result;
use std::collections::BTreeMap;

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
    /// By the name in the object.
    pub maps: BTreeMap<String, Map>,
    /// Groups of programs of which one set is taken, in the order of the file.
    pub alternatives: Vec<Alternatives>,
    /// By the name in the object.
    pub programs: BTreeMap<String, Program>,
    /// First values of variables of `.rodata`, `.data` and `.bss`, by name.
    pub variables: BTreeMap<String, Value>,
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
    /// Pages of each CPU's buffer of a perf event array: a power of two.
    pub perf_pages: Option<u16>,
}

/// The type of a buffer's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Struct of this name in the object's BTF.
    Btf(String),
    /// Struct that the BTF does not have, as each known version of the tool has it: the one of the size that the programs
    /// send is taken. At least one.
    Declared(Vec<decl::Composite>),
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
    Log2 {
        /// Member of the value that is the array of counters.
        slots: String,
    },
    /// As named numbers.
    Counters(Labels),
}

/// Names of counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// None: they are numbered.
    Numbers,
    /// Names, from the first counter on.
    Names(Vec<String>),
    /// Enum of the object's BTF whose enumerators name them by value.
    Enum(String),
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
        BUILTIN.iter().find(|(name, _)| *name == tool).map(|&(_, text)| text)
    }
}

/// Tools with a manifest of their own here, sorted.
pub const BUILTIN: &[(&str, &str)] = &[
    ("biolatency", include_str!("../../manifests/biolatency.toml")),
    ("execsnoop", include_str!("../../manifests/execsnoop.toml")),
    ("exitsnoop", include_str!("../../manifests/exitsnoop.toml")),
    ("opensnoop", include_str!("../../manifests/opensnoop.toml")),
    ("runqslower", include_str!("../../manifests/runqslower.toml")),
    ("sigsnoop", include_str!("../../manifests/sigsnoop.toml")),
    ("syscount", include_str!("../../manifests/syscount.toml")),
    ("tcpconnect", include_str!("../../manifests/tcpconnect.toml")),
    ("vfsstat", include_str!("../../manifests/vfsstat.toml")),
];
