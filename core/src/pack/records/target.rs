//! One object on one kernel: the kernel, what of it the object meets, and what is loaded there.

use crate::id::TypeId;
use serde::{Deserialize, Serialize};

/// CPU architecture of a target, by the names that `uname -m` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arch {
    /// `x86_64`
    X86_64,
    /// `aarch64`
    Aarch64,
    /// `armv7l` and its like: 32-bit ARM.
    Arm,
    /// `riscv64`
    Riscv64,
}

impl Arch {
    /// The architecture of a `uname -m` string.
    pub fn from_machine(machine: &str) -> Option<Arch> {
        match machine {
            "x86_64" => Some(Arch::X86_64),
            "aarch64" => Some(Arch::Aarch64),
            "riscv64" => Some(Arch::Riscv64),
            m if m.starts_with("arm") => Some(Arch::Arm),
            _ => None,
        }
    }

    /// The machine number of its ELF files (`EM_*` of `<linux/elf-em.h>`), which `LINUX_ARCH` tells programs.
    pub fn machine(self) -> u16 {
        match self {
            Arch::X86_64 => 62,
            Arch::Aarch64 => 183,
            Arch::Arm => 40,
            Arch::Riscv64 => 243,
        }
    }

    /// The kernel's word.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
            Arch::Arm => "arm",
            Arch::Riscv64 => "riscv64",
        }
    }

    /// Bytes of a pointer in its kernel.
    pub fn pointer_size(self) -> u8 {
        if self == Arch::Arm { 4 } else { 8 }
    }
}

/// Section `TARGET`: one object on one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target<'a> {
    /// SHA-256 of the object that this target is for.
    pub object: [u8; 32],
    /// Build id of the kernel's ELF note; empty where its image carries none.
    pub build_id: &'a [u8],
    /// `uname -r`.
    pub release: &'a str,
    /// `uname -v`.
    pub version: &'a str,
    /// Architecture.
    pub arch: Arch,
    /// Bytes of a pointer.
    pub pointer_size: u8,
    /// Whether the kernel is big-endian.
    pub big_endian: bool,
}

/// Section `MODULES`: a module that some type of the target is of. The target fits only where this build of it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module<'a> {
    /// Name as in `/sys/module`, with underscores.
    pub name: &'a str,
    /// Build id of its ELF note, as in `/sys/module/NAME/notes/.note.gnu.build-id`.
    pub build_id: &'a [u8],
}

/// Section `IDS`: the id that a type of the subset has in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelId {
    /// Id in `SUBSET`.
    pub subset: TypeId,
    /// Id in the kernel's BTF.
    pub kernel: TypeId,
}

/// Section `ATTACH_IDS`: the id in the kernel's own BTF of what a program attaches to ([`super::Attach::Trace`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachId {
    /// The program.
    pub program: u16,
    /// Id in the kernel's BTF.
    pub id: TypeId,
}

/// Section `STRUCT_OPS`: a map of struct_ops as this kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructOps<'a> {
    /// The map.
    pub map: u16,
    /// Id in the kernel's BTF of the struct that is attached, such as `tcp_congestion_ops`. Void, as `value_type` then is too, where a
    /// module has them: they are found by the name of the map's `value_type` in the object.
    pub ops_type: TypeId,
    /// Id there of the map's value, `struct bpf_struct_ops_…`.
    pub value_type: TypeId,
    /// Whether it is attached by a link.
    pub link: bool,
    /// The map's value in the kernel's layout; functions are 0 in it.
    pub value: &'a [u8],
}

/// Section `STRUCT_OPS_MEMBERS`: a program that is a member of a map of struct_ops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructOpsMember {
    /// The map.
    pub map: u16,
    /// The program.
    pub program: u16,
    /// Number of the member in the kernel's struct, which is the program's `expected_attach_type`.
    pub member: u32,
    /// Where the value has the program's descriptor, in bytes.
    pub offset: u32,
}

/// Section `PATCHES`: what relocation makes of one instruction, in the order of `INSNS` ([`crate::pack::patch`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Instructions from the one that the record before changes, or from the first, times 4; plus 0 where the value is the offset, 1 the
    /// immediate, 2 opcode and offset, 3 for poison.
    pub place: u32,
    /// The value; of opcode and offset 16 bits each, the opcode's above.
    pub value: u32,
}

/// Section `PLAN`: what becomes of a program on this target. Programs without a record are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The program.
    pub program: u16,
    /// What becomes of it.
    pub decision: Decision,
}

/// Section `MAP_PLAN`: a map that is not created on this target as section `MAPS` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapChoice {
    /// The map.
    pub map: u16,
    /// What becomes of it.
    pub fate: MapFate,
}

/// What becomes of a map whose type the target's kernel does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapFate {
    /// It is not created; programs that use it after all are refused by the verifier.
    Absent,
    /// A ring buffer becomes a perf event array, which the programs then write to.
    PerfBuffer,
}

/// What becomes of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// Loaded and attached, or the pack fails.
    Load,
    /// Loaded and attached if the device has what it attaches to; else skipped and reported.
    IfPresent,
    /// Not loaded.
    Skip(SkipReason),
    /// One of a set of programs that do together what others do in another way. Of its group the device takes the first set,
    /// from 0, of which it can attach all; the programs of the other sets are not loaded.
    OneOf {
        /// The group, from 0; below [`crate::limits::MAX_ALTERNATIVES`].
        group: u16,
        /// The set within the group; below [`crate::limits::MAX_SETS`].
        set: u16,
    },
}

/// Why a program is not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SkipReason {
    /// The manifest says so.
    Disabled,
    /// Another alternative of its group was taken.
    Alternative,
    /// The section name starts with `?` and nothing asked for it.
    NoAutoload,
}
