//! The records of a pack's sections. Field order is the wire order; a change needs a new section id ([`super`]).
//!
//! Numbers of functions, maps and programs are the places of their records within their sections, from 0.

use crate::id::TypeId;
use serde::{Deserialize, Serialize};

/// Section `OBJECT`: which object this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object<'a> {
    /// Name, of the file without `.bpf.o`; the kernel sees its first 15 bytes in map names.
    pub name: &'a str,
    /// SHA-256 of the object file.
    pub digest: [u8; 32],
    /// The object's `license` section, as the kernel wants it.
    pub license: &'a str,
    /// SPDX expression, from the manifest; empty where none was given.
    pub spdx: &'a str,
    /// `version` section (KERNEL_VERSION) of old kprobe objects; 0 where there is none.
    pub kern_version: u32,
}

/// Section `FUNCTIONS`: a program's own function or a subprogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function<'a> {
    /// Symbol name.
    pub name: &'a str,
    /// First instruction in `INSNS`, counted in instructions.
    pub start: u32,
    /// Number of instructions.
    pub count: u32,
}

/// Section `PROGRAMS`: an entry point that the kernel loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program<'a> {
    /// Name of its function.
    pub name: &'a str,
    /// Section it was in, such as `tracepoint/syscalls/sys_enter_openat`.
    pub section: &'a str,
    /// Its function.
    pub function: u16,
    /// The subprograms it reaches, as little-endian `u16` function numbers in the order they are appended.
    pub subprograms: &'a [u8],
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`, 0 where the type has none.
    pub expected_attach_type: u32,
    /// `BPF_F_SLEEPABLE` and other load flags.
    pub prog_flags: u32,
    /// What it is attached to.
    #[serde(borrow)]
    pub attach: Attach<'a>,
}

impl<'a> Program<'a> {
    /// Function numbers of all that it is linked of: its own function, then the subprograms.
    pub fn functions(&self) -> impl Iterator<Item = u16> + use<'a> {
        let program = *self;
        (0..).map_while(move |place| program.function_at(place))
    }

    #[inline(never)] // asked in every loop over functions
    fn function_at(&self, place: usize) -> Option<u16> {
        let Some(place) = place.checked_sub(1) else { return Some(self.function) };
        self.subprograms.as_chunks().0.get(place).map(|number| u16::from_le_bytes(*number))
    }

    /// Function numbers of the subprograms, in the order they are appended.
    pub fn subprograms(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.functions().skip(1)
    }
}

/// What a program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attach<'a> {
    /// Nothing: it is loaded only (tail-call targets, `syscall`).
    None,
    /// A kernel function's entry, or its return.
    Kprobe {
        /// Function name.
        symbol: &'a str,
        /// Bytes behind its start.
        offset: u32,
        /// At the return instead.
        ret: bool,
    },
    /// `events/CATEGORY/NAME` of tracefs.
    Tracepoint {
        /// Its folder.
        category: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A tracepoint's arguments as they are passed.
    RawTracepoint {
        /// Its name.
        name: &'a str,
    },
    /// Attachments that this version's loader cannot make, by section name.
    Other {
        /// The SEC() name.
        section: &'a str,
    },
    /// Every kernel function that fits a pattern, at once (`BPF_TRACE_KPROBE_MULTI`, `BPF_TRACE_KPROBE_SESSION`).
    KprobeMulti {
        /// Name in which `*` stands for any text and `?` for any character.
        pattern: &'a str,
        /// At the returns instead.
        ret: bool,
    },
    /// The kernel's function of a system call, whose name the architecture and configuration decide.
    Ksyscall {
        /// The system call, as `openat`.
        name: &'a str,
        /// At the return instead.
        ret: bool,
    },
    /// A function or tracepoint by its type in the kernel's BTF, as `tp_btf`, `fentry`, `fexit`, `fmod_ret`, `lsm` and `iter`
    /// programs: `expected_attach_type` says which.
    Trace {
        /// The module whose BTF has it; empty for any.
        module: &'a str,
        /// Name, without the prefix that its kind has in BTF (`btf_trace_`, `bpf_lsm_`, `bpf_iter_`).
        name: &'a str,
    },
    /// Instructions of a file in user space.
    Uprobe {
        /// The file, or a name that is looked for as the dynamic linker and the shell do; empty where only the device's
        /// command line says.
        path: &'a str,
        /// Symbol, or for several (`BPF_TRACE_UPROBE_MULTI`) a pattern as of [`Attach::KprobeMulti`]; empty for an offset in the
        /// file.
        symbol: &'a str,
        /// Bytes behind the symbol's start.
        offset: u64,
        /// At the return instead.
        ret: bool,
    },
    /// A probe that a program's author put there (`.note.stapsdt`).
    Usdt {
        /// The file, as of [`Attach::Uprobe`].
        path: &'a str,
        /// The probe's provider.
        provider: &'a str,
        /// The probe.
        name: &'a str,
    },
    /// Samples of a counter, on every CPU.
    PerfEvent {
        /// `PERF_TYPE_*`.
        kind: u32,
        /// `config` of `struct perf_event_attr`.
        config: u64,
        /// Events to a sample, or samples a second.
        sample: u64,
        /// Whether `sample` is samples a second.
        freq: bool,
    },
    /// Something that takes programs by its name or number, such as a cgroup.
    Place {
        /// What it is.
        kind: Place,
        /// Which one: a path, a map's name, an interface, a process and its descriptor; empty where only the device's command line says,
        /// or the kind has one that is meant without a word.
        path: &'a str,
        /// Of programs that attach by a hook too (`lsm_cgroup`), its name without `bpf_lsm_`; else empty.
        hook: &'a str,
    },
    /// A network device or a hook of netfilter: [`crate::device::Kind`] says which by the types.
    Device {
        /// The place, as [`crate::device::Place`] reads it; empty where only the device's command line says.
        place: &'a str,
    },
}

/// What a program is attached to by a name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// A cgroup of version 2: its folder.
    Cgroup,
    /// A network namespace: its file; empty for the loader's own.
    Netns,
    /// A sockmap or sockhash of the object, by its name.
    SockMap,
    /// A packet socket that the loader opens on an interface, or on all where that is empty; or a process's socket, as `PID/FD`.
    Socket,
    /// The group of sockets (`SO_REUSEPORT`) that a process's socket is of, as `PID/FD`.
    Reuseport,
    /// A device of infrared remote controls: its file.
    Lirc,
}

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
    /// The perf event array that takes this ring buffer's place on a kernel that has none ([`MapFate::PerfBuffer`]).
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

/// Section `ATTACH_IDS`: the id in the kernel's own BTF of what a program attaches to ([`Attach::Trace`]).
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

/// Section `PATCHES`: what relocation makes of one instruction, in the order of `INSNS` ([`super::patch`]).
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
