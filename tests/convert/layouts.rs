//! The layouts that `corelet btf dump FILE TYPE` prints, held against pahole's of the same BTF: places, sizes, bitfields,
//! holes, sums, padding, cachelines.

use anyhow::Result;
use corelet_core::btf::{Btf, Kind};
use corelet_host_tools::btf::layout;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a cacheline.
const CACHELINE: u32 = 64;

/// What the lines of a layout say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A member: its name, first bit, bits of a bitfield, bytes of its type.
    Member(String, u64, Option<u64>, u64),
    /// A hole: how much, and whether that is bits.
    Hole(u64, bool),
    /// A figure of the end.
    Sum(&'static str, u64),
}

/// What comparing came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Structs and unions that were compared.
    pub compared: BTreeSet<String>,
    /// Facts that are the same.
    pub facts: usize,
    /// Name, what pahole says, what is said here.
    pub differences: Vec<(String, Vec<Fact>, Vec<Fact>)>,
}

/// Compares all structs and unions whose name only one has; `printed` is what pahole prints of `btf`.
///
/// # Errors
/// A type that is not printed here.
pub fn compare(printed: &str, btf: &Btf<'_>) -> Result<Outcome> {
    let theirs = blocks(printed);
    let mut ours = BTreeMap::<String, Vec<_>>::new();
    for t in btf.own_types().filter(|t| t.kind().is_composite() && t.name_off != 0) {
        let word = if t.kind() == Kind::Struct { "struct" } else { "union" };
        ours.entry(format!("{word} {}", btf.name(&t))).or_default().push(t);
    }
    let mut out = Outcome::default();
    for (name, types) in ours {
        let ([t], Some([block])) = (&*types, theirs.get(&*name).map(Vec::as_slice)) else { continue };
        let (theirs, mut ours) = (facts(block), facts(&layout::of(btf, t, CACHELINE)?));
        if t.kind() == Kind::Union {
            // pahole ends with their last member
            ours.retain(|fact| !matches!(fact, Fact::Sum(..)));
        }
        out.compared.insert(name.clone());
        if theirs == ours {
            out.facts += ours.len();
        } else {
            out.differences.push((name, theirs, ours));
        }
    }
    Ok(out)
}

/// The texts of all structs and unions by name.
fn blocks(printed: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut out = BTreeMap::<&str, Vec<&str>>::new();
    let (mut at, mut open) = (0, None);
    for line in printed.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end();
        if line.starts_with(['s', 'u']) && (line.ends_with(" {") || line.ends_with("};")) {
            open = line.split(" {").next().map(|name| (name, start));
        }
        if let (true, Some((name, start))) = (line.starts_with('}') || line.ends_with("{};"), open) {
            out.entry(name).or_default().push(&printed[start..at]);
            open = None;
        }
    }
    out
}

/// Figures that are compared; pahole tells more, of the holes inside of members.
const SUMS: [&str; 10] = [
    "size",
    "cachelines",
    "sum members",
    "holes",
    "sum holes",
    "sum bitfield members",
    "bit holes",
    "sum bit holes",
    "padding",
    "bit_padding",
];

/// What a layout says, line by line.
pub fn facts(text: &str) -> Vec<Fact> {
    let mut out = Vec::new();
    for line in text.lines() {
        let Some((declared, comment)) = line.split_once("/* ") else { continue };
        let comment = comment.trim_end().trim_end_matches("*/").trim();
        if let Some(hole) = comment.strip_prefix("XXX ") {
            let mut words = hole.split(' ');
            let (count, unit) = (words.next().and_then(|n| n.parse().ok()), words.next().unwrap_or_default());
            if let (Some(count), Some("hole," | "hole")) = (count, words.next()) {
                out.push(Fact::Hole(count, unit.starts_with("bit")));
            }
        } else if let Some(sums) = (!declared.contains(|c: char| c != '\t')).then_some(comment) {
            for (key, value) in sums.split(", ").filter_map(|pair| pair.split_once(": ")) {
                let value = value.split(' ').next().and_then(|n| n.parse().ok());
                if ["member types", "paddings", "forced"].iter().any(|more| sums.starts_with(more)) {
                    continue;
                }
                if let (Some(key), Some(value)) = (SUMS.iter().find(|k| **k == key), value) {
                    out.push(Fact::Sum(key, value));
                }
            }
        } else if let Some(member) = member(declared, comment) {
            out.push(member);
        }
    }
    out
}

/// `struct sock *sk;` and `24     8`, or `__u8 cloned:1;` and `126: 0  1`.
fn member(declared: &str, place: &str) -> Option<Fact> {
    let mut words = place.split([' ', ':']).filter(|w| !w.is_empty()).map(|w| w.parse::<u64>());
    let first = words.next()?.ok()?;
    let (bit, size) = match (place.contains(':'), words.next()?.ok()?) {
        (true, bit) => (bit, words.next()?.ok()?),
        (false, size) => (0, size),
    };
    let declared = declared.trim().split(" __attribute__").next()?.trim_end_matches(';');
    let (declared, bits) = match declared.rsplit_once(':') {
        Some((declared, bits)) => (declared, bits.parse().ok()),
        None => (declared, None),
    };
    // the name of a pointer to a function stands inside of its type
    let name =
        declared.split_once("(*").map_or(declared, |(_, rest)| rest.split([')', '[']).next().unwrap_or(rest));
    let name = name.split('[').next()?.trim_end();
    let name = name.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    Some(Fact::Member(name.to_owned(), first * 8 + bit, bits, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::Endian;
    use corelet_host_tools::btf::OwnedBtf;
    use corelet_host_tools::subset::BtfWriter;

    /// What pahole 1.32 prints of the struct below, and of another.
    const PRINTED: &str = "struct s {
	int                        (*call)(int);         /*     0     8 */
	unsigned int               a:3;                  /*     8: 0  4 */

	/* XXX 29 bits hole, try to pack */
	/* XXX 4 bytes hole, try to pack */

	union {
		int                x;                    /*    16     4 */
		char               y[8];                 /*    16     8 */
	};                                               /*    16     8 */

	/* size: 32, cachelines: 1, members: 3 */
	/* sum members: 16, holes: 1, sum holes: 4 */
	/* sum bitfield members: 3 bits, bit holes: 1, sum bit holes: 29 bits */
	/* member types with holes: 1, total: 1 */
	/* padding: 8 */
	/* last cacheline: 32 bytes */
};
struct other {
	int                        a;                    /*     0     4 */
} __attribute__((__aligned__(64)));
";

    fn kernel(y: u32) -> OwnedBtf {
        let mut w = BtfWriter::new(Endian::Little);
        let int = w.push("int", Kind::Int, false, 0, 4, &[0x0100_0020]).0;
        let char = w.push("char", Kind::Int, false, 0, 1, &[0x0100_0008]).0;
        let proto = w.push("", Kind::FuncProto, false, 1, int, &[0, int]).0;
        let pointer = w.push("", Kind::Ptr, false, 0, proto, &[]).0;
        let array = w.push("", Kind::Array, false, 0, 0, &[char, int, y]).0;
        let names = ["x", "y", "call", "a"].map(|name| w.string(name));
        let union = w.push("", Kind::Union, true, 2, 8, &[names[0], int, 0, names[1], array, 0]).0;
        let members = [names[2], pointer, 0, names[3], int, 3 << 24 | 64, 0, union, 128];
        w.push("s", Kind::Struct, true, 3, 32, &members);
        OwnedBtf::from_bytes(w.finish()).unwrap()
    }

    #[test]
    fn a_layout_as_pahole_prints_it() {
        let found = compare(PRINTED, &kernel(8).view()).unwrap();
        assert!(found.differences.is_empty(), "{:?}", found.differences);
        assert_eq!((found.compared.len(), found.facts), (1, 16));
        let found = compare(PRINTED, &kernel(6).view()).unwrap();
        assert_eq!(found.differences.len(), 1, "an array of six is noticed");
        assert_eq!(blocks(PRINTED).into_keys().collect::<Vec<_>>(), ["struct other", "struct s"]);
    }
}
