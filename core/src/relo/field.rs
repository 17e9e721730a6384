//! Finding a local spec's place in a candidate type.
//! Source: `bpf_core_spec_match`, `bpf_core_match_member`, `bpf_core_fields_are_compat`, libbpf `src/relo_core.c`.
//!
//! Time: [`MAX_COMPARISONS`] members for each point of the spec, or all enumerators once.

use super::cand::kinds_compat;
use super::spec::{Accessor, Spec, too_long};
use super::{Mismatch, Observer, compat, matches};
use crate::btf::{Btf, Kind, Type, names};
use crate::error::{Error, Limit, Result};
use crate::id::TypeId;
use crate::limits::{MAX_COMPARISONS, MAX_RESOLVE_DEPTH};
use heapless::Vec;

/// Fills `targ` with the place in candidate `root` that `local` describes. `false`: there is no such place.
pub(super) fn spec_match<const LEN: usize>(
    local_btf: &Btf<'_>,
    local: &Spec<LEN>,
    targ_btf: &Btf<'_>,
    root: TypeId,
    targ: &mut Spec<LEN>,
    observer: &mut impl Observer,
) -> Result<bool> {
    targ.reset(local.kind, root);
    if local.kind == super::ReloKind::TypeMatches {
        return matches::types_match(local_btf, local.root, targ_btf, root, observer);
    }
    if local.kind.is_type() {
        return compat::types_are_compat(local_btf, local.root, targ_btf, root, observer);
    }
    if local.kind.is_enumval() {
        return match_enumerator(local_btf, local, targ_btf, targ, observer);
    }
    let mut t = skip_mods(targ_btf, root, observer);
    // where the last point led, which only a further one looks at
    let mut member = None;
    for (i, point) in local.points.iter().enumerate() {
        if let Some(ty) = member.take() {
            t = skip_mods(targ_btf, ty, observer);
        }
        if point.named {
            member = match_member(local_btf, point, targ_btf, t, targ, observer)?;
            if member.is_none() {
                return Ok(false);
            }
            continue;
        }
        if i > 0 {
            let missing = Mismatch::Element { target: t.id, index: point.index };
            let Some(array) = t.array() else {
                observer.mismatch(missing);
                return Ok(false);
            };
            if !targ.holds(targ_btf, &array, point.index) {
                observer.mismatch(missing);
                return Ok(false);
            }
            t = skip_mods(targ_btf, array.elem, observer);
        }
        targ.push_raw(point.index)?;
        targ.push(Accessor { type_id: t.id, index: point.index, named: false })?;
        targ.skip_elements(point.index, size_of(targ_btf, &t, observer)?);
    }
    Ok(true)
}

fn observes<O: Observer>(_: &O) -> bool {
    O::LISTENS
}

/// [`Btf::skip_mods`] of an id that stands in `btf`, telling the observer of each step.
#[cfg_attr(feature = "small", inline(never))]
#[cfg_attr(not(feature = "small"), inline)]
pub(super) fn skip_mods<'t>(btf: &Btf<'t>, id: TypeId, observer: &mut impl Observer) -> Type<'t> {
    btf.follow(btf.get(id), &mut |id| observer.read_type(id))
}

/// [`Btf::size_of`] of a type behind all modifiers, telling the observer of the types that decide it.
#[cfg_attr(feature = "small", inline(never))]
#[cfg_attr(not(feature = "small"), inline)]
pub(super) fn size_of(btf: &Btf<'_>, t: &Type<'_>, observer: &mut impl Observer) -> Result<u32> {
    let mut array = t.array();
    for _ in 0..=MAX_RESOLVE_DEPTH {
        let Some(of) = array.filter(|_| observes(observer)) else { break };
        array = skip_mods(btf, of.elem, observer).array();
    }
    btf.size(t)
}

fn match_enumerator<const LEN: usize>(
    local_btf: &Btf<'_>,
    local: &Spec<LEN>,
    targ_btf: &Btf<'_>,
    targ: &mut Spec<LEN>,
    observer: &mut impl Observer,
) -> Result<bool> {
    let t = skip_mods(targ_btf, targ.root, observer);
    let Some(point) = local.points.first() else { return Ok(false) };
    if !t.kind().is_enum() {
        return Ok(false);
    }
    let name = names::essential(local.name(local_btf, point));
    for (index, e) in (0u32..).zip(t.enumerators()) {
        if targ_btf.has_essential(e.name_off, name) {
            observer.read_enumerator(t.id, index);
            targ.push(Accessor { type_id: t.id, index, named: true })?;
            targ.push_raw(index)?;
            return Ok(true);
        }
    }
    observer.mismatch(Mismatch::Enumerator { target: t.id });
    Ok(false)
}

/// A struct or union that the search for a member has left for one of its members.
struct Outer {
    id: TypeId,
    /// Its offset in the outermost one, in bits.
    bit_offset: u32,
}

/// Looks for the member that `point` names in `outer`, through anonymous structs and unions, in order, and gives its type.
/// The first member of that name decides: if its type does not fit, there is no match. Member names have no flavors.
#[inline(never)] // its frame, of what it went through, is gone when types are compared
fn match_member<const LEN: usize>(
    local_btf: &Btf<'_>,
    point: &Accessor,
    targ_btf: &Btf<'_>,
    outer: Type<'_>,
    targ: &mut Spec<LEN>,
    observer: &mut impl Observer,
) -> Result<Option<TypeId>> {
    let Some(local_member) = local_btf.get(point.type_id).member(point.index) else { return Ok(None) };
    let name = local_btf.tail(local_member.name_off);
    // the numbers of the members gone through are the spec's raw ones from here on
    let raw_start = targ.raw.len();
    let mut outers: Vec<Outer, LEN, u8> = Vec::new();
    let (mut t, mut bit_offset, mut index) = (outer, 0u32, 0u32);
    for _ in 0..MAX_COMPARISONS {
        let Some(member) = t.member(index) else {
            let Some(open) = outers.pop() else {
                let (local, member) = (point.type_id, point.index);
                observer.mismatch(Mismatch::Member { local, member, target: outer.id });
                return Ok(None);
            };
            (t, bit_offset) = (targ_btf.get(open.id), open.bit_offset);
            index = targ.raw.pop().unwrap_or(0).saturating_add(1);
            continue;
        };
        let member_offset = bit_offset.wrapping_add(member.bit_offset);
        let member_name = targ_btf.tail(member.name_off);
        if member_name.bytes().next().is_none_or(|b| b == 0) {
            let inner = targ_btf.behind(member.ty);
            if inner.kind().is_composite() {
                targ.push_raw(index)?;
                outers.push(Outer { id: t.id, bit_offset }).map_err(|_| too_long(LEN))?;
                (t, bit_offset, index) = (inner, member_offset, 0);
                continue;
            }
        } else if names::equal(member_name, name) {
            targ.push_raw(index)?;
            if observes(observer) {
                let path = outers.iter().map(|o| o.id).chain([t.id]);
                for (id, &index) in path.zip(targ.raw.get(raw_start..).unwrap_or(&[])) {
                    read_member(targ_btf, targ_btf.get(id), index, observer);
                }
            }
            if !fields_are_compat(local_btf, local_member.ty, targ_btf, member.ty, observer)? {
                observer.mismatch(Mismatch::Types { local: local_member.ty, target: member.ty });
                return Ok(None);
            }
            targ.push(Accessor { type_id: t.id, index, named: true })?;
            targ.bit_offset = targ.bit_offset.wrapping_add(member_offset);
            return Ok(Some(member.ty));
        }
        index = index.saturating_add(1);
    }
    Err(Error::TooMany { what: Limit::Comparisons, limit: MAX_COMPARISONS })
}

/// Tells the observer of a member, and of the struct's last one too where the member's being last or not decides whether
/// it is a flexible array.
fn read_member(btf: &Btf<'_>, t: Type<'_>, index: u32, observer: &mut impl Observer) {
    observer.read_type(t.id);
    observer.read_member(t.id, index);
    if let Some(m) = t.member(index) {
        let inner = skip_mods(btf, m.ty, observer);
        if inner.array().is_some_and(|a| a.nelems == 0) {
            observer.read_member(t.id, t.vlen().saturating_sub(1));
        }
    }
}

/// Whether a field of type `targ` may be read where the program was compiled for one of type `local`. Sizes and signs of
/// integers do not matter here.
fn fields_are_compat(
    local_btf: &Btf<'_>,
    mut local: TypeId,
    targ_btf: &Btf<'_>,
    mut targ: TypeId,
    observer: &mut impl Observer,
) -> Result<bool> {
    for _ in 0..=MAX_RESOLVE_DEPTH {
        let l = local_btf.behind(local);
        let t = skip_mods(targ_btf, targ, observer);
        if l.kind().is_composite() && t.kind().is_composite() {
            return Ok(true);
        }
        if !kinds_compat(l.kind(), t.kind()) {
            return Ok(false);
        }
        return Ok(match l.kind() {
            Kind::Ptr | Kind::Float => true,
            Kind::Fwd | Kind::Enum | Kind::Enum64 => {
                let (l, t) = (local_btf.name(&l), targ_btf.name(&t));
                l.is_empty() || t.is_empty() || names::same(l, t)
            }
            // integers with an offset are bitfields of before 4.20's kflag structs
            Kind::Int => l.is_whole_int() && t.is_whole_int(),
            Kind::Array => match (l.array(), t.array()) {
                (Some(l), Some(t)) => {
                    (local, targ) = (l.elem, t.elem);
                    continue;
                }
                _ => false,
            },
            _ => false,
        });
    }
    Err(Error::TooMany { what: Limit::ResolveDepth, limit: MAX_RESOLVE_DEPTH as u32 })
}
