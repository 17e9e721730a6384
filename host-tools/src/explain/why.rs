//! Why a candidate was dropped, in words.

use crate::btf::name;
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, encoding};
use corelet_core::relo::{Mismatch, Spec};

/// `struct task_struct`, with the kind even where C has no word for it.
pub(super) fn tagged(btf: &Btf<'_>, id: TypeId) -> String {
    match btf.ty(id) {
        Ok(t) => format!("{} {}", t.kind().name(), btf.name(&t)),
        Err(e) => e.to_string(),
    }
}

/// Why candidate `root` does not have what `local` describes: a phrase that follows its name. `mismatches` are what the
/// search said, innermost first.
pub(super) fn dropped(
    local_btf: &Btf<'_>,
    local: &Spec,
    target_btf: &Btf<'_>,
    root: TypeId,
    mismatches: &[Mismatch],
) -> String {
    // members around the difference come last, the outermost at the end
    let around = mismatches.iter().rev().take_while(|m| matches!(m, Mismatch::Member { .. })).count();
    let (before, around) = mismatches.split_at(mismatches.len() - around);
    let Some(innermost) = around.first().or(before.last()) else {
        return "is of another shape".to_owned();
    };
    match *innermost {
        Mismatch::Member { local: owner, member, target } => {
            let name = member_name(local_btf, owner, member);
            let path: Vec<&str> = (around.iter().rev())
                .filter_map(|m| match *m {
                    Mismatch::Member { local, member, .. } => Some(member_name(local_btf, local, member)),
                    _ => None,
                })
                .collect();
            let there = target_btf.ty(target).ok();
            let has_it = there.is_some_and(|t| t.members().any(|m| target_btf.string(m.name_off) == name));
            match (has_it, before.last()) {
                (true, Some(&Mismatch::Types { local, target })) => {
                    format!("its `{}` {}", path.join("."), difference(local_btf, local, target_btf, target))
                }
                _ if there.is_some_and(|t| !t.kind().is_composite()) => {
                    format!("has no member `{name}`: it is {} there", name::of(target_btf, target))
                }
                // a member of the member that is asked for
                _ if target != root && around.len() == 1 => {
                    format!("has no member `{name}` in {}", name::of(target_btf, target))
                }
                _ => format!("has no member `{}`{}", path.join("."), hint(target_btf, target, name)),
            }
        }
        Mismatch::Types { local: l, target } => {
            let field = local.points.iter().filter(|p| p.named).find(|p| {
                let member = local_btf.ty(p.type_id).ok().and_then(|t| t.member(p.index));
                member.is_some_and(|m| m.ty == l)
            });
            let what = match field {
                Some(p) => format!("its `{}` ", local.name(local_btf, p)),
                None => String::new(),
            };
            format!("{what}{}", difference(local_btf, l, target_btf, target))
        }
        Mismatch::Element { target, index } => {
            format!("has no element {index}: it is {} there", name::of(target_btf, target))
        }
        Mismatch::Enumerator { .. } => {
            let name = local.points.first().map_or("", |p| local.name(local_btf, p));
            format!("has no enumerator `{name}`")
        }
    }
}

/// A member whose name holds the one that is wanted: `__state` for `state`.
fn hint(btf: &Btf<'_>, owner: TypeId, wanted: &str) -> String {
    let names = btf.ty(owner).into_iter().flat_map(|t| t.members()).map(|m| btf.string(m.name_off));
    let near = names.filter(|name| wanted.len() > 2 && name.contains(wanted)).min_by_key(|name| name.len());
    near.map_or(String::new(), |name| format!(", but `{name}`"))
}

fn member_name<'a>(btf: &Btf<'a>, owner: TypeId, member: u32) -> &'a str {
    let member = btf.ty(owner).ok().and_then(|t| t.member(member));
    member.map_or("", |m| btf.string(m.name_off))
}

/// How a type of the target is another one than the object's.
fn difference(local_btf: &Btf<'_>, local: TypeId, target_btf: &Btf<'_>, target: TypeId) -> String {
    let (here, there) = (name::of(local_btf, local), name::of(target_btf, target));
    if here != there {
        return format!("is {there}, not {here}");
    }
    let [l, t] = [(local_btf, local), (target_btf, target)].map(|(btf, id)| btf.skip_mods(id).ok());
    let (Some(l), Some(t)) = (l, t) else { return format!("is another {there}") };
    let signed = |e: u8| if e & encoding::SIGNED != 0 { "signed" } else { "unsigned" };
    if l.kind() != t.kind() {
        return format!("is {there} of kind {}, not {}", t.kind().name(), l.kind().name());
    }
    match (l.int(), t.int()) {
        (Some(a), Some(b)) if l.size() == t.size() => {
            format!("is {there}, {} there and {} here", signed(b.encoding), signed(a.encoding))
        }
        (Some(_), Some(_)) => format!("is {there} of {} bytes, not {}", t.size(), l.size()),
        _ if l.vlen() > t.vlen() => {
            let what =
                if l.kind() == Kind::Enum || l.kind() == Kind::Enum64 { "enumerators" } else { "members" };
            format!("has {} {what}, fewer than the {} here", t.vlen(), l.vlen())
        }
        _ => format!("is another {there}"),
    }
}
