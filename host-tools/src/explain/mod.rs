//! What relocation does to an object, and why: for each relocation the access in C, where the field lies on both sides,
//! which candidates there were and why each was dropped, and the instruction before and after.
//!
//! Nothing is computed a second time: [`relocate`](crate::relocate) runs as always, and an observer writes down what the
//! engine says of each candidate.

mod access;
mod place;
mod text;
mod why;

pub use place::Place;
pub use text::write;

use crate::disasm::{self, Helpers, Names};
use crate::relocate::{Lines, Program, Relo, Watcher, core_relo, watched};
use crate::subset::KernelTypes;
use anyhow::Result;
use corelet_core::btf::names::essential;
use corelet_core::object::Object;
use corelet_core::relo::{Mismatch, Observer, Scratch, Spec, TargetTypes};
use corelet_core::{TypeId, insn};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Why a relocation came out as it did.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// What is accessed or asked, in C.
    pub access: String,
    /// The source line's text, without its indentation; empty where the object does not have it.
    pub line: String,
    /// The place in the object's types, where the relocation is about one.
    pub local: Option<Place>,
    /// The place in the target's.
    pub target: Option<Place>,
    /// Every candidate of the target, those that earlier relocations ruled out too.
    pub candidates: Vec<Candidate>,
    /// The instruction as it was compiled.
    pub before: String,
    /// As it is after relocation.
    pub after: String,
}

/// One of the target's types of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Its id.
    pub id: u32,
    /// Its name, with its kind.
    pub name: String,
    /// Whether it has what is asked for.
    pub fits: bool,
    /// The value that it gives; none for one that does not fit.
    pub value: Option<u64>,
    /// Why it does not fit, as a phrase behind its name.
    pub dropped: Option<String>,
}

/// Relocates the functions of `object` for which `chosen` says so, and explains each relocation: a list for each program,
/// beside its [`Program::relocations`].
///
/// # Errors
/// As [`crate::relocate::relocate`].
pub fn explain(
    object: &Object<'_>,
    target: &KernelTypes<'_>,
    chosen: &dyn Fn(u32) -> bool,
) -> Result<(Vec<Program>, Vec<Vec<Explanation>>)> {
    let functions: Vec<_> = object.functions().collect();
    let mut watch = Watch {
        object,
        target,
        lines: Lines::of(object)?,
        read: read(object)?,
        helpers: Helpers::of(target.btf()),
        original: functions.iter().map(|f| f.insns).collect(),
        out: vec![Vec::new(); functions.len()],
        mismatches: Vec::new(),
        looked_at: Vec::new(),
        dropped: BTreeMap::new(),
    };
    let programs = watched(object, target, chosen, &mut watch)?;
    Ok((programs, watch.out))
}

/// The structs of which each function reads a field, by the names of the field.
type Read<'o> = BTreeMap<(u32, Vec<&'o str>), BTreeSet<TypeId>>;

fn read<'o>(object: &Object<'o>) -> Result<Read<'o>> {
    let mut out = Read::new();
    let mut spec = Spec::default();
    for relo in object.core_relos() {
        let relo = relo?;
        // what is malformed is reported when it is relocated
        let Ok(r) = core_relo(&relo) else { continue };
        if r.kind.is_field() && spec.parse(object.btf(), r.type_id, r.access_str_off, r.kind).is_ok() {
            let names = access::names(object.btf(), &spec);
            out.entry((relo.function, names)).or_default().insert(spec.root);
        }
    }
    Ok(out)
}

/// The observer.
struct Watch<'x, 'o, 'k> {
    object: &'x Object<'o>,
    target: &'x KernelTypes<'k>,
    lines: Lines<'o>,
    read: Read<'o>,
    helpers: Helpers<'x>,
    /// Instructions of each function as compiled.
    original: Vec<&'o [u8]>,
    out: Vec<Vec<Explanation>>,
    /// What was said since the last candidate.
    mismatches: Vec<Mismatch>,
    /// The candidates of the relocation at hand.
    looked_at: Vec<LookedAt>,
    /// Candidates that relocations ruled out for later ones, by local type.
    dropped: BTreeMap<TypeId, Vec<Candidate>>,
}

struct LookedAt {
    id: TypeId,
    verdict: corelet_core::Result<bool>,
    mismatches: Vec<Mismatch>,
    place: Option<Spec>,
    value: Option<u64>,
}

impl Observer for Watch<'_, '_, '_> {
    fn mismatch(&mut self, why: Mismatch) {
        self.mismatches.push(why);
    }

    fn candidate(&mut self, id: TypeId, verdict: corelet_core::Result<bool>) {
        let mismatches = std::mem::take(&mut self.mismatches);
        self.looked_at.push(LookedAt { id, verdict, mismatches, place: None, value: None });
    }

    fn fits<const LEN: usize>(&mut self, place: &Spec<LEN>, value: Option<u64>) {
        if let Some(last) = self.looked_at.last_mut() {
            // the PC's scratch has room for the longest access string, so `LEN` is that of the default
            let place = Spec {
                kind: place.kind,
                root: place.root,
                points: place.points.iter().copied().collect(),
                raw: place.raw.iter().copied().collect(),
                bit_offset: place.bit_offset,
            };
            (last.place, last.value) = (Some(place), value);
        }
    }
}

impl Watcher for Watch<'_, '_, '_> {
    fn done(&mut self, relo: &Relo, program: &Program, scratch: &Scratch) {
        let local = scratch.local();
        let (local_btf, target_btf) = (self.object.btf(), self.target.btf());
        let looked_at = std::mem::take(&mut self.looked_at);
        let first = looked_at.iter().find_map(|l| l.place.as_ref());
        let line = self.lines.text(relo.function, relo.insn).trim();
        let mut candidates: Vec<Candidate> = looked_at.iter().map(|l| self.judged(l, local)).collect();
        if !candidates.iter().any(|c| c.fits) {
            candidates.extend(self.of_other_kinds(local));
        } else {
            let by = format!("(by relo #{} of {}, for all later ones)", relo.number, program.name);
            let losers = candidates.iter().filter(|c| !c.fits).cloned();
            let losers: Vec<Candidate> = losers
                .map(|c| Candidate { dropped: c.dropped.map(|why| format!("{why} {by}")), ..c })
                .collect();
            let dropped = self.dropped.entry(local.root).or_default();
            candidates.extend_from_slice(dropped);
            dropped.extend(losers);
        }
        let endian = self.object.endian();
        let shown = |insns: &[u8]| self.instruction(insns, relo.insn, endian);
        let explanation = Explanation {
            access: access::in_c(local_btf, local, line, &self.other_lines(relo, local)),
            line: line.to_owned(),
            local: Place::of(local_btf, local),
            target: first.and_then(|spec| Place::of(target_btf, spec)),
            candidates,
            before: shown(self.original.get(relo.function as usize).copied().unwrap_or_default()),
            after: shown(&program.insns.bytes),
        };
        if let Some(out) = self.out.get_mut(relo.function as usize) {
            out.push(explanation);
        }
    }
}

impl Watch<'_, '_, '_> {
    /// Other source lines of the function, if the names of the field are those of one struct there.
    fn other_lines(&self, relo: &Relo, local: &Spec) -> Vec<&str> {
        let names = access::names(self.object.btf(), local);
        match self.read.get(&(relo.function, names)) {
            Some(roots) if roots.len() == 1 => self.lines.near(relo.function, relo.insn),
            _ => Vec::new(),
        }
    }

    fn judged(&self, looked_at: &LookedAt, local: &Spec) -> Candidate {
        let target_btf = self.target.btf();
        let dropped = match looked_at.verdict {
            Ok(true) => None,
            Ok(false) => {
                Some(why::dropped(self.object.btf(), local, target_btf, looked_at.id, &looked_at.mismatches))
            }
            Err(e) => Some(e.to_string()),
        };
        Candidate {
            id: self.target.kernel_id(looked_at.id).unwrap_or(looked_at.id).0,
            name: why::tagged(target_btf, looked_at.id),
            fits: dropped.is_none(),
            value: looked_at.value,
            dropped,
        }
    }

    /// Types of the name that is wanted, that no candidate can be since they are something else.
    fn of_other_kinds(&self, local: &Spec) -> Vec<Candidate> {
        let (local_btf, target_btf) = (self.object.btf(), self.target.btf());
        let Ok(root) = local_btf.ty(local.root) else { return Vec::new() };
        let others = self.target.named(essential(local_btf.name(&root))).iter().filter(|&&id| {
            target_btf.ty(id).is_ok_and(|t| !corelet_core::relo::kinds_compat(root.kind(), t.kind()))
        });
        others
            .map(|&id| Candidate {
                id: id.0,
                name: why::tagged(target_btf, id),
                fits: false,
                value: None,
                dropped: Some(format!("is another kind of type than a {}", root.kind().name())),
            })
            .collect()
    }

    fn instruction(&self, insns: &[u8], at: u32, endian: corelet_core::Endian) -> String {
        let Ok(first) = insn::read(insns, at, endian) else { return String::new() };
        let second = insn::read(insns, at + 1, endian).ok();
        disasm::text(first, second, &Names { helpers: &self.helpers, referent: None })
    }
}
