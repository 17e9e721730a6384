//! What can be wrong with a unit. Such a unit is left out, and said so.

use std::fmt;

/// Why a unit could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    Truncated,
    Length(u64),
    Version(u16),
    UnitType(u8),
    AddressSize(u8),
    Abbreviations,
    Code(u64),
    Form(u16),
    String(u64),
    Reference(u64),
    Foreign,
    Entangled,
    Location,
    Nesting,
    Circle,
    Signature(u64),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Malformed::Truncated => write!(f, "ends in the middle of a value"),
            Malformed::Length(len) => write!(f, "its header gives it {len} bytes, which are not there"),
            Malformed::Version(version) => write!(f, "is of DWARF {version}; 2 to 5 are read here"),
            Malformed::UnitType(kind) => write!(f, "is of unit type {kind:#x}, which is not known"),
            Malformed::AddressSize(size) => write!(f, "has addresses of {size} bytes"),
            Malformed::Abbreviations => write!(f, "its abbreviations are damaged"),
            Malformed::Code(code) => write!(f, "uses abbreviation {code}, which its table has not"),
            Malformed::Form(form) => {
                write!(f, "has an attribute of form {form:#x}, which does not belong there")
            }
            Malformed::String(at) => write!(f, "has a name at {at:#x} of the strings, which is out of reach"),
            Malformed::Reference(at) => write!(f, "refers to offset {at:#x} in itself, where no type is"),
            Malformed::Foreign => write!(f, "refers to a type outside of all units"),
            Malformed::Entangled => {
                write!(f, "refers to types in too many other units, as whole-program optimisation makes them")
            }
            Malformed::Location => write!(f, "has a member whose place is no number"),
            Malformed::Nesting => write!(f, "is nested deeper than any program"),
            Malformed::Circle => write!(f, "has a type that is made of itself"),
            Malformed::Signature(signature) => {
                write!(
                    f,
                    "refers to the type of signature {signature:#x}, which no type unit of this file has"
                )
            }
        }
    }
}
