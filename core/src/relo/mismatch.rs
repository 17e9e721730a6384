//! Why a candidate is none: what a search that failed tells the observer. Nothing on the device looks at it.

use crate::id::TypeId;

/// Where a candidate and the local type part. `local` ids are of the program's types, `target` ids of the target's.
///
/// A search that looks into members tells of the innermost difference first, and then of each member around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// `target` has no such member, or none that fits.
    Member {
        /// Struct or union of the member.
        local: TypeId,
        /// Its number there.
        member: u32,
        /// Where it was looked for.
        target: TypeId,
    },
    /// The type of a field, or a type that is compared, is another one there.
    Types {
        /// The local one.
        local: TypeId,
        /// What stands in its place.
        target: TypeId,
    },
    /// `target` has no element of that index: it is a shorter array, or none.
    Element {
        /// Where it was looked for.
        target: TypeId,
        /// The index.
        index: u32,
    },
    /// `target` has no enumerator of that name.
    Enumerator {
        /// Where it was looked for.
        target: TypeId,
    },
}
