//! Specs in libbpf's words: `[5] struct sample.a[3] (0:1:2:3 @ offset 24)`.
//! Source: `bpf_core_format_spec`, libbpf `src/relo_core.c`; the text is the same, so logs can be compared.

use super::Spec;
use crate::btf::{Btf, Kind};
use crate::words::{Words, displayed};
use std::fmt;

/// A spec together with the types it is about.
pub struct SpecText<'s, 'b> {
    /// The spec.
    pub spec: &'s Spec,
    /// Its types.
    pub btf: &'s Btf<'b>,
    /// Id to print for the root: the kernel's own where `btf` is a subset.
    pub root_id: u32,
}

impl SpecText<'_, '_> {
    /// Says the spec.
    pub fn say(&self, out: &mut dyn Words) {
        let (spec, btf) = (self.spec, self.btf);
        let Ok(root) = btf.ty(spec.root) else { return out.text("<no type>") };
        let name = btf.name(&root);
        let name = if name.is_empty() { "<anon>" } else { name };
        out.text("[");
        out.number(self.root_id.into());
        out.text("] ");
        out.text(root.kind().name());
        out.text(" ");
        out.text(name);
        if spec.kind.is_enumval() {
            enumerator(spec, btf, out);
        }
        if !spec.kind.is_field() {
            return;
        }
        for (i, p) in spec.points.iter().enumerate() {
            if p.named {
                out.text(".");
                out.text(spec.name(btf, p));
            } else if i > 0 || p.index > 0 {
                out.text("[");
                out.number(p.index.into());
                out.text("]");
            }
        }
        for (i, &n) in spec.raw.iter().enumerate() {
            out.text(if i == 0 { " (" } else { ":" });
            out.number(n.into());
        }
        out.text(" @ offset ");
        out.number((spec.bit_offset / 8).into());
        if spec.bit_offset % 8 != 0 {
            out.text(".");
            out.number((spec.bit_offset % 8).into());
        }
        out.text(")");
    }
}

fn enumerator(spec: &Spec, btf: &Btf<'_>, out: &mut dyn Words) {
    let Some(p) = spec.points.first() else { return };
    let t = btf.get(p.type_id);
    let Some(e) = t.enumerator(p.index) else { return };
    out.text("::");
    out.text(btf.string(e.name_off));
    out.text(" = ");
    let value = e.value as i64;
    match (t.kind(), t.kflag()) {
        (_, true) => {
            if value < 0 {
                out.text("-");
            }
            out.number(value.unsigned_abs());
        }
        (Kind::Enum, false) => out.number((e.value as u32).into()),
        _ => out.number(e.value),
    }
}

impl fmt::Display for SpecText<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        displayed(f, |out| self.say(out))
    }
}
