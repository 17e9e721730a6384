//! Whether two types are compatible, for TYPE_EXISTS, TYPE_SIZE and TYPE_ID_TARGET: kinds are compared, names only at the
//! root (by the candidate search). Source: `__bpf_core_types_are_compat`, libbpf `src/relo_core.c`.
//!
//! Time: [`MAX_COMPARISONS`] steps, where prototypes return themselves or take two of their kind at every level.

use super::cand::kinds_compat;
use super::field::skip_mods;
use super::{Mismatch, Observer};
use crate::btf::{Btf, Kind};
use crate::error::{Error, Limit, Result};
use crate::id::TypeId;
use crate::limits::{MAX_COMPARISONS, MAX_TYPE_DEPTH};
use heapless::Vec;

const TOO_DEEP: Error = Error::TooMany { what: Limit::TypeDepth, limit: MAX_TYPE_DEPTH as u32 };

/// A pair of prototypes whose parameters are being compared.
struct Proto {
    local: TypeId,
    targ: TypeId,
    next_param: u32,
}

/// Whether `targ` may stand for `local`.
#[inline(never)] // its frame is its own: fields are looked for without it
pub(super) fn types_are_compat(
    local_btf: &Btf<'_>,
    local: TypeId,
    targ_btf: &Btf<'_>,
    targ: TypeId,
    observer: &mut impl Observer,
) -> Result<bool> {
    if !kinds_compat(local_btf.ty(local)?.kind(), targ_btf.get(targ).kind()) {
        return Ok(false);
    }
    let mut open: Vec<Proto, MAX_TYPE_DEPTH, u8> = Vec::new();
    let mut pair = Some((local, targ));
    for _ in 0..MAX_COMPARISONS {
        if let Some((local, targ)) = pair.take()
            && !leaf(local_btf, local, targ_btf, targ, &mut open, observer)?
        {
            observer.mismatch(Mismatch::Types { local, target: targ });
            return Ok(false);
        }
        let Some(proto) = open.last_mut() else { return Ok(true) };
        let (l, t) = (local_btf.get(proto.local), targ_btf.get(proto.targ));
        match (l.param(proto.next_param), t.param(proto.next_param)) {
            (Some(l), Some(t)) => {
                proto.next_param = proto.next_param.saturating_add(1);
                pair = Some((l.ty, t.ty));
            }
            _ => {
                open.pop();
                pair = Some((l.target(), t.target()));
            }
        }
    }
    Err(Error::TooMany { what: Limit::Comparisons, limit: MAX_COMPARISONS })
}

/// Follows pointers and arrays down to what decides; a pair of prototypes is left open.
fn leaf(
    local_btf: &Btf<'_>,
    mut local: TypeId,
    targ_btf: &Btf<'_>,
    mut targ: TypeId,
    open: &mut Vec<Proto, MAX_TYPE_DEPTH, u8>,
    observer: &mut impl Observer,
) -> Result<bool> {
    for _ in 0..MAX_TYPE_DEPTH {
        let l = local_btf.behind(local);
        let t = skip_mods(targ_btf, targ, observer);
        if !kinds_compat(l.kind(), t.kind()) {
            return Ok(false);
        }
        match l.kind() {
            Kind::Void | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Fwd => {
                return Ok(true);
            }
            Kind::Int => return Ok(l.is_whole_int() && t.is_whole_int()),
            Kind::Ptr => (local, targ) = (l.target(), t.target()),
            Kind::Array => match (l.array(), t.array()) {
                (Some(l), Some(t)) => (local, targ) = (l.elem, t.elem),
                _ => return Ok(false),
            },
            Kind::FuncProto if l.vlen() == t.vlen() => {
                return open
                    .push(Proto { local: l.id, targ: t.id, next_param: 0 })
                    .map(|()| true)
                    .map_err(|_| TOO_DEEP);
            }
            _ => return Ok(false),
        }
    }
    Err(TOO_DEEP)
}
