//! Adding up what the CPUs counted, and what was counted since an earlier time.

use super::hist::Hist;
use crate::btf::{Btf, Kind};
use crate::bytes::{Endian, pieces};
use crate::pack::ResultMap;

/// Adds the counters of one CPU's value to `sum`, number by number, wrapping; the other bytes of `sum` stay as they are.
///
/// `false` where the result is no counter (an entry with a struct or text), so that there is no sum.
pub fn add_cpu(btf: &Btf<'_>, result: &ResultMap<'_>, sum: &mut [u8], cpu: &[u8]) -> bool {
    counters(btf, result, sum, cpu, false)
}

/// The same the other way: takes the counters of an `earlier` value from `value`.
pub fn subtract(btf: &Btf<'_>, result: &ResultMap<'_>, value: &mut [u8], earlier: &[u8]) -> bool {
    counters(btf, result, value, earlier, true)
}

fn counters(btf: &Btf<'_>, result: &ResultMap<'_>, value: &mut [u8], other: &[u8], negate: bool) -> bool {
    let len = value.len();
    let elem = btf.element(result.type_id);
    let int = if elem.kind() == Kind::Int { elem.size() as usize } else { 0 };
    let hist = Hist::of(result.how);
    let (from, counted, size) = hist.map_or((0, len, int), |hist| hist.range());
    let stride = hist.map_or(len, |_| Hist::element(btf, result.type_id, len).1).max(1);
    if size == 0 {
        return false;
    }
    for i in 0..len.checked_div(stride).unwrap_or(0) {
        let start = i.saturating_mul(stride);
        let at = start.saturating_add(from);
        let end = at.saturating_add(counted).min(start.saturating_add(stride));
        let (Some(to), Some(other)) = (part(value, at, end), other.get(at..end.min(other.len()))) else {
            break;
        };
        for (i, c) in pieces(other, size).enumerate() {
            let Some(s) = to.get_mut(i.saturating_mul(size)..).and_then(|s| s.get_mut(..size)) else { break };
            // minus one number is plus its complement and one
            let mut carry = negate;
            let mut add = |s: &mut u8, c: &u8| {
                let c = if negate { !*c } else { *c };
                let (low, over) = s.overflowing_add(c);
                let (low, again) = low.overflowing_add(carry.into());
                (*s, carry) = (low, over || again);
            };
            match btf.endian() {
                Endian::Little => s.iter_mut().zip(c).for_each(|(s, c)| add(s, c)),
                Endian::Big => s.iter_mut().zip(c).rev().for_each(|(s, c)| add(s, c)),
            }
        }
    }
    true
}

/// Bytes from `at` to `end`, or as far as there are.
fn part(bytes: &mut [u8], at: usize, end: usize) -> Option<&mut [u8]> {
    let end = end.min(bytes.len());
    bytes.get_mut(at..end)
}
