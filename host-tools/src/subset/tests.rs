//! Relocating through a minimum gives what relocating through the whole gives, for made-up kernels and objects; and of
//! types that are matched, no more is kept than matching looks at.

use super::{BtfWriter, KernelTypes, marks, write};
use crate::btf::OwnedBtf;
use crate::btf::excerpt::tests::{KINDS, Random, object, types};
use corelet_core::btf::{Btf, Kind};
use corelet_core::relo::{CandList, Cands, CoreRelo, Outcome, PoisonReason, ReloKind, Relocator, Scratch};
use corelet_core::{Endian, Error, TypeId};

/// `r0 = imm`
fn insn(endian: Endian, imm: u32) -> Vec<u8> {
    [vec![0xb7, 0, 0, 0], endian.from_u32(imm).to_vec()].concat()
}

/// What becomes of an instruction that holds what the object's types give, ids of the target's types left out.
fn outcome(local: &Btf<'_>, target: &OwnedBtf, relo: &CoreRelo) -> String {
    let target = KernelTypes::new(target.view());
    let mut imm = 0;
    loop {
        let (mut lists, mut pool) = ([CandList::default()], vec![TypeId::VOID; 100]);
        let mut relocator = Relocator {
            local,
            target: &target,
            cands: Cands::new(&mut lists, &mut pool),
            scratch: &mut Scratch::default(),
        };
        let mut insns = insn(local.endian(), imm);
        return match relocator.relocate(relo, &mut insns, local.endian(), &mut ()) {
            Err(Error::UnexpectedValue { found, expected }) if found != expected && imm == 0 => {
                imm = expected;
                continue;
            }
            // a candidate that does not match is not kept
            Ok(Outcome::Poisoned(PoisonReason::NoCandidate | PoisonReason::NoMatch)) => "none".to_owned(),
            Ok(other) => format!("{other:?} {insns:x?}"),
            Err(error) => format!("{error:?}").split(' ').next().unwrap_or_default().to_owned(),
        };
    }
}

#[test]
fn through_the_minimum_as_through_the_whole() {
    let (mut tried, mut matched) = (0, [0; 13]);
    // no field has a variable's type
    let kinds = KINDS.split_last().unwrap().1;
    for seed in 1000..1012 {
        let mut random = Random(seed);
        let endian = if seed % 2 == 0 { Endian::Little } else { Endian::Big };
        let bytes = types(&mut random, endian, 60, kinds);
        let Ok(whole) = OwnedBtf::from_bytes(bytes.clone()) else { continue };
        let own = if seed % 4 < 3 { bytes } else { types(&mut random, endian, 20, kinds) };
        let Some((local, relos)) = object(&mut random, endian, own) else { continue };
        let local = local.view();
        for relos in relos.chunks(1 + random.below(30) as usize) {
            let marks = marks(&local, &KernelTypes::new(whole.view()), relos.iter());
            let subset = write(&whole.view(), &marks, true).unwrap();
            let subset =
                OwnedBtf::from_bytes(subset.bytes).unwrap().with_pointer_size(whole.view().pointer_size());
            for relo in relos.iter().filter(|r| r.kind != ReloKind::TypeIdTarget) {
                let expected = outcome(&local, &whole, relo);
                assert_eq!(outcome(&local, &subset, relo), expected, "seed {seed}: {relo:?}");
                tried += 1;
                matched[relo.kind as usize] += usize::from(expected.contains("matched: true"));
            }
        }
    }
    // all but the ids of the target's types
    let kinds = matched.iter().filter(|&&n| n > 10).count();
    assert!(tried > 2000 && kinds >= 10, "{tried} {matched:?}");
}

/// A struct and an enum of ten, of which an object knows two, and the size of what is kept for each question.
#[test]
fn of_a_matched_type_only_what_matching_looks_at() {
    let names: Vec<String> = (0..10).map(|i| format!("m{i}")).collect();
    let build = |names: &[&str]| {
        let mut w = BtfWriter::new(Endian::Little);
        let int = w.push("int", Kind::Int, false, 0, 4, &[32]);
        let members: Vec<u32> =
            (0..).zip(names).flat_map(|(i, name)| [w.string(name), int.0, i * 32]).collect();
        let composite = w.push("s", Kind::Struct, false, names.len() as u32, 40, &members);
        let values: Vec<u32> = (0..).zip(names).flat_map(|(i, name)| [w.string(name), i]).collect();
        let of_values = w.push("e", Kind::Enum, false, names.len() as u32, 4, &values);
        let zero = w.string("0");
        (OwnedBtf::from_bytes(w.finish()).unwrap(), [composite, of_values], zero)
    };
    let (whole, ..) = build(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let kept = |local: &[&str]| {
        let (local, roots, access_str_off) = build(local);
        roots.map(|type_id| {
            let relo = CoreRelo { insn: 0, type_id, access_str_off, kind: ReloKind::TypeMatches };
            let marks = marks(&local.view(), &KernelTypes::new(whole.view()), [relo].iter());
            let subset = OwnedBtf::from_bytes(write(&whole.view(), &marks, false).unwrap().bytes).unwrap();
            assert_eq!(outcome(&local.view(), &subset, &relo), outcome(&local.view(), &whole, &relo));
            let view = subset.view();
            let of = |t: corelet_core::btf::Type<'_>| -> Vec<String> {
                let members = t.members().map(|m| m.name_off);
                let values = t.enumerators().map(|e| e.name_off);
                members.chain(values).map(|off| view.string(off).to_owned()).collect()
            };
            view.own_types().find(|t| t.kind() != Kind::Int).map(of)
        })
    };
    let both =
        |names: &[&str]| [(); 2].map(|()| Some(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()));
    assert_eq!(kept(&["m7", "m3"]), both(&["m3", "m7"]));
    // two flavors of one member ask for one, but a type of one has not two
    assert_eq!(kept(&["m3___a", "m3___b"]), both(&["m0", "m3"]));
    assert_eq!(kept(&["other"]), [None, None], "what does not match is not kept");
}
