//! Whether two types have the same shape, for TYPE_MATCHES: names are compared at every level, the local type's members and
//! enumerators must all be there, integers agree in size and sign; behind a pointer only kind and name count.
//! Source: `__bpf_core_types_match`, libbpf `src/relo_core.c`.
//!
//! Time: [`MAX_COMPARISONS`] pairs of types, members or enumerators, and the members of one struct more.

use super::field::skip_mods;
use super::{Mismatch, Observer};
use crate::btf::{Btf, Kind, Type, encoding, names};
use crate::error::{Error, Limit, Result};
use crate::id::TypeId;
use crate::limits::{MAX_COMPARISONS, MAX_TYPE_DEPTH};
use heapless::Vec;

const TOO_DEEP: Error = Error::TooMany { what: Limit::TypeDepth, limit: MAX_TYPE_DEPTH as u32 };

/// A pair of types whose parts are being compared.
struct Open {
    local: TypeId,
    targ: TypeId,
    /// Local member or parameter at hand.
    local_next: u32,
    /// Target member to try next for it.
    targ_next: u32,
    behind_ptr: bool,
}

/// What a comparison came to.
enum Step {
    /// The pair is decided.
    Decided(bool),
    /// The pair was opened; its parts decide.
    Opened,
}

struct Matcher<'x, 'l, 't> {
    local: &'x Btf<'l>,
    targ: &'x Btf<'t>,
    open: Vec<Open, MAX_TYPE_DEPTH, u8>,
    comparisons: u32,
}

/// Whether `targ` has the shape of `local`.
#[cold]
#[inline(never)] // its frame is its own: fields are looked for without it
pub(super) fn types_match(
    local_btf: &Btf<'_>,
    local: TypeId,
    targ_btf: &Btf<'_>,
    targ: TypeId,
    observer: &mut impl Observer,
) -> Result<bool> {
    let mut m = Matcher { local: local_btf, targ: targ_btf, open: Vec::new(), comparisons: 0 };
    let mut step = m.compare(local, targ, false, observer)?;
    loop {
        step = match step {
            Step::Opened => m.advance(None, observer)?,
            Step::Decided(answer) if m.open.is_empty() => return Ok(answer),
            Step::Decided(answer) => m.advance(Some(answer), observer)?,
        };
    }
}

impl Matcher<'_, '_, '_> {
    /// Goes on with the innermost open pair; `answer` is what its part at hand came to, if one was at hand.
    #[cold]
    #[inline(never)]
    fn advance(&mut self, answer: Option<bool>, observer: &mut impl Observer) -> Result<Step> {
        let Some(open) = self.open.last_mut() else { return Ok(Step::Decided(true)) };
        let (l, t) = (self.local.get(open.local), self.targ.get(open.targ));
        if l.kind() == Kind::FuncProto {
            if answer == Some(false) {
                self.open.pop();
                return Ok(Step::Decided(false));
            }
            let behind_ptr = open.behind_ptr;
            let index = open.local_next;
            open.local_next = index.saturating_add(1);
            return match (l.param(index), t.param(index)) {
                (Some(l), Some(t)) => self.compare(l.ty, t.ty, behind_ptr, observer),
                _ => {
                    self.open.pop();
                    self.compare(l.target(), t.target(), behind_ptr, observer)
                }
            };
        }
        if answer == Some(true) {
            open.local_next = open.local_next.saturating_add(1);
            open.targ_next = 0;
        }
        let Some(local_member) = l.member(open.local_next) else {
            self.open.pop();
            return Ok(Step::Decided(true));
        };
        let name = self.local.string(local_member.name_off);
        self.comparisons = self.comparisons.saturating_add(t.vlen().saturating_sub(open.targ_next));
        while let Some(member) = t.member(open.targ_next) {
            let index = open.targ_next;
            open.targ_next = index.saturating_add(1);
            if names::same(self.targ.string(member.name_off), name) {
                observer.read_member(t.id, index);
                return self.compare(local_member.ty, member.ty, false, observer);
            }
        }
        let (local, member) = (l.id, open.local_next);
        observer.mismatch(Mismatch::Member { local, member, target: t.id });
        self.open.pop();
        Ok(Step::Decided(false))
    }

    #[cold]
    #[inline(never)]
    fn compare(
        &mut self,
        local: TypeId,
        targ: TypeId,
        behind_ptr: bool,
        observer: &mut impl Observer,
    ) -> Result<Step> {
        let step = self.step(local, targ, behind_ptr, observer)?;
        if let Step::Decided(false) = step {
            observer.mismatch(Mismatch::Types { local, target: targ });
        }
        Ok(step)
    }

    fn step(
        &mut self,
        mut local: TypeId,
        mut targ: TypeId,
        mut behind_ptr: bool,
        observer: &mut impl Observer,
    ) -> Result<Step> {
        for _ in 0..MAX_TYPE_DEPTH {
            self.count(1)?;
            let l = self.local.behind(local);
            let t = skip_mods(self.targ, targ, observer);
            let decided = |answer| Ok(Step::Decided(answer));
            if !names::same(self.local.name(&l), self.targ.name(&t)) {
                return decided(false);
            }
            match l.kind() {
                Kind::Void => return decided(t.kind() == Kind::Void),
                Kind::Fwd => {
                    // of a forward declaration kflag says union
                    return decided(match t.kind() {
                        Kind::Fwd => l.kflag() == t.kflag(),
                        Kind::Struct => behind_ptr && !l.kflag(),
                        Kind::Union => behind_ptr && l.kflag(),
                        _ => false,
                    });
                }
                Kind::Enum | Kind::Enum64 => {
                    self.count(l.vlen().saturating_mul(t.vlen()))?;
                    return decided(self.enums_match(l, t, observer));
                }
                Kind::Struct | Kind::Union if behind_ptr => {
                    let fwd = t.kind() == Kind::Fwd && t.kflag() == (l.kind() == Kind::Union);
                    return decided(l.kind() == t.kind() || fwd);
                }
                Kind::Struct | Kind::Union => {
                    if l.kind() != t.kind() || l.vlen() > t.vlen() {
                        return decided(false);
                    }
                    observer.read_count(t.id, l.vlen());
                    return self.open(l, t, false);
                }
                Kind::Int => {
                    let sign = |i: Type<'_>| i.int().map(|e| e.encoding & encoding::SIGNED);
                    return decided(t.kind() == Kind::Int && l.size() == t.size() && sign(l) == sign(t));
                }
                Kind::Ptr if t.kind() == Kind::Ptr => {
                    behind_ptr = true;
                    (local, targ) = (l.target(), t.target());
                }
                Kind::Array => match (l.array(), t.array()) {
                    (Some(l), Some(t)) if l.nelems == t.nelems => (local, targ) = (l.elem, t.elem),
                    _ => return decided(false),
                },
                Kind::FuncProto if t.kind() == Kind::FuncProto && l.vlen() == t.vlen() => {
                    return self.open(l, t, behind_ptr);
                }
                _ => return decided(false),
            }
        }
        Err(TOO_DEEP)
    }

    /// Counts comparisons, so that hostile types end in an error and not in years.
    fn count(&mut self, n: u32) -> Result<()> {
        self.comparisons = self.comparisons.saturating_add(n);
        if self.comparisons > MAX_COMPARISONS {
            return Err(Error::TooMany { what: Limit::Comparisons, limit: MAX_COMPARISONS });
        }
        Ok(())
    }

    fn open(&mut self, l: Type<'_>, t: Type<'_>, behind_ptr: bool) -> Result<Step> {
        self.open
            .push(Open { local: l.id, targ: t.id, local_next: 0, targ_next: 0, behind_ptr })
            .map(|()| Step::Opened)
            .map_err(|_| TOO_DEEP)
    }

    fn enums_match(&self, l: Type<'_>, t: Type<'_>, observer: &mut impl Observer) -> bool {
        if !t.kind().is_enum() || l.size() != t.size() || l.vlen() > t.vlen() {
            return false;
        }
        observer.read_count(t.id, l.vlen());
        l.enumerators().all(|e| {
            let name = self.local.string(e.name_off);
            let found = t.enumerators().position(|e| names::same(self.targ.string(e.name_off), name));
            if let Some(index) = found {
                observer.read_enumerator(t.id, index as u32);
            }
            found.is_some()
        })
    }
}
