//! BTF kinds and the size of their records: `include/uapi/linux/btf.h`, with the kernel that added each.

use crate::words::nth;

/// In the order of the numbers.
const NAMES: &str = "void int ptr array struct union enum fwd typedef volatile const restrict func func_proto var datasec \
float decl_tag type_tag enum64";

/// What a BTF type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// `void`, and only type id 0 in files of today.
    Void = 0,
    /// Integer (4.18).
    Int = 1,
    /// Pointer (4.18).
    Ptr = 2,
    /// Array (4.18).
    Array = 3,
    /// Struct (4.18).
    Struct = 4,
    /// Union (4.18).
    Union = 5,
    /// Enumeration of up to 32 bits (4.18).
    Enum = 6,
    /// Forward declaration of a struct, or of a union with kflag (4.18).
    Fwd = 7,
    /// Typedef (4.18).
    Typedef = 8,
    /// `volatile` (4.18).
    Volatile = 9,
    /// `const` (4.18).
    Const = 10,
    /// `restrict` (4.18).
    Restrict = 11,
    /// Function (5.0).
    Func = 12,
    /// Function prototype (5.0).
    FuncProto = 13,
    /// Variable (5.2).
    Var = 14,
    /// Section of variables (5.2).
    Datasec = 15,
    /// Floating point number (5.13).
    Float = 16,
    /// Tag on a declaration (5.16).
    DeclTag = 17,
    /// Tag on a pointee (5.17).
    TypeTag = 18,
    /// Enumeration of 64 bits (6.0).
    Enum64 = 19,
    /// A kind of a later kernel, skipped by the file's layout section (7.1).
    Unknown = 0x7f,
}

impl Kind {
    /// The kind of number `n`, [`Kind::Unknown`] past the last one known.
    pub fn from_number(n: u8) -> Kind {
        match n {
            0 => Kind::Void,
            1 => Kind::Int,
            2 => Kind::Ptr,
            3 => Kind::Array,
            4 => Kind::Struct,
            5 => Kind::Union,
            6 => Kind::Enum,
            7 => Kind::Fwd,
            8 => Kind::Typedef,
            9 => Kind::Volatile,
            10 => Kind::Const,
            11 => Kind::Restrict,
            12 => Kind::Func,
            13 => Kind::FuncProto,
            14 => Kind::Var,
            15 => Kind::Datasec,
            16 => Kind::Float,
            17 => Kind::DeclTag,
            18 => Kind::TypeTag,
            19 => Kind::Enum64,
            _ => Kind::Unknown,
        }
    }

    /// The word that libbpf and bpftool print for the kind.
    pub fn name(self) -> &'static str {
        nth(NAMES.as_bytes(), b' ', self as usize).unwrap_or("unknown")
    }

    /// Struct or union.
    pub fn is_composite(self) -> bool {
        matches!(self, Kind::Struct | Kind::Union)
    }

    /// Enum of either width.
    pub fn is_enum(self) -> bool {
        matches!(self, Kind::Enum | Kind::Enum64)
    }

    /// A qualifier, type tag or typedef: what `skip_mods_and_typedefs` skips.
    pub fn is_modifier(self) -> bool {
        matches!(self, Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag)
    }

    /// Whether the `size_or_type` word of the record is a type id.
    pub fn refers_to_type(self) -> bool {
        self.is_modifier()
            || matches!(self, Kind::Ptr | Kind::Func | Kind::FuncProto | Kind::Var | Kind::DeclTag)
    }

    /// Bytes that follow the 12-byte record of a type: once, and for each of its `vlen` elements.
    pub fn trailing(self) -> (usize, usize) {
        match self {
            Kind::Int | Kind::Var | Kind::DeclTag => (4, 0),
            Kind::Array => (12, 0),
            Kind::Struct | Kind::Union | Kind::Datasec | Kind::Enum64 => (0, 12),
            Kind::Enum | Kind::FuncProto => (0, 8),
            _ => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn names_stand_at_their_numbers() {
        for (kind, name) in [
            (Kind::Void, "void"),
            (Kind::Struct, "struct"),
            (Kind::FuncProto, "func_proto"),
            (Kind::Enum64, "enum64"),
            (Kind::Unknown, "unknown"),
        ] {
            assert_eq!(kind.name(), name);
        }
    }
}
