//! Instructions that are written when they are loaded: relocations and fix-ups; and what the kernel is told of functions and lines.

use crate::id::TypeId;
use serde::{Deserialize, Serialize};

/// Section `RELOS`: one CO-RE relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relo {
    /// Function whose instruction it patches.
    pub function: u16,
    /// Instruction, from the function's start.
    pub insn: u32,
    /// Local root type in the pack's BTF.
    pub type_id: TypeId,
    /// Offset of the access string in the BTF's strings.
    pub access_str_off: u32,
    /// `enum bpf_core_relo_kind`.
    pub kind: u8,
    /// Number of the record within its `.BTF.ext` section: libbpf's `relo #N`.
    pub index: u32,
    /// Source line; 0 where the object does not say.
    pub line: u32,
}

/// Section `FIXUPS`: an instruction that refers to something whose number only the device knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixup {
    /// Function.
    pub function: u16,
    /// Instruction, from the function's start.
    pub insn: u32,
    /// What it refers to.
    pub kind: FixupKind,
}

/// What a fix-up refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FixupKind {
    /// `ld_imm64` of a map's descriptor.
    Map {
        /// The map.
        map: u16,
    },
    /// `ld_imm64` of an address within the value of a data map.
    MapValue {
        /// The map.
        map: u16,
        /// Bytes from the value's start.
        offset: u32,
    },
    /// Call of a subprogram.
    Call {
        /// The subprogram.
        function: u16,
    },
    /// `ld_imm64` of a function's address (callbacks).
    FunctionAddress {
        /// The subprogram.
        function: u16,
    },
    /// `ld_imm64` of a typed kernel symbol: its BTF id.
    Ksym {
        /// Offset of its name in the BTF's strings.
        name_off: u32,
        /// Whether it may be missing.
        weak: bool,
    },
    /// Call of a kernel function. As with [`FixupKind::Ksym`].
    Kfunc {
        /// Offset of its name in the BTF's strings.
        name_off: u32,
        /// Whether it may be missing.
        weak: bool,
    },
    /// `ld_imm64` of the address of a kernel symbol that was declared without a type, by `/proc/kallsyms`.
    KsymAddress {
        /// Offset of its name in the BTF's strings.
        name_off: u32,
        /// Whether it may be missing, its address then being 0.
        weak: bool,
    },
}

/// Section `FUNC_INFO`: the FUNC of a function, at its first instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuncInfo {
    /// Function.
    pub function: u16,
    /// Its FUNC in the pack's BTF.
    pub type_id: TypeId,
}

/// Section `LINE_INFO`: the source line of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineInfo {
    /// Function.
    pub function: u16,
    /// Instruction, from the function's start.
    pub insn: u32,
    /// Offset of the file's name in the BTF's strings.
    pub file_off: u32,
    /// Offset of the line's text in the BTF's strings.
    pub line_off: u32,
    /// Line in the upper 22 bits, column in the lower 10, as `struct bpf_line_info`.
    pub line_col: u32,
}
