//! Why an input was refused: one small `Copy` enum for the whole crate, worded for people by `Display`.
//!
//! The device has no room for sentences and says [`Error::brief`] instead.
//!
//! Core never knows file names; the callers (host-tools, loader) put file, object and program in front.

mod brief;

use crate::id::TypeId;
use crate::object::Fault;
use std::fmt;

/// The part of an input that an [`Error`] speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// ELF file header.
    ElfHeader,
    /// ELF section header table.
    Sections,
    /// ELF symbol table.
    Symbols,
    /// An ELF `SHT_REL` section.
    Rels,
    /// An ELF string table.
    ElfStrings,
    /// The bytes of an ELF section.
    SectionData,
    /// `.BTF` header.
    BtfHeader,
    /// `.BTF` type section.
    BtfTypes,
    /// `.BTF` string section.
    BtfStrings,
    /// `.BTF` layout section (kernel 7.1).
    BtfLayout,
    /// `.BTF.ext` header.
    BtfExtHeader,
    /// `.BTF.ext` func_info.
    FuncInfo,
    /// `.BTF.ext` line_info.
    LineInfo,
    /// `.BTF.ext` core_relo.
    CoreRelos,
    /// Instructions of a program.
    Insns,
    /// Header of a pack or target file.
    PackHeader,
    /// Section table of a pack or target file.
    PackTable,
    /// A section of a pack; its id is in the error.
    PackSection,
    /// A record of an event or map value.
    Event,
}

/// A section that an [`Error`] misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// `.BTF` of an object.
    Btf,
    /// `SUBSET` of a target.
    Subset,
}

/// A fixed capacity that an input exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Elements of an access string, [`crate::limits::SPEC_MAX_LEN`].
    SpecLen,
    /// Nesting of types, [`crate::limits::MAX_TYPE_DEPTH`].
    TypeDepth,
    /// Length of a chain of modifiers and typedefs, [`crate::limits::MAX_RESOLVE_DEPTH`].
    ResolveDepth,
    /// Type index memory given by the caller, in entries.
    TypeIndex,
    /// Candidate memory given by the caller, in entries.
    Candidates,
    /// Bytes of a bitfield load (8).
    BitfieldBytes,
    /// The buffer a program is linked in, in bytes.
    Program,
    /// Sections of one file.
    Sections,
    /// Nesting of values while printing.
    EventDepth,
    /// Subprograms that one program reaches.
    Subprograms,
    /// Symbols of one object, [`crate::limits::MAX_SYMBOLS`].
    Symbols,
    /// Functions of one object, [`crate::limits::MAX_FUNCTIONS`].
    Functions,
    /// Pairs of types compared for one relocation, [`crate::limits::MAX_COMPARISONS`].
    Comparisons,
    /// Memory given for the tables of [`crate::kernel_btf`] and what they come to, in bytes.
    KernelBtfMemory,
    /// Bytes of a name in a kernel's BTF, its NUL included, [`crate::limits::KERNEL_BTF_WINDOW`].
    KernelName,
    /// Modules that have candidates, [`crate::limits::MAX_CANDIDATE_MODULES`].
    Modules,
}

/// Why an input was refused. Offsets are in bytes from the start of `part`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A record ends past its table or file.
    Truncated {
        /// Where.
        part: Part,
        /// Byte offset of the record.
        at: u32,
    },
    /// The magic number is none that this format has.
    BadMagic {
        /// Where.
        part: Part,
        /// What stands there instead.
        found: u32,
    },
    /// A field has a value that the format does not allow.
    BadValue {
        /// Where.
        part: Part,
        /// Byte offset of the field or record.
        at: u32,
        /// The value.
        found: u32,
    },
    /// A string is not terminated or not UTF-8.
    BadString {
        /// Where.
        part: Part,
        /// Byte offset of the string.
        at: u32,
    },
    /// A BTF kind that neither this crate nor the file's layout section knows.
    UnknownKind {
        /// Id of the type.
        id: TypeId,
        /// The kind's number.
        kind: u8,
    },
    /// A type id outside the table.
    NoSuchType {
        /// The id.
        id: TypeId,
    },
    /// A type whose size cannot be told (void, a function, a forward declaration, …).
    NoSize {
        /// The type.
        id: TypeId,
    },
    /// A type of another kind than the format asks for here.
    WrongKind {
        /// The type.
        id: TypeId,
        /// Its kind's number.
        kind: u8,
    },
    /// A member, enumerator or array index outside the type.
    NoSuchMember {
        /// The type.
        id: TypeId,
        /// The index.
        index: u32,
    },
    /// More than a fixed capacity holds.
    TooMany {
        /// Which capacity.
        what: Limit,
        /// Its size.
        limit: u32,
    },
    /// A section that this operation needs is missing.
    NoSection {
        /// Which.
        what: Needed,
    },
    /// A section's checksum is wrong.
    BadChecksum {
        /// Where.
        part: Part,
        /// Pack section id, 0 for the header.
        id: u16,
    },
    /// A critical section of a pack that this version does not know.
    UnknownSection {
        /// The section's id.
        id: u16,
    },
    /// The format's version is newer than this crate.
    UnknownVersion {
        /// Version in the file.
        found: u16,
    },
    /// A postcard record does not decode.
    BadRecord {
        /// Pack section id.
        id: u16,
        /// Number of the record in its section.
        index: u32,
    },
    /// An access string that is not `N(:N)*`, or not `0` where the kind asks for that.
    BadAccessStr {
        /// Offset of the string in the BTF strings.
        at: u32,
    },
    /// A relocation kind outside 0..=12.
    UnknownReloKind {
        /// The number.
        kind: u32,
    },
    /// A relocation by name was asked of a type that has none.
    Anonymous {
        /// The local type.
        id: TypeId,
    },
    /// Two candidates give different results, so neither can be trusted.
    Ambiguous {
        /// First candidate, id in the target's BTF.
        first: TypeId,
        /// Second candidate.
        second: TypeId,
    },
    /// The relocation's kind does not fit an array element.
    NotForArray,
    /// The instruction's class cannot carry a relocated value.
    BadInsn {
        /// Its opcode.
        code: u8,
    },
    /// The instruction does not hold the value that the local types give.
    UnexpectedValue {
        /// Low 32 bits of what it holds.
        found: u32,
        /// Low 32 bits of what the local types give.
        expected: u32,
    },
    /// The new offset does not fit the instruction's 16 bits.
    OffsetTooBig {
        /// The offset in bytes.
        value: u32,
    },
    /// The load or store has a size that does not fit the field.
    BadMemSize {
        /// Bytes.
        size: u32,
    },
    /// An instruction index outside the program, or not on an instruction's start.
    NoSuchInsn {
        /// The index, in instructions.
        insn: u32,
    },
    /// An ELF file that is not of 64 bits.
    ElfClass {
        /// `e_ident[EI_CLASS]`.
        found: u8,
    },
    /// An ELF file for another machine than BPF.
    ElfMachine {
        /// `e_machine`.
        found: u16,
    },
    /// An ELF file that is not relocatable.
    ElfType {
        /// `e_type`.
        found: u16,
    },
    /// An ELF object without a symbol table.
    Stripped,
    /// An object that defines maps in the way that ended with libbpf 1.0.
    LegacyMaps,
    /// A table of `.BTF.ext` for a section that the object does not have.
    NoSuchSection {
        /// The table.
        part: Part,
        /// Offset of the section's name in the BTF strings.
        name_off: u32,
    },
    /// A function, map, variable or reference of an object that is not allowed.
    Object {
        /// Number of the ELF section.
        section: u16,
        /// Byte offset in it.
        at: u32,
        /// What is wrong.
        fault: Fault,
    },
    /// An extern of an object that is not allowed.
    Extern {
        /// Its VAR or FUNC.
        id: TypeId,
        /// What is wrong.
        fault: Fault,
    },
    /// A function, map, symbol or section index outside its table.
    NoSuchIndex {
        /// Where.
        part: Part,
        /// The index.
        index: u32,
    },
}

// Small enough for two registers of a 64-bit machine, with a value beside it: results are returned everywhere.
const _: () = assert!(size_of::<Error>() <= 12 && align_of::<Error>() <= 4);
const _: () = assert!(size_of::<Result<u32>>() <= 16);

/// The crate's result.
pub type Result<T> = core::result::Result<T, Error>;

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::ElfHeader => "ELF header",
            Part::Sections => "ELF section headers",
            Part::Symbols => "ELF symbol table",
            Part::Rels => "ELF relocations",
            Part::ElfStrings => "ELF string table",
            Part::SectionData => "ELF section",
            Part::BtfHeader => "BTF header",
            Part::BtfTypes => "BTF types",
            Part::BtfStrings => "BTF strings",
            Part::BtfLayout => "BTF layout",
            Part::BtfExtHeader => "BTF.ext header",
            Part::FuncInfo => "func_info",
            Part::LineInfo => "line_info",
            Part::CoreRelos => "core_relo",
            Part::Insns => "instructions",
            Part::PackHeader => "pack header",
            Part::PackTable => "pack section table",
            Part::PackSection => "pack section",
            Part::Event => "event",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::Truncated { part, at } => write!(f, "{part}: cut short at byte {at}"),
            Error::BadMagic { part, found } => write!(f, "{part}: bad magic {found:#x}"),
            Error::BadValue { part, at, found } => {
                write!(f, "{part}: value {found:#x} at byte {at} is not allowed")
            }
            Error::BadString { part, at } => write!(f, "{part}: no proper string at byte {at}"),
            Error::UnknownKind { id, kind } => write!(f, "type {id} has unknown BTF kind {kind}"),
            Error::NoSuchType { id } => write!(f, "type id {id} does not exist"),
            Error::NoSize { id } => write!(f, "type {id} has no size"),
            Error::WrongKind { id, kind } => write!(f, "type {id} is of unexpected kind {kind}"),
            Error::NoSuchMember { id, index } => write!(f, "type {id} has no member or element {index}"),
            Error::TooMany { what, limit } => write!(f, "more than {limit} {what:?}"),
            Error::NoSection { what: Needed::Btf } => f.write_str("there is no .BTF section"),
            Error::NoSection { what: Needed::Subset } => f.write_str("there is no SUBSET section"),
            Error::BadChecksum { part, id } => write!(f, "{part} {id:#x}: wrong checksum"),
            Error::UnknownSection { id } => {
                write!(f, "critical section {id:#x} is not known to this version; use a newer corelet")
            }
            Error::UnknownVersion { found } => write!(f, "format version {found} is newer than this corelet"),
            Error::BadRecord { id, index } => {
                write!(f, "pack section {id:#x}: record {index} does not decode")
            }
            Error::BadAccessStr { at } => write!(f, "bad access string at byte {at} of the BTF strings"),
            Error::UnknownReloKind { kind } => write!(f, "unknown CO-RE relocation kind {kind}"),
            Error::Anonymous { id } => write!(f, "type {id} has no name, so no candidate can be looked up"),
            Error::Ambiguous { first, second } => {
                write!(f, "ambiguous: target types {first} and {second} give different results")
            }
            Error::NotForArray => f.write_str("this relocation kind does not apply to an array element"),
            Error::BadInsn { code } => {
                write!(f, "an instruction of code {code:#04x} cannot carry a relocation")
            }
            Error::UnexpectedValue { found, expected } => {
                write!(f, "the instruction holds {found}, the object's own types give {expected}")
            }
            Error::OffsetTooBig { value } => {
                write!(f, "offset {value} does not fit the instruction (32767 at most)")
            }
            Error::BadMemSize { size } => write!(f, "a load or store of {size} bytes does not fit the field"),
            Error::NoSuchInsn { insn } => write!(f, "insn #{insn} is outside the program"),
            Error::ElfClass { found } => {
                write!(f, "an ELF file of class {found}; BPF objects are 64-bit (class 2) on every machine")
            }
            Error::ElfMachine { found } => {
                write!(f, "an ELF file for machine {found}; compile for BPF (clang -target bpf, machine 247)")
            }
            Error::ElfType { found } => {
                write!(f, "an ELF file of type {found}; a BPF object is relocatable (type 1)")
            }
            Error::Stripped => {
                f.write_str("no symbol table: the object was stripped; llvm-strip -g keeps what is needed")
            }
            Error::LegacyMaps => {
                f.write_str("maps in a section `maps`; define them in .maps, as libbpf since 1.0 asks")
            }
            Error::NoSuchSection { part, name_off } => {
                write!(
                    f,
                    "{part} for a section that is not there (its name: byte {name_off} of the BTF strings)"
                )
            }
            Error::Object { section, at, fault } => write!(f, "section {section}, byte {at:#x}: {fault}"),
            Error::Extern { id, fault } => write!(f, "extern of BTF type {id}: {fault}"),
            Error::NoSuchIndex { part, index } => write!(f, "{part}: no entry {index}"),
        }
    }
}

impl core::error::Error for Error {}
