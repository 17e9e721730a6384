//! What is compared of a type: its size, its parts with their places and types, or its text.

use crate::btf::shape::{self, Nameless};
use anyhow::{Result, ensure};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Member, Type, encoding};
use serde::Serialize;
use std::collections::BTreeMap;

/// Bytes of text that are made of the types of one BTF: several times what kernels need. Hostile types can nest so
/// that they have any number of members.
pub const MAX_WORK: usize = 1 << 26;

/// What a part costs beside its text.
const PER_PART: usize = 64;

/// Levels of structs without a name that are gone into; a kernel has six.
const MAX_LEVELS: usize = 32;

/// How typedefs of tracepoints' arguments begin. Source: `include/trace/bpf_probe.h`.
const TRACEPOINT: &str = "btf_trace_";

/// A type as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Described {
    /// In bytes; 0 for what has none.
    pub size: u32,
    /// What it is, of a kind without parts.
    pub text: String,
    /// Members or enumerators, those of structs without a name too.
    pub parts: Vec<Part>,
}

/// A member or enumerator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// `outer.inner` for what is in a member without a name of its type.
    pub name: String,
    /// Where and what it is.
    pub slot: Slot,
}

/// Where a part is, and what.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// A member.
    Field {
        /// Bits from the start of the struct.
        bit_offset: u32,
        /// Bits of a bitfield; 0 for an ordinary member.
        bits: u32,
        /// Bytes; 0 for an array without an end.
        size: u32,
        /// Its type in C.
        r#type: String,
    },
    /// An enumerator.
    Value {
        /// Its value; of an unsigned one beyond the range as the kernel's own conversion gives it.
        value: i64,
    },
}

impl Slot {
    /// Whether it is a member.
    pub fn is_field(&self) -> bool {
        matches!(self, Slot::Field { .. })
    }

    /// Whether a member is what the other is, wherever they lie.
    pub fn same_but_for_place(&self, other: &Slot) -> bool {
        match (self, other) {
            (Slot::Field { bits, size, r#type, .. }, Slot::Field { bits: b, size: s, r#type: t, .. }) => {
                (bits, size, r#type) == (b, s, t)
            }
            _ => false,
        }
    }
}

/// All types of a BTF by kind and name.
pub struct Types<'b> {
    btf: Btf<'b>,
    by_name: BTreeMap<(&'static str, &'b str), Vec<TypeId>>,
    work: usize,
}

impl<'b> Types<'b> {
    /// Finds them.
    pub fn new(btf: &Btf<'b>) -> Types<'b> {
        let mut by_name: BTreeMap<_, Vec<TypeId>> = BTreeMap::new();
        for t in (1..btf.id_end()).filter_map(|id| btf.ty(TypeId(id)).ok()) {
            if let Some(key) = key(btf, &t) {
                by_name.entry(key).or_default().push(t.id);
            }
        }
        Types { btf: *btf, by_name, work: 0 }
    }

    /// Kind and name of each.
    pub fn keys(&self) -> impl Iterator<Item = &(&'static str, &'b str)> {
        self.by_name.keys()
    }

    /// What all types of this kind and name are.
    ///
    /// # Errors
    /// The text of all that was described has passed [`MAX_WORK`].
    pub fn describe(&mut self, kind: &'static str, name: &str) -> Result<Vec<Described>> {
        let ids = self.by_name.get(&(kind, name)).cloned().unwrap_or_default();
        if kind == "enum" && name.is_empty() {
            // those without a name are one: a program names their enumerators
            let mut all = Described::default();
            for id in ids {
                all.parts.extend(self.one(id)?.parts);
            }
            all.parts.sort_by(|a, b| a.name.cmp(&b.name));
            all.parts.dedup();
            return Ok(if all.parts.is_empty() { Vec::new() } else { vec![all] });
        }
        ids.into_iter().map(|id| self.one(id)).collect()
    }

    fn one(&mut self, id: TypeId) -> Result<Described> {
        let btf = self.btf;
        let t = btf.ty(id)?;
        let mut out = Described::default();
        match t.kind() {
            Kind::Struct | Kind::Union => {
                out.size = t.size();
                self.fields(&t, &mut out.parts)?;
            }
            Kind::Enum | Kind::Enum64 => {
                out.size = t.size();
                for e in t.enumerators() {
                    let slot = Slot::Value { value: e.value as i64 };
                    self.push(&mut out.parts, btf.string(e.name_off).to_owned(), slot)?;
                }
            }
            Kind::Int => {
                let e = t.int().map_or(0, |int| int.encoding);
                let sign = if e & encoding::SIGNED != 0 { "signed" } else { "unsigned" };
                out.text = format!("{} bytes, {sign}", t.size());
            }
            Kind::Float => out.text = format!("{} bytes", t.size()),
            _ => out.text = shape::of(&btf, t.target(), Nameless::Whole),
        }
        self.work += out.text.len();
        Ok(out)
    }

    fn push(&mut self, parts: &mut Vec<Part>, name: String, slot: Slot) -> Result<()> {
        let text = if let Slot::Field { r#type, .. } = &slot { r#type.len() } else { 0 };
        self.work += PER_PART + name.len() + text;
        ensure!(self.work < MAX_WORK, "they have more members than any kernel's types");
        parts.push(Part { name, slot });
        Ok(())
    }

    /// The members of `t`, and in their place those of members without a name of their type.
    fn fields(&mut self, t: &Type<'b>, parts: &mut Vec<Part>) -> Result<()> {
        let btf = self.btf;
        // what is left of each level: the struct, its next member, where it lies, and its name with a dot
        let mut levels = vec![(*t, 0, 0u32, String::new())];
        while let Some((of, next, base, prefix)) = levels.last_mut() {
            let Some(m) = of.member(*next) else {
                levels.pop();
                continue;
            };
            *next += 1;
            let (base, prefix) = (*base, prefix.clone());
            let name = btf.string(m.name_off);
            let bit_offset = base.saturating_add(m.bit_offset);
            let inner = btf.skip_mods(m.ty).ok().filter(|t| t.kind().is_composite() && t.name_off == 0);
            // a typedef is a name
            let inner = inner.filter(|inner| !self.through_typedef(m, inner.id));
            if !name.is_empty() || inner.is_none() {
                let nameless = if inner.is_some() { Nameless::Short } else { Nameless::Whole };
                let slot = Slot::Field {
                    bit_offset,
                    bits: m.bitfield_size,
                    size: btf.size_of(m.ty).unwrap_or(0),
                    r#type: shape::of(&btf, m.ty, nameless),
                };
                self.push(parts, format!("{prefix}{name}"), slot)?;
            }
            if let Some(inner) = inner.filter(|_| levels.len() < MAX_LEVELS) {
                let prefix = if name.is_empty() { prefix } else { format!("{prefix}{name}.") };
                self.work += PER_PART + prefix.len();
                levels.push((inner, 0, bit_offset, prefix));
            }
            ensure!(self.work < MAX_WORK, "they have more members than any kernel's types");
        }
        Ok(())
    }

    /// Whether a typedef leads from a member to the type `inner`.
    fn through_typedef(&self, m: Member, inner: TypeId) -> bool {
        let mut id = m.ty;
        while let Ok(t) = self.btf.ty(id) {
            if id == inner || !t.kind().is_modifier() {
                return false;
            }
            if t.kind() == Kind::Typedef {
                return true;
            }
            id = t.target();
        }
        false
    }
}

/// Kind and name of what is compared; none for what is part of other types.
fn key<'b>(btf: &Btf<'b>, t: &Type<'b>) -> Option<(&'static str, &'b str)> {
    let name = btf.name(t);
    let kind = match t.kind() {
        Kind::Enum | Kind::Enum64 => return Some(("enum", name)),
        _ if name.is_empty() => return None,
        Kind::Struct => "struct",
        Kind::Union => "union",
        Kind::Typedef => match name.strip_prefix(TRACEPOINT) {
            Some(name) => return Some(("tracepoint", name)),
            None => "typedef",
        },
        Kind::Func => "function",
        Kind::Var => "variable",
        Kind::Int => "integer",
        Kind::Float => "float",
        _ => return None,
    };
    Some((kind, name))
}
