//! Generated pairs of local types and kernels: every relocation alike, and enough of each outcome.

use super::same;
use crate::btf::Kind;
use crate::btf::testing::{Build, INT_SIGNED, numbered};
use crate::bytes::Endian;
use crate::relo::{CoreRelo, Outcome, ReloKind};
use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// A small generator of numbers (xorshift), the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as u32 % n.max(1)
    }

    fn name(&mut self, stem: &str, n: u32) -> String {
        let name = numbered(stem, self.below(n));
        match self.below(6) {
            0 => name + "___v",
            _ => name,
        }
    }
}

/// Types that refer to earlier ones, and pointers to any. Returns the named ones.
fn types(n: &mut Numbers, b: &mut Build, count: u32) -> Vec<(u32, Kind)> {
    let mut named = Vec::new();
    for (size, name) in [(4, "int"), (8, "long"), (1, "char")] {
        let signed = if n.below(4) == 0 { 0 } else { INT_SIGNED };
        b.int(name, size, signed);
    }
    for id in 4..count {
        let earlier = |n: &mut Numbers| 1 + n.below(id - 1);
        let made = match n.below(16) {
            0 => b.to("", Kind::Ptr, n.below(count)),
            1 => b.array(earlier(n), n.below(3)),
            2 => b.to("", Kind::Const, earlier(n)),
            3 => {
                let name = n.name("t", 3);
                named.push((id, Kind::Typedef));
                b.to(&name, Kind::Typedef, earlier(n))
            }
            4 => b.add(&n.name("s", 12), Kind::Fwd, 0, 0, &[]),
            5 | 6 => {
                let values: Vec<(String, u32)> =
                    (0..1 + n.below(4)).map(|_| (n.name("E", 5), n.below(100))).collect();
                let values: Vec<(&str, u32)> = values.iter().map(|(s, v)| (s.as_str(), *v)).collect();
                let name = n.name("e", 3);
                if n.below(3) == 0 {
                    let rest: Vec<u32> = values.iter().flat_map(|(s, v)| [b.string(s), *v, v % 2]).collect();
                    named.push((id, Kind::Enum64));
                    b.add(&name, Kind::Enum64, values.len(), 8, &rest)
                } else {
                    named.push((id, Kind::Enum));
                    b.enumeration(&name, &values)
                }
            }
            7 => {
                let params: Vec<u32> = (0..n.below(3)).map(|_| n.below(id)).collect();
                b.proto(n.below(id), &params)
            }
            _ => {
                let kind = if n.below(4) == 0 { Kind::Union } else { Kind::Struct };
                let mut members = Vec::new();
                for i in 0..1 + n.below(5) {
                    let name = if n.below(5) == 0 { String::new() } else { numbered("m", n.below(5)) };
                    // a bitfield's size goes into the offset's upper byte
                    let bits = if n.below(6) == 0 { (1 + n.below(7)) << 24 } else { 0 };
                    members.push((name, earlier(n), bits | (i * 32 + n.below(2) * 8)));
                }
                let flag = u32::from(members.iter().any(|m| m.2 >> 24 != 0)) << 31;
                let rest: Vec<u32> = members.iter().flat_map(|(s, t, at)| [b.string(s), *t, *at]).collect();
                let name = if n.below(4) == 0 { String::new() } else { n.name("s", 12) };
                if !name.is_empty() {
                    named.push((id, kind));
                }
                let name_off = b.string(&name);
                b.raw(name_off, flag | (kind as u32) << 24 | members.len() as u32, 40, &rest)
            }
        };
        assert_eq!(made, id);
    }
    named
}

fn relos(n: &mut Numbers, b: &mut Build, named: &[(u32, Kind)]) -> Vec<CoreRelo> {
    let mut out = Vec::new();
    for _ in 0..30 {
        let (root, kind) = named[n.below(named.len() as u32) as usize];
        let fields = [0, 0, 1, 2, 3, 4, 4, 5, 5];
        let number = match n.below(if kind.is_enum() { 3 } else { 2 }) {
            0 => [7, 8, 9, 12, 12][n.below(5) as usize],
            1 if kind.is_enum() => 10 + n.below(2),
            1 => fields[n.below(9) as usize],
            _ => 10 + n.below(2),
        };
        let kind = ReloKind::from_number(number).unwrap();
        let mut access = "0".to_string();
        if kind.is_field() {
            for _ in 0..1 + n.below(4) / 3 {
                access = format!("{access}:{}", n.below(3));
            }
        } else if kind.is_enumval() {
            access = n.below(3).to_string();
        }
        out.push(b.relo(kind, root, &access));
    }
    out
}

#[test]
fn generated_types_relocate_through_the_selection_as_through_the_whole() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 1..900u64 {
        let mut n = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let endian = if seed % 2 == 0 { Endian::Little } else { Endian::Big };
        let (mut l, mut k) = (Build::new(endian), Build::new(endian));
        let named = types(&mut n, &mut l, 24);
        types(&mut n, &mut k, 40);
        if named.is_empty() {
            continue;
        }
        let relos = relos(&mut n, &mut l, &named);
        for (relo, fate) in relos.iter().zip(same(&l.finish(), &k.finish(), &relos)) {
            let what = match fate {
                Ok((Outcome::Patched { matched: true, .. }, _)) => "matched",
                Ok((Outcome::Patched { .. }, _)) => "not there",
                Ok((Outcome::Poisoned(_), _)) => "poisoned",
                Err(_) => "failed",
            };
            *seen.entry(format!("{} {what}", relo.kind.name())).or_default() += 1;
        }
    }
    for kind in (0..13).filter(|&k| k != ReloKind::TypeIdLocal as u32) {
        let name = ReloKind::from_number(kind).unwrap().name();
        let count = |what: &str| seen.get(&format!("{name} {what}")).copied().unwrap_or(0);
        assert!(count("matched") >= 20, "{name}: {seen:?}");
        assert!(count("not there") + count("poisoned") >= 20, "{name}: {seen:?}");
    }
    let failed: usize = seen.iter().filter(|(k, _)| k.ends_with("failed")).map(|(_, n)| n).sum();
    assert!(failed >= 50, "{seen:?}");
}
