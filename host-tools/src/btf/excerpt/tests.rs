//! What an excerpt gives and what the whole gives are the same minimum, for made-up kernels and objects of every kind.

use super::{Wanted, excerpt};
use crate::btf::{OwnedBtf, Source};
use crate::subset::{self, BtfWriter, KernelTypes};
use corelet_core::btf::Kind;
use corelet_core::relo::{CoreRelo, ReloKind, TargetTypes};
use corelet_core::{Endian, TypeId};

/// Pseudo-random numbers (SplitMix64), so that a failure can be had again by its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % u64::from(n)) as u32
    }

    fn pick<'a>(&mut self, names: &[&'a str]) -> &'a str {
        names[self.below(names.len() as u32) as usize]
    }
}

const NAMES: [&str; 9] = ["", "a", "a___x", "task", "task___old", "ab", "a___b___c", "_", "task_struct"];
const MEMBERS: [&str; 5] = ["", "x", "y", "z", "x___f"];
/// Types are drawn from these, composites more often than the others. Variables come last.
pub(crate) const KINDS: [Kind; 16] = [
    Kind::Int,
    Kind::Ptr,
    Kind::Array,
    Kind::Struct,
    Kind::Struct,
    Kind::Struct,
    Kind::Union,
    Kind::Enum,
    Kind::Enum64,
    Kind::Fwd,
    Kind::Typedef,
    Kind::Const,
    Kind::FuncProto,
    Kind::Func,
    Kind::Float,
    Kind::Var,
];

/// `count` types, each of which may refer to any.
pub(crate) fn types(random: &mut Random, endian: Endian, count: u32, kinds: &[Kind]) -> Vec<u8> {
    let mut w = BtfWriter::new(endian);
    for _ in 0..count {
        let kind = kinds[random.below(kinds.len() as u32) as usize];
        let any = random.below(count + 1);
        let rows = random.below(5);
        let name = match kind {
            Kind::Ptr | Kind::Array | Kind::Const | Kind::FuncProto => "",
            _ => random.pick(&NAMES),
        };
        let mut words = Vec::new();
        let mut vlen = 0;
        match kind {
            Kind::Struct | Kind::Union => {
                vlen = rows;
                for i in 0..rows {
                    words.extend([w.string(random.pick(&MEMBERS)), random.below(count + 1), i * 32]);
                }
            }
            Kind::Enum | Kind::Enum64 => {
                vlen = rows;
                for _ in 0..rows {
                    words.extend([w.string(random.pick(&NAMES)), random.below(9)]);
                    words.extend((kind == Kind::Enum64).then_some(0));
                }
            }
            Kind::FuncProto => {
                vlen = rows;
                for _ in 0..rows {
                    words.extend([w.string(random.pick(&MEMBERS)), random.below(count + 1)]);
                }
            }
            Kind::Array => words.extend([any, 1, random.below(3)]),
            Kind::Int => words.push(random.below(2) << 24 | 32),
            Kind::Var => words.push(1),
            _ => {}
        }
        let refers = kind.refers_to_type();
        // modifiers refer to what is behind them in the order of ids, so that their chains end
        let target = if kind.is_modifier() { random.below(w.next_id().0) } else { any };
        let size = if kind == Kind::Array || kind == Kind::Fwd { 0 } else { 4 << random.below(2) };
        w.push(name, kind, false, vlen, if refers { target } else { size }, &words);
    }
    w.finish()
}

/// Relocations of every kind on every type of `local`.
fn relos(random: &mut Random, local: &OwnedBtf, access: &[(u32, &str)]) -> Vec<CoreRelo> {
    let view = local.view();
    let mut out = Vec::new();
    for t in view.own_types() {
        for kind in (0..=12).filter_map(|n| ReloKind::from_number(n).ok()) {
            let of_type = if kind.is_type() { 0 } else { random.below(access.len() as u32) };
            let access_str_off = access[of_type as usize].0;
            out.push(CoreRelo { insn: 0, type_id: t.id, access_str_off, kind });
        }
    }
    out
}

/// An object of the types in `bytes`, and relocations on them.
pub(crate) fn object(
    random: &mut Random,
    endian: Endian,
    mut bytes: Vec<u8>,
) -> Option<(OwnedBtf, Vec<CoreRelo>)> {
    const ACCESS: [&str; 6] = ["0", "0:0", "0:1", "0:2", "0:0:0", "0:1:0:1"];
    // the strings are the last part: more of them can be appended
    let mut len = match endian {
        Endian::Little => u32::from_le_bytes(bytes[20..24].try_into().unwrap()),
        Endian::Big => u32::from_be_bytes(bytes[20..24].try_into().unwrap()),
    };
    let mut access = Vec::new();
    for text in ACCESS {
        access.push((len, text));
        bytes.extend(text.bytes().chain([0]));
        len += text.len() as u32 + 1;
    }
    bytes[20..24].copy_from_slice(&endian.from_u32(len));
    let local = OwnedBtf::from_bytes(bytes).ok()?;
    let relos = relos(random, &local, &access);
    Some((local, relos))
}

fn minimum(kernel: &OwnedBtf, local: &OwnedBtf, relos: &[CoreRelo]) -> (Vec<u8>, usize) {
    let types = KernelTypes::new(kernel.view());
    let marks = subset::marks(&local.view(), &types, relos.iter());
    let subset = subset::write(types.btf(), &marks, true).unwrap();
    (subset.bytes, subset.types)
}

#[test]
fn the_minimum_of_the_excerpt_is_that_of_the_whole() {
    let (mut tried, mut kept, mut smaller) = (0, 0, 0);
    for seed in 0..8 {
        let mut random = Random(seed);
        let endian = if seed % 2 == 0 { Endian::Little } else { Endian::Big };
        let bytes = types(&mut random, endian, 60, &KINDS);
        let Ok(whole) = OwnedBtf::from_bytes(bytes.clone()) else { continue };
        // an object of the kernel's own types matches to any depth, one of others at the surface
        let own = if seed % 4 < 2 { bytes.clone() } else { types(&mut random, endian, 20, &KINDS) };
        let Some((local, relos)) = object(&mut random, endian, own) else { continue };
        // all of them, and each alone: what others keep must not be what makes it right
        let alone = relos.chunks(1 + random.below(40) as usize);
        for relos in alone.chain([&relos[..]]) {
            let mut wanted = Wanted::default();
            wanted.add(&local.view(), relos.iter());
            assert!(!wanted.add(&local.view(), relos.iter()), "the same again is no news");
            let part = excerpt(&Source::Memory(&bytes), &wanted).unwrap();
            let (expected, count) = minimum(&whole, &local, relos);
            assert_eq!(minimum(&part, &local, relos).0, expected, "seed {seed}");
            tried += 1;
            kept += count;
            smaller += usize::from(part.view().id_end() < whole.view().id_end() / 2);
        }
    }
    assert!(tried > 200 && kept > 2 * tried && smaller > tried / 4, "{tried} {kept} {smaller}");
}

/// Types and strings of several chunks, names that pass a chunk's end, and names longer than what is read at once.
#[test]
fn chunks_have_no_seams() {
    let long = "l".repeat(500);
    let mut w = BtfWriter::new(Endian::Little);
    for i in 0..12_000 {
        let filler = w.string(&format!("{}_{i}", &long[..i % 60]));
        w.push(&format!("s{i}"), Kind::Struct, false, 2, 8, &[filler, 0, 0, filler, 0, 32]);
        if i % 40 == 0 {
            w.push(&format!("{long}{i}"), Kind::Struct, false, 0, i as u32, &[]);
        }
    }
    let bytes = w.finish();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k.btf");
    std::fs::write(&path, &bytes).unwrap();
    let file = Source::raw(&path).unwrap().unwrap();
    let whole = OwnedBtf::from_bytes(bytes.clone()).unwrap();
    assert!(bytes.len() > 600 << 10);

    let mut local = BtfWriter::new(Endian::Little);
    let names =
        (0..12_000).step_by(7).map(|i| format!("s{i}")).chain((0..300).map(|i| format!("{long}{}", i * 40)));
    let mut ids = Vec::new();
    for name in names {
        ids.push(local.push(&name, Kind::Struct, false, 0, 8, &[]));
    }
    let access_str_off = local.string("0");
    let local = OwnedBtf::from_bytes(local.finish()).unwrap();
    let relo = |type_id: TypeId| CoreRelo { insn: 0, type_id, access_str_off, kind: ReloKind::TypeMatches };
    let relos: Vec<_> = ids.into_iter().map(relo).collect();
    let mut wanted = Wanted::default();
    wanted.add(&local.view(), relos.iter());
    let (expected, count) = minimum(&whole, &local, &relos);
    assert!(count > 2000, "{count}");
    for source in [&Source::Memory(&bytes), &file] {
        let part = excerpt(source, &wanted).unwrap();
        assert_eq!(minimum(&part, &local, &relos).0, expected);
    }
}

#[test]
fn any_bytes_give_a_result_or_an_error() {
    let mut random = Random(7);
    let bytes = types(&mut random, Endian::Little, 60, &KINDS);
    let (local, relos) = object(&mut random, Endian::Little, bytes.clone()).unwrap();
    let mut wanted = Wanted::default();
    wanted.add(&local.view(), relos.iter());
    for cut in 0..bytes.len() {
        assert!(excerpt(&Source::Memory(&bytes[..cut]), &wanted).is_err(), "cut at {cut}");
    }
    let (mut good, mut bad) = (0, 0);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            match excerpt(&Source::Memory(&changed), &wanted) {
                Ok(_) => good += 1,
                Err(_) => bad += 1,
            }
        }
    }
    assert!(good > 100 && bad > 100, "{good} {bad}");
}

#[test]
fn errors_say_where_in_the_blob() {
    let mut w = BtfWriter::new(Endian::Little);
    w.push("task", Kind::Struct, false, 0, 4, &[]);
    let mut bytes = w.finish();
    bytes[24] = 200;
    let error = excerpt(&Source::Memory(&bytes), &Wanted::default()).unwrap_err().to_string();
    // 24 bytes of header, 12 of types, 200 of strings, which end before
    assert!(error.contains(&format!("at byte {}", bytes.len())), "{error}");
}
