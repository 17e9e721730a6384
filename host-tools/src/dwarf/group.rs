//! Units that refer to types in other units, as link-time optimisation and `-fdebug-types-section` make them: read together, one
//! behind the other, so that a reference into another is a reference like any.

use super::abbrev::Table;
use super::die::Context;
use super::fault::Malformed;
use super::input::Input;
use super::tables::Tables;
use super::unit::Unit;
use super::walk;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most units that are read together, and their bytes in all. What refers to more is left out: whole programs in one
/// circle of units would be in memory at once.
const MAX_UNITS: usize = 4096;
const MAX_BYTES: u64 = 128 << 20;

/// A unit in a buffer with others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) unit: Unit,
    /// Its number among all units.
    pub(super) index: usize,
    /// Where it begins in the buffer.
    pub(super) base: u32,
}

impl Placed {
    /// Where in the buffer the DIE at `at` of the section is.
    pub(super) fn locate(&self, at: u64) -> Option<u32> {
        let inside = at.checked_sub(self.unit.at).filter(|&inside| inside < self.unit.len)?;
        Some(self.base + inside as u32)
    }

    /// Where in the unit the DIE at `at` of the buffer is.
    pub(super) fn inside(&self, at: u32) -> Option<u32> {
        at.checked_sub(self.base).filter(|&inside| u64::from(inside) < self.unit.len)
    }
}

/// Where in the buffer the DIE at `at` of the section is, if it is in one of `group`, which is sorted by place.
pub(super) fn locate(group: &[Placed], at: u64) -> Option<u32> {
    let behind = group.partition_point(|placed| placed.unit.at <= at);
    group.get(behind.checked_sub(1)?)?.locate(at)
}

/// Adds to the bytes and tables of one walked unit those of the units that it refers to, and so on; who is where comes back.
/// Each unit is walked twice at most: for what it refers to, and when all are there.
pub(super) fn widen(
    input: &Input,
    first: Placed,
    mut foreign: Vec<u64>,
    bytes: &mut Vec<u8>,
    tables: &mut Tables,
) -> Result<Arc<[Placed]>, Malformed> {
    let mut group = vec![first];
    let mut indices = BTreeSet::from([first.index]);
    while let Some(at) = foreign.pop() {
        let index = input.units.partition_point(|unit| unit.at <= at).checked_sub(1);
        let Some((index, unit)) = index.and_then(|index| Some((index, *input.units.get(index)?))) else {
            continue;
        };
        if !indices.insert(index) {
            continue;
        }
        let base = bytes.len();
        if group.len() >= MAX_UNITS || base as u64 + unit.len > MAX_BYTES {
            return Err(Malformed::Entangled);
        }
        bytes.resize(base + unit.len as usize, 0);
        input.info.read_at(unit.at, &mut bytes[base..]).map_err(|_| Malformed::Truncated)?;
        let placed = Placed { unit, index, base: base as u32 };
        group.push(placed);
        tables.clear();
        foreign.append(&mut walk_one(input, placed, Arc::from([placed]), bytes, tables)?);
    }
    let mut by_place = group.clone();
    by_place.sort_by_key(|placed| placed.unit.at);
    let by_place: Arc<[Placed]> = by_place.into();
    tables.clear();
    for placed in group {
        walk_one(input, placed, Arc::clone(&by_place), bytes, tables)?;
    }
    tables.finish(bytes.len());
    Ok(by_place)
}

/// Walks one unit of the buffer, whose references into `group` are known; those into others come back.
fn walk_one(
    input: &Input,
    placed: Placed,
    group: Arc<[Placed]>,
    bytes: &[u8],
    tables: &mut Tables,
) -> Result<Vec<u64>, Malformed> {
    let mut table = Table::parse(&input.sources.abbrev, placed.unit.abbrev)?;
    let mut cx = Context::new(placed, group, &input.sources, &input.addresses);
    walk::root(bytes, &mut table, &mut cx)?;
    walk::walk(bytes, &mut table, &mut cx, &input.symbols.percpu_range, tables)?;
    Ok(cx.foreign)
}
