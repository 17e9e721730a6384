//! Two BTFs of one kernel, compared by what they say and not by their ids.
//!
//! Each type that has a name becomes a text: a struct with the place and type of each member, a function with its prototype, a
//! variable with its type and place. Types without a name are part of the text of what holds them. A text counts as often as
//! it is there; what is in one BTF more often than in the other is a difference.

use corelet_core::btf::{Btf, Kind, Type};
use corelet_host_tools::btf::shape::{self, Nameless};
use std::collections::BTreeMap;
use std::fmt;

/// What a text is about: kind in libbpf's words and name.
pub type Key = (&'static str, String);

/// How often each text of a name is there.
type Texts = BTreeMap<Key, BTreeMap<String, usize>>;

/// On which side something is that the other does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The peer has it, and nothing of the name is ours.
    Missing,
    /// Ours has it, and the peer nothing of the name.
    Extra,
    /// Both have the name, and other texts, or one of them more often.
    Other,
}

/// One name that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it is.
    pub side: Side,
    /// What it is.
    pub key: Key,
    /// Texts that only the peer has, or has more often.
    pub theirs: Vec<String>,
    /// Texts that only ours has.
    pub ours: Vec<String>,
}

/// What a comparison came to.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Number of types by kind: the peer's and ours.
    pub kinds: BTreeMap<Kind, [usize; 2]>,
    /// Texts that are in both.
    pub same: usize,
    /// What is not.
    pub differences: Vec<Difference>,
}

/// Compares `ours` with `theirs`.
pub fn compare(theirs: &Btf<'_>, ours: &Btf<'_>) -> Comparison {
    let mut out = Comparison::default();
    for (side, btf) in [theirs, ours].into_iter().enumerate() {
        for t in btf.own_types() {
            out.kinds.entry(t.kind()).or_default()[side] += 1;
        }
    }
    let (mut theirs, mut ours) = (texts(theirs), texts(ours));
    for (key, texts) in &mut theirs {
        let mut none = BTreeMap::new();
        let known = ours.contains_key(key);
        let other = ours.get_mut(key).unwrap_or(&mut none);
        for (text, count) in texts.iter_mut() {
            let Some(here) = other.get_mut(text) else { continue };
            let both = (*count).min(*here);
            out.same += both;
            *count -= both;
            *here -= both;
        }
        let difference = Difference {
            side: if known { Side::Other } else { Side::Missing },
            key: key.clone(),
            theirs: left(texts),
            ours: left(other),
        };
        if !(difference.theirs.is_empty() && difference.ours.is_empty()) {
            out.differences.push(difference);
        }
    }
    let extra = ours.iter().filter(|(key, _)| !theirs.contains_key(key));
    out.differences.extend(extra.map(|(key, texts)| Difference {
        side: Side::Extra,
        key: key.clone(),
        theirs: Vec::new(),
        ours: left(texts),
    }));
    out
}

fn left(texts: &BTreeMap<String, usize>) -> Vec<String> {
    let shown = texts.iter().filter(|(_, count)| **count > 0);
    shown.map(|(text, &count)| if count > 1 { format!("{text} (x{count})") } else { text.clone() }).collect()
}

/// The texts of all types with a name, and of what else stands by itself.
fn texts(btf: &Btf<'_>) -> Texts {
    let mut out = Texts::new();
    for t in btf.own_types() {
        let name = btf.name(&t).to_owned();
        let kind = match t.kind() {
            // one word of C
            Kind::Enum64 => Kind::Enum,
            kind => kind,
        };
        let Some(text) = text(btf, &t) else { continue };
        *out.entry((kind.name(), name)).or_default().entry(text).or_default() += 1;
    }
    for section in btf.own_types().filter(|t| t.kind() == Kind::Datasec) {
        for var in section.vars() {
            let Ok(t) = btf.ty(var.ty) else { continue };
            let text = format!("{} at {}, {} bytes", btf.name(&section), var.offset, var.size);
            let key = ("place", btf.name(&t).to_owned());
            *out.entry(key).or_default().entry(text).or_default() += 1;
        }
    }
    out
}

/// What a type is, in words; `None` for what is part of other texts.
fn text(btf: &Btf<'_>, t: &Type<'_>) -> Option<String> {
    let whole = |id| shape::of(btf, id, Nameless::Whole);
    let named = t.name_off != 0;
    Some(match t.kind() {
        Kind::Struct | Kind::Union if named => {
            let mut text = format!("{} bytes", t.size());
            for m in t.members() {
                let member = shape::declare(btf, m.ty, btf.string(m.name_off), Nameless::Whole);
                let bits = if m.bitfield_size > 0 { format!(":{}", m.bitfield_size) } else { String::new() };
                text.push_str(&format!("\n@{}{bits} {member}", m.bit_offset));
            }
            text
        }
        Kind::Enum | Kind::Enum64 if named => {
            let mut text = format!("{} bytes, {}", t.size(), if t.kflag() { "signed" } else { "unsigned" });
            for e in t.enumerators() {
                text.push_str(&format!("\n{} = {:#x}", btf.string(e.name_off), e.value));
            }
            text
        }
        Kind::Int => format!("{} bytes, {:?}", t.size(), t.int()?),
        Kind::Float => format!("{} bytes", t.size()),
        Kind::Fwd => if t.kflag() { "union" } else { "struct" }.to_owned(),
        Kind::Typedef => whole(t.target()),
        Kind::Func => format!("linkage {}: {}", t.func_linkage(), whole(t.target())),
        Kind::Var => format!("linkage {}: {}", t.var_linkage()?, whole(t.target())),
        Kind::DeclTag => {
            let on = btf.ty(t.target()).ok()?;
            format!("on {} {}, component {}", on.kind().name(), btf.name(&on), t.tag_component()?)
        }
        Kind::Datasec => format!("{} bytes", t.size()),
        _ => return None,
    })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = &self.key;
        writeln!(f, "{:?}: {kind} {name}", self.side)?;
        match (&*self.theirs, &*self.ours) {
            // of long texts the lines that are not the same
            ([theirs], [ours]) => {
                let lines = |text: &str, other: &str, sign: char, f: &mut fmt::Formatter<'_>| {
                    let has = |line: &str| other.lines().any(|o| o == line);
                    text.lines().filter(|line| !has(line)).try_for_each(|line| writeln!(f, "  {sign} {line}"))
                };
                lines(theirs, ours, '-', f)?;
                lines(ours, theirs, '+', f)
            }
            (theirs, ours) => {
                let mut side = |texts: &[String], sign: char| {
                    texts.iter().try_for_each(|text| writeln!(f, "  {sign} {}", text.replace('\n', "; ")))
                };
                side(theirs, '-')?;
                side(ours, '+')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::{Endian, TypeId};
    use corelet_host_tools::btf::OwnedBtf;
    use corelet_host_tools::subset::BtfWriter;

    /// A kernel of a struct, a function that takes it and a variable, with one of these changed.
    fn kernel(offset: u32, param: &str, place: u32, copies: usize) -> OwnedBtf {
        let mut w = BtfWriter::new(Endian::Little);
        let int = w.push("int", Kind::Int, false, 0, 4, &[0x0100_0020]);
        let (a, b, p) = (w.string("a"), w.string("b"), w.string(param));
        let s = w.push("s", Kind::Struct, true, 2, 12, &[a, int.0, 0, b, int.0, offset]);
        let pointer = w.push("", Kind::Ptr, false, 0, s.0, &[]);
        let proto = w.push("", Kind::FuncProto, false, 1, 0, &[p, pointer.0]);
        for _ in 0..copies {
            w.push("f", Kind::Func, false, 0, proto.0, &[]);
        }
        let var = w.push("v", Kind::Var, false, 0, int.0, &[1]);
        w.push(".data..percpu", Kind::Datasec, false, 1, 8, &[var.0, place, 4]);
        assert_eq!(w.next_id(), TypeId(7 + copies as u32));
        OwnedBtf::from_bytes(w.finish()).unwrap()
    }

    fn differences(a: &OwnedBtf, b: &OwnedBtf) -> Vec<(Side, Key)> {
        let found = compare(&a.view(), &b.view()).differences;
        found.into_iter().map(|d| (d.side, d.key)).collect()
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let whole = kernel(32, "p", 0, 1);
        let key = |kind, name: &str| (kind, name.to_owned());
        assert_eq!(differences(&whole, &kernel(32, "p", 0, 1)), []);
        for (other, side, key) in [
            (kernel(64, "p", 0, 1), Side::Other, key("struct", "s")),
            (kernel(1 << 24 | 32, "p", 0, 1), Side::Other, key("struct", "s")),
            (kernel(32, "q", 0, 1), Side::Other, key("func", "f")),
            (kernel(32, "p", 4, 1), Side::Other, key("place", "v")),
            (kernel(32, "p", 0, 2), Side::Other, key("func", "f")),
            (kernel(32, "p", 0, 0), Side::Missing, key("func", "f")),
        ] {
            assert_eq!(differences(&whole, &other), [(side, key)]);
        }
        assert_eq!(differences(&kernel(32, "p", 0, 0), &whole), [(Side::Extra, key("func", "f"))]);
    }

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        let found = compare(&kernel(32, "p", 0, 1).view(), &kernel(64, "p", 0, 1).view());
        assert_eq!(found.differences[0].to_string(), "Other: struct s\n  - @32 int b\n  + @64 int b\n");
        assert_eq!(found.kinds[&Kind::Func], [1, 1]);
    }
}
