//! A type in a word or two, for reports: `struct task_struct *`, `char[16]`. Not a declaration; [`super::dump`] makes those.

use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind};
use corelet_core::limits::MAX_RESOLVE_DEPTH;

/// The type `id` of `btf` as C would name it, without what is inside of anonymous types and prototypes.
pub fn of(btf: &Btf<'_>, id: TypeId) -> String {
    let (mut before, mut stars, mut behind) = (String::new(), String::new(), String::new());
    let mut id = id;
    for _ in 0..=2 * MAX_RESOLVE_DEPTH {
        let Ok(t) = btf.ty(id) else { return "<no type>".to_owned() };
        let name = btf.name(&t);
        let word = match t.kind() {
            Kind::Const | Kind::Volatile | Kind::Restrict => {
                // behind a star it belongs to the pointer, which is of no interest
                if stars.is_empty() && behind.is_empty() {
                    before.push_str(t.kind().name());
                    before.push(' ');
                }
                id = t.target();
                continue;
            }
            Kind::TypeTag => {
                id = t.target();
                continue;
            }
            Kind::Ptr => {
                stars.push('*');
                id = t.target();
                continue;
            }
            Kind::Array => {
                let Some(a) = t.array() else { break };
                // an array of pointers is written with its stars first, a pointer to an array is rare
                behind.push_str(&if a.nelems == 0 { "[]".to_owned() } else { format!("[{}]", a.nelems) });
                id = a.elem;
                continue;
            }
            Kind::FuncProto => "func(…)".to_owned(),
            Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Fwd => {
                let tag = match (t.kind(), t.kflag()) {
                    (Kind::Enum64, _) => "enum",
                    (Kind::Fwd, false) => "struct",
                    (Kind::Fwd, true) => "union",
                    (kind, _) => kind.name(),
                };
                format!("{tag} {}", if name.is_empty() { "{…}" } else { name })
            }
            Kind::Void => "void".to_owned(),
            kind if name.is_empty() => kind.name().to_owned(),
            _ => name.to_owned(),
        };
        let space = if stars.is_empty() { "" } else { " " };
        return format!("{before}{word}{space}{stars}{behind}");
    }
    "<too deep>".to_owned()
}
