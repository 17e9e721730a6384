//! Types as text, so that two BTFs can be compared whatever their ids.

use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Type};
use std::collections::BTreeMap;

/// A type as it is referred to.
fn reference(btf: &Btf, id: TypeId) -> String {
    if id == TypeId::VOID {
        return "void".to_owned();
    }
    let t = btf.ty(id).unwrap();
    let name = btf.name(&t);
    match t.kind() {
        Kind::Struct | Kind::Fwd if !name.is_empty() => format!("struct {name}"),
        Kind::Union if !name.is_empty() => format!("union {name}"),
        Kind::Enum | Kind::Enum64 if !name.is_empty() => format!("enum {name}"),
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => whole(btf, &t),
        Kind::Ptr => format!("*{}", reference(btf, t.target())),
        Kind::Const => format!("const {}", reference(btf, t.target())),
        Kind::Volatile => format!("volatile {}", reference(btf, t.target())),
        Kind::Restrict => format!("restrict {}", reference(btf, t.target())),
        Kind::Array => {
            let a = t.array().unwrap();
            format!("[{}]{}", a.nelems, reference(btf, a.elem))
        }
        Kind::FuncProto => {
            let params: Vec<String> = (t.params())
                .map(|p| match (btf.string(p.name_off), p.ty) {
                    ("", TypeId::VOID) => "...".to_owned(),
                    ("", ty) => reference(btf, ty),
                    (name, ty) => format!("{name}: {}", reference(btf, ty)),
                })
                .collect();
            format!("{} ({})", reference(btf, t.target()), params.join(", "))
        }
        _ => name.to_owned(),
    }
}

/// A struct, union or enum with its parts. Places are bits.
fn whole(btf: &Btf, t: &Type) -> String {
    let word = match t.kind() {
        Kind::Struct => "struct",
        Kind::Union => "union",
        _ => "enum",
    };
    let mut text = format!("{word} {} {} {{ ", btf.name(t), t.size());
    for i in 0..t.vlen() {
        if let Some(m) = t.member(i) {
            let bits = if m.bitfield_size > 0 { format!(":{}", m.bitfield_size) } else { String::new() };
            text +=
                &format!("{}: {} @{}{bits}; ", btf.string(m.name_off), reference(btf, m.ty), m.bit_offset);
        } else if let Some(e) = t.enumerator(i) {
            text += &format!("{} = {}; ", btf.string(e.name_off), e.value);
        }
    }
    text + "}"
}

/// All structs, unions and enums, by name.
pub(crate) fn shapes(btf: &Btf) -> Vec<(String, String)> {
    let mut found: Vec<_> = (btf.own_types())
        .filter(|t| t.kind().is_composite() || t.kind().is_enum())
        .map(|t| (btf.name(&t).to_owned(), whole(btf, &t)))
        .collect();
    found.sort();
    found
}

/// The one of this name.
pub(crate) fn named(btf: &Btf, name: &str) -> Option<String> {
    // those without a name are in what they are part of
    let mut of_name = shapes(btf).into_iter().filter(|(of, _)| of == name).map(|(_, text)| text);
    let first = of_name.next();
    assert!(name.is_empty() || of_name.next().is_none(), "{name} is there twice");
    first
}

/// The one of this name, which is there.
pub(crate) fn shape(btf: &Btf, name: &str) -> String {
    named(btf, name).unwrap_or_else(|| panic!("no {name}"))
}

/// What a member of this name points to, in each type of a name.
pub(crate) fn through(btf: &Btf, name: &str, member: &str) -> Vec<String> {
    let mut found = Vec::new();
    for t in btf.own_types().filter(|t| btf.name(t) == name && t.kind().is_composite()) {
        for m in (0..t.vlen()).filter_map(|i| t.member(i)).filter(|m| btf.string(m.name_off) == member) {
            let pointer = btf.ty(m.ty).unwrap();
            found.push(whole(btf, &btf.ty(pointer.target()).unwrap()));
        }
    }
    found.sort();
    found
}

/// Names that are only declared.
pub(crate) fn declared<'b>(btf: &'b Btf) -> Vec<&'b str> {
    btf.own_types().filter(|t| t.kind() == Kind::Fwd).map(|t| btf.name(&t)).collect()
}

/// Functions and their prototypes.
pub(crate) fn functions(btf: &Btf) -> BTreeMap<String, String> {
    let functions = btf.own_types().filter(|t| t.kind() == Kind::Func);
    functions.map(|t| (btf.name(&t).to_owned(), reference(btf, t.target()))).collect()
}

/// Variables of the section of per-cpu ones.
pub(crate) fn percpu(btf: &Btf) -> Vec<String> {
    let section = btf.own_types().find(|t| t.kind() == Kind::Datasec).expect("a DATASEC");
    assert_eq!(btf.name(&section), ".data..percpu");
    let var = |v: corelet_core::btf::SecVar| {
        let var = btf.ty(v.ty).unwrap();
        format!("{}: {} @{} {}", btf.name(&var), reference(btf, var.target()), v.offset, v.size)
    };
    section.vars().map(var).collect()
}
