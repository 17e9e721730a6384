//! Where a spec leads: an offset and a size, an enumerator's value, a type's size.

use corelet_core::btf::Btf;
use corelet_core::relo::{ReloKind, Spec};
use serde::Serialize;
use std::fmt;

/// A place in a type, or what is asked of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A field.
    Field {
        /// Bytes from the start of the root type.
        offset: u32,
        /// Bytes; of a bitfield, of its declared type. 0 for one without end.
        size: u32,
        /// Of a bitfield: its first bit, from the byte at `offset` on, and its bits.
        bits: Option<(u32, u32)>,
    },
    /// An enumerator.
    Enumerator {
        /// Its value.
        value: i64,
    },
    /// A type.
    Type {
        /// Its bytes.
        size: u32,
    },
}

impl Place {
    /// The place of `spec` in `btf`; none for types that have no size.
    pub fn of(btf: &Btf<'_>, spec: &Spec) -> Option<Place> {
        if spec.kind.is_enumval() {
            let p = spec.points.first()?;
            let value = btf.ty(p.type_id).ok()?.enumerator(p.index)?.value as i64;
            return Some(Place::Enumerator { value });
        }
        if !spec.kind.is_field() {
            let about_size = matches!(spec.kind, ReloKind::TypeSize | ReloKind::TypeExists);
            return btf.size_of(spec.root).ok().filter(|_| about_size).map(|size| Place::Type { size });
        }
        let p = spec.points.last()?;
        let offset = spec.bit_offset / 8;
        let Some(member) = btf.ty(p.type_id).ok()?.member(p.index).filter(|_| p.named) else {
            return Some(Place::Field { offset, size: btf.size_of(p.type_id).ok()?, bits: None });
        };
        let size = btf.size_of(member.ty).ok()?;
        let bits = (member.bitfield_size > 0).then_some((spec.bit_offset % 8, member.bitfield_size));
        Some(Place::Field { offset, size, bits })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Place::Field { offset, size, bits: None } => write!(f, "{offset} ({size} bytes)"),
            Place::Field { offset, bits: Some((first, count)), .. } => {
                write!(f, "{offset} (bits {first} to {})", first + count - 1)
            }
            Place::Enumerator { value } => write!(f, "{value}"),
            Place::Type { size } => write!(f, "{size} bytes"),
        }
    }
}
