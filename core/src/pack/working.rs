//! How much memory the loader takes for one object on one target: the formula that a pack carries ([`super::Memory`]).
//!
//! Host and device compute it with this one function. The region is laid out as: what lives as long as the programs run;
//! then what loading needs, whose place the stream's buffers take afterwards. Every piece is padded to 8 bytes.

use super::{Formula, section};
use crate::link::Placed;
use crate::relo::{CandList, Scratch, Spec};

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
}

/// Whether a section stays in memory while the programs run.
pub fn stays(id: u16) -> bool {
    matches!(
        id,
        section::OBJECT | section::BTF | section::MAPS | section::EVENTS | section::RESULTS | section::HINTS
    )
}

/// The formula, of these sizes and the ids and lengths of all sections of object and target.
pub fn work(s: &Sizes, sections: impl Iterator<Item = (u16, usize)>) -> Formula {
    let pad = |n: usize| n.saturating_add(7) & !7;
    let times = |n: usize, each: usize| pad(n.saturating_mul(each));
    let sum = |parts: &[usize]| parts.iter().fold(0usize, |all, &n| all.saturating_add(n));
    let mut stay = sum(&[times(s.types, 4), times(s.maps, OPEN_MAP)]);
    let mut load = sum(&[times(s.subset_types, 4), pad(s.programs), pad(s.license.saturating_add(1))]);
    for (id, len) in sections.filter(|&(id, _)| id != section::MEMORY && section::known(id)) {
        let part = if stays(id) { &mut stay } else { &mut load };
        *part = part.saturating_add(pad(len));
    }
    let relocate = sum(&[
        pad(s.functions),
        pad((s.types / 8).saturating_add(1)),
        pad(size_of::<Scratch>()),
        times(s.roots, size_of::<CandList>()),
        times(s.candidates, 4),
    ]);
    let link = sum(&[
        pad(s.program_bytes),
        times(s.program_functions, size_of::<Placed>().saturating_add(8)),
        times(s.lines, 16),
        pad(size_of::<Spec>()),
    ]);
    let load = load.saturating_add(relocate.max(link).max(pad(s.value_bytes)));
    let fixed = stay.saturating_add(load.max(STREAM_FIXED as usize)).min(u32::MAX as usize) as u32;
    Formula { fixed, per_cpu: STREAM_PER_CPU, pages: 0, pages_per_cpu: 0 }
}
