//! Units that refer to types in other units, as link-time optimisation and dwz make them: read together, one behind the other,
//! so that a reference into another is a reference like any.

use super::abbrev::Table;
use super::die::Context;
use super::fault::Malformed;
use super::input::Input;
use super::tables::Tables;
use super::unit::Unit;
use super::walk;

/// The most units that are read together, and their bytes in all. What refers to more is left out: whole programs in one
/// circle of units would be in memory at once.
const MAX_UNITS: usize = 64;
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

/// Adds to the bytes and tables of one walked unit those of the units that it refers to, and so on; who is where comes back.
pub(super) fn widen(
    input: &Input,
    first: Placed,
    mut foreign: Vec<u64>,
    bytes: &mut Vec<u8>,
    tables: &mut Tables,
) -> Result<Vec<Placed>, Malformed> {
    let mut group = vec![first];
    loop {
        let before = group.len();
        for at in foreign {
            if group.iter().any(|placed| placed.locate(at).is_some()) {
                continue;
            }
            let index = input.units.partition_point(|unit| unit.at <= at).checked_sub(1);
            let Some((index, unit)) = index.and_then(|index| Some((index, *input.units.get(index)?))) else {
                continue;
            };
            let base = bytes.len();
            if group.len() >= MAX_UNITS || base as u64 + unit.len > MAX_BYTES {
                return Err(Malformed::Entangled);
            }
            bytes.resize(base + unit.len as usize, 0);
            input.info.read_at(unit.at, &mut bytes[base..]).map_err(|_| Malformed::Truncated)?;
            group.push(Placed { unit, index, base: base as u32 });
        }
        if group.len() == before {
            return Ok(group);
        }
        tables.clear();
        foreign = Vec::new();
        for placed in &group {
            let mut table = Table::parse(&input.sources.abbrev, placed.unit.abbrev)?;
            let mut cx = Context::new(*placed, group.clone(), &input.sources, &input.addresses);
            walk::root(bytes, &mut table, &mut cx)?;
            walk::walk(bytes, &mut table, &mut cx, &input.symbols.percpu_range, tables)?;
            foreign.append(&mut cx.foreign);
        }
        tables.finish(bytes.len());
    }
}
