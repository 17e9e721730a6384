//! Whether a member of one kernel's type can be read by the declaration that the header has of it.

use anyhow::{Result, ensure};
use corelet_core::btf::{Btf, Kind, encoding};
use corelet_core::id::TypeId;

use super::Union;
use super::nodes::Body;
use crate::btf::dump::layout::MAX_NESTING;
use crate::btf::dump::names;

impl Union {
    /// Whether type `id` of `btf` is read by what `here` is: what CO-RE takes for compatible, of which a direct load is resized,
    /// and which leads to members of the same types.
    ///
    /// Integers may differ in size where both are unsigned; pointers lead to types of one name, or to none; structs by value have
    /// one name, or the same members. Source: `bpf_core_fields_are_compat` and `bpf_core_patch_insn`, libbpf `src/relo_core.c`.
    pub(super) fn fits(&self, here: TypeId, btf: &Btf<'_>, id: TypeId, depth: usize) -> Result<bool> {
        ensure!(depth <= MAX_NESTING, "type {id}: nests deeper than {MAX_NESTING} levels");
        let (t, own_id) = (btf.skip_mods(id)?, self.nodes.skip(here)?);
        let own = self.nodes.get(own_id);
        let is_struct = |kind: Kind| kind.is_composite() || kind == Kind::Fwd;
        if is_struct(own.kind) && is_struct(t.kind()) {
            return match (own.name.as_str(), btf.name(&t)) {
                ("", _) | (_, "") => self.covers(own_id, btf, t.id, depth + 1),
                (one, other) => Ok(one == other),
            };
        }
        if own.kind.is_enum() && t.kind().is_enum() {
            return Ok(own.name.is_empty() || t.name_off == 0 || own.name == btf.name(&t));
        }
        if own.kind != t.kind() {
            return Ok(false);
        }
        Ok(match own.kind {
            Kind::Int => {
                let Body::Words(words) = &own.body else { return Ok(false) };
                let signed = |encoding: u8| encoding & encoding::SIGNED != 0;
                let is = words.first().map_or(0, |word| (word >> 24) as u8);
                own.size_or_type == t.size() || !signed(is) && !t.int().is_some_and(|i| signed(i.encoding))
            }
            Kind::Array => {
                let Body::Words(words) = &own.body else { return Ok(false) };
                match (words.first(), t.array()) {
                    (Some(&elem), Some(a)) => self.fits(TypeId(elem), btf, a.elem, depth + 1)?,
                    _ => false,
                }
            }
            Kind::Ptr => {
                let (to, from) = (self.nodes.skip(TypeId(own.size_or_type))?, btf.skip_mods(t.target())?);
                let to = self.nodes.get(to);
                match (is_struct(to.kind), is_struct(from.kind())) {
                    (true, true) => to.name == btf.name(&from),
                    (to, from) => to == from,
                }
            }
            _ => true,
        })
    }

    /// Whether the members of type `id` are all among those of `here`, of types that fit.
    pub(super) fn covers(&self, here: TypeId, btf: &Btf<'_>, id: TypeId, depth: usize) -> Result<bool> {
        ensure!(depth <= MAX_NESTING, "type {id}: nests deeper than {MAX_NESTING} levels");
        let t = btf.skip_mods(id)?;
        let members = self.nodes.members(here, 0)?;
        for m in t.members() {
            self.nodes.look()?;
            let name = btf.string(m.name_off);
            if name.is_empty() {
                if !self.covers(here, btf, m.ty, depth + 1)? {
                    return Ok(false);
                }
                continue;
            }
            let Some((_, have)) = members.iter().find(|(_, have)| have.name == name) else {
                return Ok(false);
            };
            if (have.bits > 0) != (m.bitfield_size > 0) || !self.fits(have.ty, btf, m.ty, depth + 1)? {
                return Ok(false);
            }
        }
        // a declaration says nothing of its members
        Ok(names::tag_word(&t).is_some())
    }
}
