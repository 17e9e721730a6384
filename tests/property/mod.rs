//! For generated pairs of types, relocating through the subset equals relocating through the whole: every outcome, every
//! instruction, for every choice of programs. How many cases of each kind that met is counted, and too few are a failure:
//! a generator that runs dry would prove nothing.
//!
//! The numbers come from fixed seeds, so a failure names the round that repeats it.

mod generate;

use corelet_core::btf::{Btf, names};
use corelet_core::insn::{Insn, class};
use corelet_core::pack::{self, Records, section};
use corelet_core::relo::{
    CandList, Cands, CoreRelo, Known, Outcome, PoisonReason, ReloKind, Relocator, Scratch, TargetTypes,
};
use corelet_core::{Endian, Error, TypeId};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::pack::Section;
use corelet_host_tools::subset::{self, BtfWriter, KernelTypes};
use generate::{Random, Root};
use std::collections::BTreeMap;

const ROUNDS: u64 = 800;

/// A pair of types, and relocations between them.
struct Pair {
    local: OwnedBtf,
    target: OwnedBtf,
    relos: Vec<(CoreRelo, Vec<u8>)>,
}

/// A local and a target's BTF.
pub(crate) fn generated(seed: u64) -> [OwnedBtf; 2] {
    let pair = Pair::generate(&mut Random::new(seed));
    [pair.local, pair.target]
}

/// What a relocation came to, as the counts have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    Patched,
    Absent,
    Poisoned,
    MemSize,
    Resized,
    Ambiguous,
    OtherError,
}

fn met(outcome: &Result<Outcome, Error>) -> Met {
    match outcome {
        Ok(Outcome::Patched { mem_size: Some(_), .. }) => Met::Resized,
        Ok(Outcome::Patched { matched: true, .. }) => Met::Patched,
        Ok(Outcome::Patched { .. }) => Met::Absent,
        Ok(Outcome::Poisoned(PoisonReason::MemSize { .. })) => Met::MemSize,
        Ok(Outcome::Poisoned(_)) => Met::Poisoned,
        Err(Error::Ambiguous { .. }) => Met::Ambiguous,
        Err(_) => Met::OtherError,
    }
}

/// Outcomes are equal; of errors the sort is, since types have other numbers in a subset.
fn same(a: &Result<Outcome, Error>, b: &Result<Outcome, Error>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => match (a, b) {
            // of a candidate that does not match, a subset keeps nothing
            (Outcome::Poisoned(a), Outcome::Poisoned(b)) => {
                let missing = |p: &PoisonReason| !matches!(p, PoisonReason::MemSize { .. });
                a == b || missing(a) && missing(b)
            }
            _ => a == b,
        },
        (Err(a), Err(b)) => std::mem::discriminant(a) == std::mem::discriminant(b),
        _ => false,
    }
}

impl Pair {
    fn generate(r: &mut Random) -> Pair {
        let endian = if r.chance(50) { Endian::Little } else { Endian::Big };
        let pointer = if r.chance(30) { 4 } else { 8 };
        let roots: Vec<Root> = (0..1 + r.below(3)).map(|i| Root::any(r, &format!("root{i}"))).collect();
        let (mut local, mut target) = (BtfWriter::new(endian), BtfWriter::new(endian));
        for root in &roots {
            root.0.write(&mut local, 8);
            let mut last = root.clone();
            for i in 0..r.below(4) {
                // a twin of the one before now and then, which is not ambiguous
                if i == 0 || r.chance(70) {
                    last = root.changed(r);
                }
                let flavor = if i == 0 { String::new() } else { format!("___{i}") };
                last.flavored(&flavor).0.write(&mut target, pointer);
            }
        }
        let local = OwnedBtf::from_bytes(local.finish()).unwrap().with_pointer_size(8);
        let target = OwnedBtf::from_bytes(target.finish()).unwrap().with_pointer_size(pointer as u8);
        let mut pair = Pair { local, target, relos: Vec::new() };
        pair.ask(r);
        pair
    }

    /// Adds relocations of every kind that each root can have, on instructions that hold the local value.
    fn ask(&mut self, r: &mut Random) {
        let local = self.local.view();
        // the strings of access strings are the local BTF's: it is written anew with them
        let mut writer = BtfWriter::new(local.endian());
        writer.push_split(&local, &BTreeMap::new()).unwrap();
        let mut wanted = Vec::new();
        for t in local.own_types().filter(|t| local.name(t).starts_with("root")) {
            for kind in ReloKind::ALL {
                for _ in 0..if kind.is_field() && kind != ReloKind::FieldExists { 3 } else { 1 } {
                    if let Some(access) = access(&local, t.id, kind, r) {
                        wanted.push((t.id, writer.string(&access), kind));
                    }
                }
            }
        }
        self.local = OwnedBtf::from_bytes(writer.finish()).unwrap().with_pointer_size(8);
        for (type_id, access_str_off, kind) in wanted {
            let relo = CoreRelo { insn: 0, type_id, access_str_off, kind };
            if let Some(insns) = instruction(&self.local.view(), &relo, r) {
                self.relos.push((relo, insns));
            }
        }
    }

    /// Relocates the chosen relocations, in order, through `target`; with answers that are kept it comes to the same.
    fn relocate(&self, target: &impl TargetTypes, chosen: &[bool]) -> Vec<(Result<Outcome, Error>, Vec<u8>)> {
        let local = self.local.view();
        let tables = || (vec![CandList::default(); 64], vec![TypeId::VOID; 256]);
        let (mut lists, mut pool) = tables();
        let mut scratch = Scratch::default();
        let cands = Cands::new(&mut lists, &mut pool);
        let mut relocator = Relocator { local: &local, target, cands, scratch: &mut scratch };
        let (mut lists, mut pool) = tables();
        let (cands, mut scratch) = (Cands::new(&mut lists, &mut pool), Scratch::default());
        let mut keeping = Relocator { local: &local, target, cands, scratch: &mut scratch };
        // fewer than there are questions, so that answers make room for others
        let mut known = [Known::default(); 5];
        let chosen = self.relos.iter().zip(chosen).filter(|(_, chosen)| **chosen);
        chosen
            .map(|((relo, compiled), _)| {
                let mut insns = compiled.clone();
                let outcome = relocator.relocate(relo, &mut insns, local.endian(), &mut ());
                for _ in 0..2 {
                    let mut same = compiled.clone();
                    let kept = keeping.relocate_known(&mut known, relo, &mut same, local.endian());
                    assert_eq!((kept, same), (outcome, insns.clone()), "{relo:?}");
                }
                (outcome, insns)
            })
            .collect()
    }
}

/// Whether the last point of a relocation is a bitfield in the local type.
fn is_bitfield(local: &Btf<'_>, relo: &CoreRelo) -> bool {
    let mut spec = corelet_core::relo::Spec::default();
    let parsed = spec.parse(local, relo.type_id, relo.access_str_off, relo.kind);
    let last = spec.points.last().filter(|p| p.named && parsed.is_ok() && relo.kind.is_field());
    last.is_some_and(|p| {
        local.ty(p.type_id).is_ok_and(|t| t.member(p.index).is_some_and(|m| m.bitfield_size > 0))
    })
}

/// An access string for a relocation of `kind` on `root`; `None` where it can have none.
fn access(btf: &Btf<'_>, root: TypeId, kind: ReloKind, r: &mut Random) -> Option<String> {
    if kind.is_type() {
        return Some("0".to_owned());
    }
    let mut t = btf.skip_mods(root).ok()?;
    if kind.is_enumval() {
        return (t.kind().is_enum() && t.vlen() > 0).then(|| r.below(t.vlen()).to_string());
    }
    // an access that ends on an element has neither sign nor shifts
    let whole =
        |kind| matches!(kind, ReloKind::FieldByteOffset | ReloKind::FieldByteSize | ReloKind::FieldExists);
    let mut out = if whole(kind) && r.chance(10) { r.below(3) } else { 0 }.to_string();
    let mut named = false;
    for _ in 0..12 {
        if let Some(array) = t.array() {
            if named && (!whole(kind) || r.chance(30)) {
                break;
            }
            let end = if array.nelems == 0 { 3 } else { array.nelems };
            out.push_str(&format!(":{}", r.below(end)));
            t = btf.skip_mods(array.elem).ok()?;
            named = false;
        } else if t.kind().is_composite() && t.vlen() > 0 {
            if named && r.chance(25) {
                break;
            }
            let index = r.below(t.vlen());
            let member = t.member(index)?;
            out.push_str(&format!(":{index}"));
            named = member.name_off != 0;
            t = btf.skip_mods(member.ty).ok()?;
        } else {
            break;
        }
    }
    (named || whole(kind)).then_some(out)
}

/// An instruction that holds the local value of `relo`, of a form that compilers use for it; `None` where the relocation is
/// malformed, as one is that goes into a bitfield of more than 8 bytes.
fn instruction(local: &Btf<'_>, relo: &CoreRelo, r: &mut Random) -> Option<Vec<u8>> {
    let mut spec = corelet_core::relo::Spec::default();
    spec.parse(local, relo.type_id, relo.access_str_off, relo.kind).ok()?;
    let wide = |value: u64| {
        let (low, high) = (value as i32, (value >> 32) as i32);
        let first = Insn { code: corelet_core::insn::LD_IMM64, dst: 1, src: 0, off: 0, imm: low };
        [first, Insn { imm: high, ..Insn::ZERO }].iter().flat_map(|i| i.encode(local.endian())).collect()
    };
    if relo.kind == ReloKind::EnumvalValue {
        let point = spec.points.first()?;
        let value = local.ty(point.type_id).ok()?.enumerator(point.index)?.value;
        return Some(wide(value));
    }
    // what it must hold is what relocation against the local types themselves says
    let plain = |imm| Insn { code: 0xb7, dst: 1, src: 0, off: 0, imm };
    let mut probe = plain(0x7777_7777).encode(local.endian()).to_vec();
    let (mut lists, mut pool) = ([CandList::default()], [TypeId::VOID]);
    let mut scratch = Scratch::default();
    let cands = Cands::new(&mut lists, &mut pool);
    let mut relocator = Relocator { local, target: local, cands, scratch: &mut scratch };
    let value = match relocator.relocate(relo, &mut probe, local.endian(), &mut ()) {
        Ok(Outcome::Patched { new, .. }) => {
            // what an instruction must have held is known but for these
            let place = matches!(
                relo.kind,
                ReloKind::FieldByteOffset | ReloKind::FieldByteSize | ReloKind::FieldLshiftU64
            );
            let id = matches!(relo.kind, ReloKind::TypeIdLocal | ReloKind::TypeIdTarget);
            assert!(id || place && is_bitfield(local, relo), "{relo:?} took any value");
            new
        }
        Err(Error::UnexpectedValue { expected, .. }) => expected.into(),
        _ => return None,
    };
    if relo.kind != ReloKind::FieldByteOffset || r.chance(20) {
        return Some(if r.chance(20) {
            wide(value)
        } else {
            plain(value as i32).encode(local.endian()).to_vec()
        });
    }
    let point = spec.points.last()?;
    let mut ty = match point.named {
        true => local.ty(point.type_id).ok()?.member(point.index)?.ty,
        false => point.type_id,
    };
    while let Some(array) = local.skip_mods(ty).ok()?.array() {
        ty = array.elem;
    }
    let size = match local.size_of(ty).ok()? {
        1 => 0x10,
        2 => 0x08,
        4 => 0x00,
        _ => 0x18,
    };
    let class = [class::LDX, class::STX, class::ST][r.below(3) as usize];
    let insn = Insn { code: 0x60 | size | class, dst: 1, src: 2, off: i16::try_from(value).ok()?, imm: 5 };
    Some(insn.encode(local.endian()).to_vec())
}

#[test]
fn the_subset_gives_what_the_whole_gives() {
    let mut counts: BTreeMap<(ReloKind, Met), usize> = BTreeMap::new();
    let mut bitfields: BTreeMap<ReloKind, usize> = BTreeMap::new();
    let (mut small, mut large) = (0, 0);
    for seed in 1..=ROUNDS {
        let mut r = Random::new(seed);
        let pair = Pair::generate(&mut r);
        let types = KernelTypes::new(pair.target.view());
        let local = pair.local.view();
        let marks = subset::marks(&local, &types, pair.relos.iter().map(|(relo, _)| relo));
        let written = subset::write(&pair.target.view(), &marks, false).unwrap();
        let ids = written.kernel_ids.iter().map(|&(subset, kernel)| pack::KernelId { subset, kernel });
        let ids = Section::records(section::IDS, 0, ids).unwrap();
        assert!(Records::<pack::KernelId>::new(&ids.bytes, section::IDS).all(|r| r.is_ok()));
        (small, large) = (small + written.bytes.len(), large + pair.target.bytes().len());
        let cut = OwnedBtf::from_bytes(written.bytes).unwrap();
        let cut = cut.with_pointer_size(pair.target.view().pointer_size());
        let through = pack::Subset::new(cut.view(), &ids.bytes);
        // all programs, then some: which candidates stay depends on who is loaded
        for round in 0..4 {
            let chosen: Vec<bool> = pair.relos.iter().map(|_| round == 0 || r.chance(50)).collect();
            let whole = pair.relocate(&types, &chosen);
            let less = pair.relocate(&through, &chosen);
            let asked = pair.relos.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
            for (((relo, _), _), (a, b)) in asked.zip(whole.iter().zip(&less)) {
                let what = || {
                    let name = names::essential(local.name(&local.ty(relo.type_id).unwrap()));
                    let access = local.string(relo.access_str_off);
                    format!("seed {seed}, choice {round}: {:?} of {name} {access}: {a:?}, {b:?}", relo.kind)
                };
                assert!(same(&a.0, &b.0), "{}", what());
                assert_eq!(a.1, b.1, "{}", what());
                *counts.entry((relo.kind, met(&a.0))).or_default() += 1;
                *bitfields.entry(relo.kind).or_default() += usize::from(is_bitfield(&local, relo));
            }
        }
    }
    assert!(small * 2 < large, "{small} bytes of {large}");
    let mut few = Vec::new();
    for kind in ReloKind::ALL {
        let field = kind.is_field() && kind != ReloKind::FieldExists;
        let enumval = kind == ReloKind::EnumvalValue;
        let mut least = vec![(Met::Patched, 200)];
        if field || enumval {
            least.push((Met::Poisoned, 100));
        } else if kind != ReloKind::TypeIdLocal {
            least.push((Met::Absent, 100));
        }
        // of what only exists or not, all candidates say the same: a place can be ambiguous, a type cannot
        let exists = matches!(kind, ReloKind::TypeExists | ReloKind::TypeMatches | ReloKind::EnumvalExists);
        if !exists && kind != ReloKind::TypeIdLocal {
            least.push((Met::Ambiguous, 50));
        }
        if kind == ReloKind::FieldByteOffset {
            least.extend([(Met::Resized, 50), (Met::MemSize, 50)]);
        }
        for (met, least) in least {
            let count = counts.get(&(kind, met)).copied().unwrap_or(0);
            if count < least {
                few.push(format!("{kind:?} {met:?}: {count}, not {least}"));
            }
        }
        let count = bitfields.get(&kind).copied().unwrap_or(0);
        if kind.is_field() && count < 100 {
            few.push(format!("{kind:?} of bitfields: {count}, not 100"));
        }
    }
    assert!(few.is_empty(), "{few:#?}");
}
