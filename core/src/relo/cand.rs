//! Candidates: the target's types that share the essential name of a local type.
//!
//! One list is kept for each local root type and for all relocations of an object, and each relocation that finds a match
//! drops from it the candidates that did not match. That is a safety rule: without it two fields of one local struct could
//! be resolved against two different kernel structs of the same name.
//! Source: `bpf_core_add_cands`, libbpf `src/libbpf.c`; the pruning, `bpf_core_calc_relo_insn`, `src/relo_core.c`.
//!
//! Time: for each relocation a walk over the lists, for each new list one over the target's types.

use super::TargetTypes;
use crate::btf::{Btf, Kind, names};
use crate::error::{Error, Limit, Result};
use crate::id::TypeId;

/// The candidates of one local root type: a stretch of [`Cands`]' pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct CandList {
    local: TypeId,
    start: u32,
    len: u32,
}

/// The candidate lists of one object, in memory of the caller.
#[derive(Debug)]
pub struct Cands<'m> {
    lists: &'m mut [CandList],
    lists_used: usize,
    pool: &'m mut [TypeId],
    pool_used: usize,
}

impl<'m> Cands<'m> {
    /// No lists yet. `lists` takes one entry for each distinct root type of the relocations, `pool` one for each candidate.
    pub fn new(lists: &'m mut [CandList], pool: &'m mut [TypeId]) -> Self {
        Cands { lists, lists_used: 0, pool, pool_used: 0 }
    }

    /// Entries of `lists` and `pool` that are in use: what a caller of the same relocations needs at least.
    pub fn used(&self) -> (usize, usize) {
        (self.lists_used, self.pool_used)
    }

    /// Number of the list of `local`, found at its first use.
    pub(super) fn list(
        &mut self,
        local_btf: &Btf<'_>,
        local: TypeId,
        target: &impl TargetTypes,
    ) -> Result<usize> {
        let known = self.lists.iter().take(self.lists_used).position(|l| l.local == local);
        if let Some(i) = known {
            return Ok(i);
        }
        let t = local_btf.ty(local)?;
        let name = local_btf.name(&t);
        if name.is_empty() {
            return Err(Error::Anonymous { id: local });
        }
        let start = self.pool_used;
        let pool = &mut *self.pool;
        let limit = pool.len() as u32;
        let mut end = start;
        target.candidates(names::essential(name), t.kind(), &mut |id| {
            *pool.get_mut(end).ok_or(Error::TooMany { what: Limit::Candidates, limit })? = id;
            end = end.saturating_add(1);
            Ok(())
        })?;
        self.pool_used = end;
        let i = self.lists_used;
        let limit = self.lists.len() as u32;
        *self.lists.get_mut(i).ok_or(Error::TooMany { what: Limit::Candidates, limit })? =
            CandList { local, start: start as u32, len: end.saturating_sub(start) as u32 };
        self.lists_used = i.saturating_add(1);
        Ok(i)
    }

    /// The candidates of list `list`.
    pub(super) fn ids(&mut self, list: usize) -> &mut [TypeId] {
        let l = self.lists.get(list).copied().unwrap_or_default();
        self.pool.get_mut(l.start as usize..).and_then(|p| p.get_mut(..l.len as usize)).unwrap_or_default()
    }

    /// Keeps only the first `len` candidates of list `list`.
    pub(super) fn prune(&mut self, list: usize, len: usize) {
        if let Some(l) = self.lists.get_mut(list) {
            l.len = len as u32;
        }
    }
}

/// Whether a target type of `kind` may stand for a local one of `local`: equal kinds, and enums of either width.
pub fn kinds_compat(local: Kind, kind: Kind) -> bool {
    local == kind || local.is_enum() && kind.is_enum()
}

/// Every type of `btf` that may stand for a local type of `kind` and of the essential name `name`, in id order.
pub fn scan(
    btf: &Btf<'_>,
    name: &str,
    kind: Kind,
    found: &mut dyn FnMut(TypeId) -> Result<()>,
) -> Result<()> {
    for t in btf.own_types() {
        if t.name_off != 0 && kinds_compat(kind, t.kind()) && btf.has_essential(t.name_off, name) {
            found(t.id)?;
        }
    }
    Ok(())
}
