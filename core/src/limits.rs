//! Every fixed capacity of the crate, with its source.

/// Elements of an access string: `BPF_CORE_SPEC_MAX_LEN`, libbpf `src/relo_core.h`.
pub const SPEC_MAX_LEN: usize = 64;

/// The same where memory is scarce, in the firmware for microcontrollers (`boards/mcu`). The 57 tools of Debian's package, on
/// its kernels of 6.12 and 7.2, need 6 at most.
pub const SMALL_SPEC_LEN: usize = 16;

/// Depth to which two types are compared: `__bpf_core_types_are_compat(…, 32)`, libbpf `src/relo_core.c`.
pub const MAX_TYPE_DEPTH: usize = 32;

/// Modifiers, typedefs and arrays followed in one chain: `MAX_RESOLVE_DEPTH`, kernel `kernel/bpf/btf.c`.
pub const MAX_RESOLVE_DEPTH: usize = 32;

/// Bytes of a name of a type, member or enumerator, without its NUL: `KSYM_NAME_LEN`, kernel `include/linux/kallsyms.h`, 512
/// since 6.1, past which `__btf_name_valid` of `kernel/bpf/btf.c` refuses a name. So a walk over names is bounded by their
/// number, even where all of them lie in one string without an end.
pub const MAX_NAME_LEN: usize = 512;

/// Bytes of a name of a section or symbol of an object, without its NUL. No format limits them: eight times what the kernel
/// takes of names in BTF leaves room for mangled ones. As [`MAX_NAME_LEN`], it keeps names from being walked over and over.
pub const MAX_ELF_NAME_LEN: usize = 4096;

/// Sections of one pack that a loader holds the table of: 12 for an object, 6 for a target.
pub const MAX_PACK_SECTIONS: usize = 256;

/// Bytes of one target's section `MODULES`, which a loader reads before the pack has said how much memory it takes: six modules
/// of the longest names (`MODULE_NAME_LEN`, kernel `include/linux/moduleparam.h`), a dozen of usual ones.
pub const MAX_MODULES_BYTES: usize = 512;

/// Members visited or pairs of types compared for one candidate of one relocation: hostile types can nest anonymous structs
/// so that a walk of them would take for ever. The largest struct of a kernel has some thousands of members.
pub const MAX_COMPARISONS: u32 = 1 << 20;

/// Symbols of one object. The objects of today's largest users have some thousands.
pub const MAX_SYMBOLS: u32 = 1 << 16;

/// Functions of one object, programs and subprograms; together with [`MAX_SYMBOLS`] it bounds the time that numbering takes.
pub const MAX_FUNCTIONS: u32 = 1 << 12;

/// Groups of alternative programs of one object. Those of today's tools have one or two.
pub const MAX_ALTERNATIVES: usize = 16;

/// Sets of one such group, which a device tries in turn. Those of today's tools have two or three.
pub const MAX_SETS: u16 = 64;

/// Objects of one pack, all of which a loader loads together.
pub const MAX_PACK_OBJECTS: usize = 8;

/// Bytes of a kernel's BTF that are in memory at once while it is read in passes, and the longest name there with its NUL:
/// `KSYM_NAME_LEN` is 512, kernel `include/linux/kallsyms.h`. sysfs gives a page in one read at most.
pub const KERNEL_BTF_WINDOW: usize = 2048;

/// Records of the kernel's own BTF whose place is kept, so that a type is found again by a short walk: 1 KiB or less, every
/// 1200th of the 70 to 130 thousand types of today's kernels.
pub const KERNEL_BTF_MARKS: u32 = 256;

/// The same for a module's BTF, of some hundred to some thousand types.
pub const MODULE_BTF_MARKS: u32 = 64;

/// Modules that have candidates for types which the kernel itself lacks. libbpf takes any number; of one name in more than
/// two or three modules nothing but ambiguity comes.
pub const MAX_CANDIDATE_MODULES: usize = 4;

/// Bytes that the device gives to read the kernel's own BTF and to relocate with what was taken from it. Pages that are not
/// needed are not touched.
pub const KERNEL_BTF_MEMORY: usize = 64 << 10;

/// Symbols of one table of an executable: the largest programs, browsers and kernels with all symbols, have a million.
pub const MAX_EXECUTABLE_SYMBOLS: u32 = 1 << 22;

/// Versions that a shared object defines. glibc has some 50.
pub const MAX_VERSIONS: u32 = 1 << 10;

/// Bytes of one USDT note behind its owner's name: three addresses, provider, name and up to twelve arguments, of which the
/// longest in use have some twenty characters.
pub const MAX_USDT_NOTE: usize = 512;
