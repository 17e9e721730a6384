//! The distilled base of a module that was built apart from its kernel (`.BTF.base`, kernel 6.11): of the types that the
//! module refers to, the names, and the sizes of those that it embeds. What they are in a kernel is found by both.
//! Source: `Documentation/bpf/btf.rst` and `btf__relocate`, libbpf.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, bail, ensure};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Type};

/// The kernel's type for each type of a distilled base.
///
/// # Errors
/// A type that the kernel does not have, or has more than once: the module is not for this kernel.
pub(super) fn find(distilled: &Btf<'_>, kernel: &Btf<'_>) -> Result<BTreeMap<TypeId, TypeId>> {
    let mut by_name: HashMap<&str, Vec<Type<'_>>> = HashMap::new();
    let wanted: Vec<Type<'_>> = distilled.own_types().collect();
    for t in &wanted {
        by_name.entry(distilled.name(t)).or_default();
    }
    for t in kernel.own_types() {
        if let Some(types) = by_name.get_mut(kernel.name(&t)) {
            types.push(t);
        }
    }
    let mut of_base = BTreeMap::new();
    for t in &wanted {
        let (name, kind) = (distilled.name(t), t.kind());
        let shown = if kind == Kind::Fwd {
            format!("{} {name}", if t.kflag() { "union" } else { "struct" })
        } else {
            format!("{} {name} of {} bytes", kind.name(), t.size())
        };
        ensure!(!name.is_empty(), "type {} of .BTF.base, {}, has no name to be found by", t.id, kind.name());
        let same: Vec<TypeId> =
            by_name.get(name).into_iter().flatten().filter(|k| stands_for(t, k)).map(|k| k.id).collect();
        match same[..] {
            [only] => of_base.insert(t.id, only),
            [] => bail!("the kernel has no {shown}: the module is of another kernel"),
            _ => bail!("the kernel has more than one {shown}: which one the module means cannot be told"),
        };
    }
    Ok(of_base)
}

/// Whether a type of the kernel is what one of a distilled base of the same name stands for.
fn stands_for(distilled: &Type<'_>, kernel: &Type<'_>) -> bool {
    match distilled.kind() {
        // of a type that is only pointed at, the name is all there is
        Kind::Fwd => kernel.kind() == if distilled.kflag() { Kind::Union } else { Kind::Struct },
        Kind::Int => kernel.int() == distilled.int() && kernel.size() == distilled.size(),
        Kind::Enum | Kind::Enum64 => kernel.kind().is_enum() && kernel.size() == distilled.size(),
        Kind::Struct | Kind::Union | Kind::Float => {
            kernel.kind() == distilled.kind() && kernel.size() == distilled.size()
        }
        _ => false,
    }
}
