//! Adding up what the CPUs counted.

use crate::btf::{Btf, Kind};
use crate::bytes::{Endian, pieces};
use crate::pack::{How, ResultMap};

/// Adds the counters of one CPU's value to `sum`, number by number, wrapping; the other bytes of `sum` stay as they are.
///
/// `false` where the result is no counter (an entry with a struct or text), so that there is no sum.
pub fn add_cpu(btf: &Btf<'_>, result: &ResultMap<'_>, sum: &mut [u8], cpu: &[u8]) -> bool {
    let elem = btf.element(result.type_id);
    let int = if elem.kind() == Kind::Int { elem.size() as usize } else { 0 };
    let (from, len, size) = match result.how {
        How::Log2 { offset, slots } => (offset as usize, (slots as usize).saturating_mul(4), 4),
        How::Counters { .. } => (0, sum.len(), int),
        How::Entries => (0, sum.len(), int),
    };
    if size == 0 {
        return false;
    }
    let count = len.checked_div(size).unwrap_or(0);
    for (i, c) in pieces(cpu.get(from..).unwrap_or_default(), size).take(count).enumerate() {
        let at = i.saturating_mul(size).saturating_add(from);
        let Some(s) = sum.get_mut(at..).and_then(|s| s.get_mut(..size)) else { break };
        let mut carry = false;
        let mut add = |s: &mut u8, c: &u8| {
            let (low, over) = s.overflowing_add(*c);
            let (low, again) = low.overflowing_add(carry.into());
            (*s, carry) = (low, over || again);
        };
        match btf.endian() {
            Endian::Little => s.iter_mut().zip(c).for_each(|(s, c)| add(s, c)),
            Endian::Big => s.iter_mut().zip(c).rev().for_each(|(s, c)| add(s, c)),
        }
    }
    true
}
