//! Every fixed capacity of the crate, with its source.

/// Elements of an access string: `BPF_CORE_SPEC_MAX_LEN`, libbpf `src/relo_core.h`.
pub const SPEC_MAX_LEN: usize = 64;

/// Depth to which two types are compared: `__bpf_core_types_are_compat(…, 32)`, libbpf `src/relo_core.c`.
pub const MAX_TYPE_DEPTH: usize = 32;

/// Modifiers, typedefs and arrays followed in one chain: `MAX_RESOLVE_DEPTH`, kernel `kernel/bpf/btf.c`.
pub const MAX_RESOLVE_DEPTH: usize = 32;

/// Sections of one pack that a loader holds the table of: 12 for an object, 5 for a target.
pub const MAX_PACK_SECTIONS: usize = 256;

/// Functions that one program is linked of: its own and its subprograms. `BPF_MAX_SUBPROGS`, kernel
/// `include/linux/bpf_verifier.h`.
pub const MAX_SUBPROGS: usize = 256;

/// Members visited or pairs of types compared for one candidate of one relocation: hostile types can nest anonymous structs
/// so that a walk of them would take for ever. The largest struct of a kernel has some thousands of members.
pub const MAX_COMPARISONS: u32 = 1 << 20;

/// Symbols of one object. The objects of today's largest users have some thousands.
pub const MAX_SYMBOLS: u32 = 1 << 16;

/// Functions of one object, programs and subprograms; together with [`MAX_SYMBOLS`] it bounds the time that numbering takes.
pub const MAX_FUNCTIONS: u32 = 1 << 12;

/// Objects of one pack, all of which a loader loads together.
pub const MAX_PACK_OBJECTS: usize = 8;
