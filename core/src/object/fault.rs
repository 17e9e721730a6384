//! What can be wrong with an object whose ELF and BTF are whole.

use std::fmt;

/// Why a function, map, variable or reference of an object is refused; [`crate::Error::Object`] says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A function without instructions.
    EmptyFunction,
    /// A function that starts or ends within an instruction.
    UnalignedFunction,
    /// A function that ends behind its section.
    LongFunction,
    /// Two functions that share instructions.
    OverlappingFunctions,
    /// A static function in a section of entry programs.
    StaticProgram,
    /// A symbol in `.maps` without a variable of that name in the BTF.
    UntypedMap,
    /// A map declared static.
    StaticMap,
    /// Two maps that share bytes, or one that ends behind `.maps`.
    OverlappingMaps,
    /// A map's variable is no struct, or is larger than its symbol.
    NotMapDef,
    /// A member of a map's definition is none that libbpf has.
    UnknownMapField,
    /// A member of a map's definition is of the wrong type.
    BadMapField,
    /// A map's definition states two sizes for its key or value.
    ConflictingSize,
    /// A map without a type.
    NoMapType,
    /// `values` in an inner map, in a map that holds neither maps nor programs, or not as the last member.
    MisplacedValues,
    /// `pinning` of an inner map, or neither none nor by name.
    BadPinning,
    /// A variable in the BTF without a symbol.
    NoVariableSymbol,
    /// A `.maps` or data section without a DATASEC in the BTF.
    NoDatasec,
    /// An extern that the code does not refer to.
    NoExternSymbol,
    /// A function in `.kconfig`.
    KconfigFunction,
    /// A configuration value of a type that none has.
    BadKconfigType,
    /// A relocation within an instruction, behind the section, or a second one for an instruction.
    MisplacedReloc,
    /// A record of `.BTF.ext` within an instruction.
    MisplacedRecord,
    /// A relocation of a type that BPF instructions do not have.
    UnknownRelocType,
    /// A relocation on an instruction that is neither a call nor a 64-bit immediate load.
    BadRelocInsn,
    /// A symbol in no section that is no extern.
    Uninitialised,
    /// An extern that the BTF does not describe.
    UntypedExtern,
    /// A call of an extern variable.
    CallOfVariable,
    /// A call that leads to no subprogram's start in `.text`.
    BadCall,
    /// A load of an address in `.text` that is no subprogram's start.
    BadFunctionAddress,
    /// A function's address without a relocation.
    UnrelocatedAddress,
    /// A reference to `.maps` that is no map's start.
    BadMapReference,
    /// An address outside its data section or value.
    OutsideSection,
    /// A reference to a section that is neither code, maps nor data.
    BadSection,
    /// A reference to a map that is defined outside of `.maps`.
    LegacyMap,
    /// A value in a map's `values` that is no map or program, or stands elsewhere.
    BadMapValue,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::EmptyFunction => "a function of no instructions",
            Fault::UnalignedFunction => "a function that starts or ends within an instruction",
            Fault::LongFunction => "a function that ends behind its section",
            Fault::OverlappingFunctions => "two functions share instructions",
            Fault::StaticProgram => "a static function in a section of programs; make it global or take its SEC() away",
            Fault::UntypedMap => "a map that the BTF does not describe; compile with -g",
            Fault::StaticMap => "a static map; make it global",
            Fault::OverlappingMaps => "maps overlap or end behind their section",
            Fault::NotMapDef => "the variable is no map definition (a struct that fits its symbol)",
            Fault::UnknownMapField => "a map definition has a field of unknown name",
            Fault::BadMapField => "a field of a map definition is of the wrong type; use __uint, __type, __ulong, __array",
            Fault::ConflictingSize => "a map definition states two sizes for its key or value",
            Fault::NoMapType => "a map definition without a type",
            Fault::MisplacedValues => {
                "`values` belongs at the end of a map of maps or of programs, and not into an inner map"
            }
            Fault::BadPinning => "`pinning` is LIBBPF_PIN_NONE or LIBBPF_PIN_BY_NAME, and not for inner maps",
            Fault::NoVariableSymbol => "a variable in the BTF has no symbol",
            Fault::NoDatasec => "the BTF does not describe this section; compile with -g",
            Fault::NoExternSymbol => "an extern in the BTF has no symbol",
            Fault::KconfigFunction => "an extern function in .kconfig; a function of the kernel goes into .ksyms",
            Fault::BadKconfigType => {
                "a configuration value is a bool, a char, an integer, a char array or an enum libbpf_tristate"
            }
            Fault::MisplacedReloc => "a relocation that is not at the start of an instruction, or a second one there",
            Fault::MisplacedRecord => "a record of .BTF.ext that is not at the start of an instruction",
            Fault::UnknownRelocType => "a relocation of a type that BPF instructions do not have",
            Fault::BadRelocInsn => "a relocation on an instruction that is neither a call nor a 64-bit immediate load",
            Fault::Uninitialised => {
                "a reference to a symbol in no section: is a global variable not initialised, or an extern without \
                 __ksym or __kconfig?"
            }
            Fault::UntypedExtern => "an extern that the BTF does not describe; declare it with __ksym or __kconfig",
            Fault::CallOfVariable => "a call of an extern that is no function",
            Fault::BadCall => "a call that leads to no function in .text",
            Fault::BadFunctionAddress => "the address of something in .text that is no function's start",
            Fault::UnrelocatedAddress => "the address of a function without a relocation",
            Fault::BadMapReference => "a reference to no map's start",
            Fault::OutsideSection => "an address outside of its variables",
            Fault::BadSection => "a reference to a section that holds neither subprograms, maps nor variables",
            Fault::LegacyMap => {
                "a reference to a map that is no definition in .maps, as libbpf since 1.0 asks for; define it by __uint, __type and \
                 SEC(\".maps\")"
            }
            Fault::BadMapValue => "an initial value of a map that is no map or program, or does not stand in `values`",
        })
    }
}
