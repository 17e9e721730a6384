//! Specs in libbpf's words: `[5] struct sample.a[3] (0:1:2:3 @ offset 24)`.
//! Source: `bpf_core_format_spec`, libbpf `src/relo_core.c`; the text is the same, so logs can be compared.

use super::Spec;
use crate::btf::{Btf, Kind};
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

impl fmt::Display for SpecText<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spec, btf) = (self.spec, self.btf);
        let Ok(root) = btf.ty(spec.root) else { return f.write_str("<no type>") };
        let name = btf.name(&root);
        let name = if name.is_empty() { "<anon>" } else { name };
        write!(f, "[{}] {} {}", self.root_id, root.kind().name(), name)?;
        if spec.kind.is_enumval() {
            let enumerator = spec.points.first().and_then(|p| {
                let t = btf.ty(p.type_id).ok()?;
                Some((t, t.enumerator(p.index)?))
            });
            let Some((t, e)) = enumerator else { return Ok(()) };
            write!(f, "::{} = ", btf.string(e.name_off))?;
            return match (t.kind(), t.kflag()) {
                (_, true) => write!(f, "{}", e.value as i64),
                (Kind::Enum, false) => write!(f, "{}", e.value as u32),
                _ => write!(f, "{}", e.value),
            };
        }
        if !spec.kind.is_field() {
            return Ok(());
        }
        for (i, p) in spec.points.iter().enumerate() {
            if p.named {
                write!(f, ".{}", spec.name(btf, p))?;
            } else if i > 0 || p.index > 0 {
                write!(f, "[{}]", p.index)?;
            }
        }
        for (i, n) in spec.raw.iter().enumerate() {
            write!(f, "{}{n}", if i == 0 { " (" } else { ":" })?;
        }
        match (spec.bit_offset / 8, spec.bit_offset % 8) {
            (bytes, 0) => write!(f, " @ offset {bytes})"),
            (bytes, bits) => write!(f, " @ offset {bytes}.{bits})"),
        }
    }
}
