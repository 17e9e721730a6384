//! How much memory the loader takes for one object on one target: the formula that a pack carries ([`super::Memory`]).
//!
//! Host and device compute it with this one function, [`work`]. The region is laid out as: what lives as long as the programs run;
//! then what loading needs, whose place the stream's buffers and what printing takes ([`super::Printing`]) have afterwards. Every piece is padded to 8 bytes.
//!
//! [`relocation`] is the part of it that relocation alone takes, where a microcontroller uses the pack out of its flash.
//!
//! Time: that of a formula; [`candidates`] walks the target's types once for each root type.

use super::{Formula, Records, Relo, section};
use crate::btf::{Btf, names};
use crate::error::Result;
use crate::limits::SPEC_MAX_LEN;
use crate::link::Placed;
use crate::relo::{CandList, ReloKind, Scratch, Spec, TargetTypes};

/// Bytes that the loader keeps for each open map.
pub const OPEN_MAP: usize = 16;
/// Bytes of the stream's buffers on every machine: an event, an output buffer, keys and values of results.
pub const STREAM_FIXED: u32 = 16 << 10;
/// Bytes of the stream's buffers for each possible CPU.
pub const STREAM_PER_CPU: u32 = 64;

/// What the formula depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Types in section `BTF`.
    pub types: usize,
    /// Types in section `SUBSET`.
    pub subset_types: usize,
    /// Records in `MAPS`.
    pub maps: usize,
    /// Records in `FUNCTIONS`.
    pub functions: usize,
    /// Records in `PROGRAMS`.
    pub programs: usize,
    /// Distinct root types of the relocations.
    pub roots: usize,
    /// Candidates of all root types together, before anything is pruned.
    pub candidates: usize,
    /// Bytes of the longest program after linking.
    pub program_bytes: usize,
    /// Functions of the program that has most.
    pub program_functions: usize,
    /// Records in `LINE_INFO`.
    pub lines: usize,
    /// Bytes of the longest value of a data map.
    pub value_bytes: usize,
    /// Bytes of the license.
    pub license: usize,
    /// Bytes that printing takes beyond the stream's buffers: [`super::Printing::bytes`].
    pub printing: usize,
}

/// Whether a section stays in memory while the programs run.
pub fn stays(id: u16) -> bool {
    matches!(
        id,
        section::OBJECT
            | section::BTF
            | section::MAPS
            | section::EVENTS
            | section::RESULTS
            | section::HINTS
            | section::VIEWS
    )
}

/// Whether a section is read on a small stack, before the memory is asked for.
fn before_memory(id: u16) -> bool {
    matches!(id, section::MEMORY | section::MODULES)
}

/// Distinct root types of `relos`, and the candidates of all of them: [`Sizes::roots`] and [`Sizes::candidates`]. `seen` has
/// a bit for every id of `local` and begins with zeros.
///
/// # Errors
/// A record that does not decode, a root type that does not exist.
pub fn candidates(
    local: &Btf<'_>,
    target: &impl TargetTypes,
    relos: Records<'_, Relo>,
    seen: &mut [u8],
) -> Result<(usize, usize)> {
    let (mut roots, mut candidates) = (0usize, 0usize);
    for relo in relos {
        let relo = relo?;
        let root = relo.type_id;
        let bit = 1u8.wrapping_shl(root.0);
        let Some(flags) = seen.get_mut(root.0 as usize / 8).filter(|flags| **flags & bit == 0) else {
            continue;
        };
        if relo.kind == ReloKind::TypeIdLocal as u8 {
            continue;
        }
        *flags |= bit;
        roots = roots.saturating_add(1);
        let t = local.ty(root)?;
        target.candidates(names::essential(local.name(&t)), t.kind(), &mut |_| {
            candidates = candidates.saturating_add(1);
            Ok(())
        })?;
    }
    Ok((roots, candidates))
}

fn pad(n: usize) -> usize {
    n.saturating_add(7) & !7
}

fn times(n: usize, each: usize) -> usize {
    pad(n.saturating_mul(each))
}

fn sum(parts: &[usize]) -> usize {
    parts.iter().fold(0usize, |all, &n| all.saturating_add(n))
}

/// What relocation takes beside the types' indexes and the instructions: which functions are used, the root types seen,
/// specs of `LEN` steps, candidates.
fn relocating<const LEN: usize>(s: &Sizes) -> usize {
    sum(&[
        pad(s.functions),
        pad((s.types / 8).saturating_add(1)),
        pad(size_of::<Scratch<LEN>>()),
        times(s.roots, size_of::<CandList>()),
        times(s.candidates, 4),
    ])
}

/// Bytes that relocation alone takes, with specs of `LEN` steps ([`crate::limits`] has two), where all sections stay in flash but the instructions, of
/// which `insns` bytes are copied and patched in place.
pub fn relocation<const LEN: usize>(s: &Sizes, insns: usize) -> usize {
    sum(&[pad(insns), times(s.types, 4), times(s.subset_types, 4), relocating::<LEN>(s)])
}

/// The formula, of these sizes and the ids and lengths of all sections of object and target.
pub fn work(s: &Sizes, sections: impl Iterator<Item = (u16, usize)>) -> Formula {
    let mut stay = sum(&[times(s.types, 4), times(s.maps, OPEN_MAP)]);
    let mut load = sum(&[times(s.subset_types, 4), pad(s.programs), pad(s.license.saturating_add(1))]);
    for (id, len) in sections.filter(|&(id, _)| !before_memory(id) && section::known(id)) {
        let part = if stays(id) { &mut stay } else { &mut load };
        *part = part.saturating_add(pad(len));
    }
    let relocate = relocating::<SPEC_MAX_LEN>(s);
    let link = sum(&[
        pad(s.program_bytes),
        times(s.program_functions, size_of::<Placed>().saturating_add(8)),
        times(s.lines, 16),
        pad(size_of::<Spec>()),
    ]);
    let load = load.saturating_add(relocate.max(link).max(pad(s.value_bytes)));
    let stream = pad(s.printing).saturating_add(STREAM_FIXED as usize);
    let fixed = stay.saturating_add(load.max(stream)).min(u32::MAX as usize) as u32;
    Formula { fixed, per_cpu: STREAM_PER_CPU, pages: 0, pages_per_cpu: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relocation_alone_is_its_tables_specs_and_instructions() {
        let s =
            Sizes { types: 57, subset_types: 5, functions: 4, roots: 2, candidates: 3, ..Sizes::default() };
        // indexes; a byte a function, a bit a type, lists of 12 bytes, ids of 4: each padded to 8
        let tables = 232 + 24 + 8 + 8 + 24 + 16;
        assert_eq!(relocation::<16>(&s, 2364), tables + pad(size_of::<Scratch<16>>()) + 2368);
        assert!(size_of::<Scratch<16>>() <= 840, "{}", size_of::<Scratch<16>>());
        // neither maps nor programs nor lines are its own
        let more =
            Sizes { maps: 9, programs: 9, program_bytes: 9, lines: 9, value_bytes: 9, license: 9, ..s };
        assert_eq!(relocation::<16>(&more, 2364), relocation::<16>(&s, 2364));
    }

    #[test]
    fn loading_takes_what_relocation_takes_with_room_for_every_access_string() {
        let s = Sizes { roots: 5000, ..Sizes::default() };
        let without = work(&Sizes::default(), core::iter::empty()).fixed as usize;
        let of_relocation = relocation::<SPEC_MAX_LEN>(&s, 0);
        assert!(of_relocation > without);
        // the license's NUL is the loader's
        assert_eq!(work(&s, core::iter::empty()).fixed as usize, of_relocation + 8);
    }
}
