//! The 13 kinds of CO-RE relocation: `enum bpf_core_relo_kind`, `include/uapi/linux/bpf.h`.

use crate::error::{Error, Result};
use crate::words::nth;

/// In the order of the numbers.
const NAMES: &str = "byte_off byte_sz field_exists signed lshift_u64 rshift_u64 local_type_id target_type_id type_exists \
type_size enumval_exists enumval_value type_matches";

/// What a relocation asks about a type, field or enumerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ReloKind {
    /// Offset of a field in bytes.
    FieldByteOffset = 0,
    /// Size of a field in bytes.
    FieldByteSize = 1,
    /// Whether a field exists.
    FieldExists = 2,
    /// Whether a field is signed.
    FieldSigned = 3,
    /// Left shift that brings a bitfield to the top of 64 bits.
    FieldLshiftU64 = 4,
    /// Right shift that brings it down again.
    FieldRshiftU64 = 5,
    /// Id of the type in the program's BTF.
    TypeIdLocal = 6,
    /// Id of the type in the kernel's BTF.
    TypeIdTarget = 7,
    /// Whether a type exists.
    TypeExists = 8,
    /// Size of a type in bytes.
    TypeSize = 9,
    /// Whether an enumerator exists.
    EnumvalExists = 10,
    /// Value of an enumerator.
    EnumvalValue = 11,
    /// Whether a type of the same shape exists (6.0).
    TypeMatches = 12,
}

impl ReloKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [ReloKind; 13] = [
        ReloKind::FieldByteOffset,
        ReloKind::FieldByteSize,
        ReloKind::FieldExists,
        ReloKind::FieldSigned,
        ReloKind::FieldLshiftU64,
        ReloKind::FieldRshiftU64,
        ReloKind::TypeIdLocal,
        ReloKind::TypeIdTarget,
        ReloKind::TypeExists,
        ReloKind::TypeSize,
        ReloKind::EnumvalExists,
        ReloKind::EnumvalValue,
        ReloKind::TypeMatches,
    ];

    /// The kind of number `kind`.
    pub fn from_number(kind: u32) -> Result<ReloKind> {
        Self::ALL.get(kind as usize).copied().ok_or(Error::UnknownReloKind { kind })
    }

    /// libbpf's word for the kind, as in its debug log.
    pub fn name(self) -> &'static str {
        nth(NAMES.as_bytes(), b' ', self as usize).unwrap_or("")
    }

    /// About a field.
    pub fn is_field(self) -> bool {
        self <= ReloKind::FieldRshiftU64
    }

    /// About a whole type.
    pub fn is_type(self) -> bool {
        matches!(
            self,
            ReloKind::TypeIdLocal
                | ReloKind::TypeIdTarget
                | ReloKind::TypeExists
                | ReloKind::TypeSize
                | ReloKind::TypeMatches
        )
    }

    /// About an enumerator.
    pub fn is_enumval(self) -> bool {
        matches!(self, ReloKind::EnumvalExists | ReloKind::EnumvalValue)
    }
}

#[cfg(test)]
mod tests {
    use super::ReloKind;

    #[test]
    fn names_stand_at_their_numbers() {
        for (kind, name) in [
            (ReloKind::FieldByteOffset, "byte_off"),
            (ReloKind::TypeIdLocal, "local_type_id"),
            (ReloKind::TypeMatches, "type_matches"),
        ] {
            assert_eq!(kind.name(), name);
        }
    }
}
