//! What an object has to do with a kernel's types: each field, enumerator, function and tracepoint that its programs touch,
//! and what relocation makes of it on one kernel and on the other.

use super::{Change, PartChange, TypeChange};
use crate::explain::explain;
use crate::relocate::{Program, Relo, Relocation, Verdict, core_relo, relocate};
use crate::subset::KernelTypes;
use anyhow::{Context, Result};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, names::essential};
use corelet_core::limits::MAX_RESOLVE_DEPTH;
use corelet_core::object::Object;
use corelet_core::relo::{ReloKind, Spec};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A kind as [`super::describe`] has it, a name, and of a type with parts the part.
type Place = (&'static str, String, String);

/// One relocation or attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Use {
    /// The object's file.
    pub object: String,
    /// The program or subprogram.
    pub program: String,
    /// File and line, where the object says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The access in C, or what the program is attached to.
    pub access: String,
    /// Kind of the relocation in libbpf's words; `attach` for an attachment.
    pub kind: &'static str,
    /// What relocation makes of it before and after; none for an attachment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fates: Option<[Fate; 2]>,
}

/// What becomes of one relocation on one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// What becomes of the instruction.
    pub outcome: Verdict,
    /// The value that it gets.
    pub value: Option<u64>,
    /// Bytes of its load or store, where they change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_sz: Option<u32>,
    /// Why it is poisoned or fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Fate {
    fn of(r: &Relocation) -> Fate {
        Fate { outcome: r.outcome, value: r.new, mem_sz: r.mem_sz, reason: r.reason.clone() }
    }
}

/// What objects do, by place.
#[derive(Debug, Default)]
pub struct Uses {
    by_place: BTreeMap<Place, BTreeSet<usize>>,
    all: Vec<Use>,
}

/// What relocation makes of an object, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The object's file.
    pub object: String,
    /// Its relocations.
    pub relocations: usize,
    /// Those that give another value after, without a word: the program reads another offset, or takes another answer.
    pub silently: usize,
    /// Those that are poisoned after and were not before.
    pub poisoned: usize,
    /// Those that fail after and did not before.
    pub failed: usize,
    /// Those that are patched after and were not before.
    pub mended: usize,
}

impl Uses {
    /// Adds what `object`, of the file `name`, touches.
    ///
    /// # Errors
    /// As [`relocate`].
    pub fn add(
        &mut self,
        name: &str,
        object: &Object<'_>,
        before: &KernelTypes<'_>,
        after: &KernelTypes<'_>,
    ) -> Result<Count> {
        let was = relocate(object, before, &|_| true)?;
        let (is, explanations) = explain(object, after, &|_| true)?;
        let mut places = places(object)?;
        let mut count = Count { object: name.to_owned(), ..Count::default() };
        for ((was, is), explanations) in was.iter().zip(&is).zip(&explanations) {
            let relocations = was.relocations.iter().zip(&is.relocations).zip(explanations);
            for ((was, now), explanation) in relocations {
                let fates = [Fate::of(was), Fate::of(now)];
                count.add(&fates);
                let places = places.remove(&(is.name.as_str(), now.index)).unwrap_or_default();
                self.push(
                    places,
                    Use {
                        object: name.to_owned(),
                        program: is.name.clone(),
                        source: now.source.clone(),
                        access: explanation.access.clone(),
                        kind: now.kind,
                        fates: Some(fates),
                    },
                );
            }
        }
        for program in &is {
            self.attachment(name, program);
        }
        Ok(count)
    }

    fn push(&mut self, places: Vec<Place>, of: Use) {
        for place in places {
            self.by_place.entry(place).or_default().insert(self.all.len());
        }
        self.all.push(of);
    }

    /// The function or tracepoint that a section's name names.
    fn attachment(&mut self, object: &str, program: &Program) {
        let Some((how, to)) = program.section.split_once('/') else { return };
        let how = how.split('.').next().unwrap_or(how);
        let (kind, to) = match how {
            "kprobe" | "kretprobe" | "fentry" | "fexit" | "fmod_ret" => ("function", to.to_owned()),
            "lsm" => ("function", format!("bpf_lsm_{to}")),
            "tp_btf" | "raw_tp" | "raw_tracepoint" => ("tracepoint", to.to_owned()),
            _ => return,
        };
        self.push(
            vec![(kind, to, String::new())],
            Use {
                object: object.to_owned(),
                program: program.name.clone(),
                source: None,
                access: format!("SEC(\"{}\")", program.section),
                kind: "attach",
                fates: None,
            },
        );
    }

    /// Names of what is touched, by kind.
    pub fn types(&self) -> BTreeSet<(&'static str, &str)> {
        self.by_place.keys().map(|(kind, name, _)| (*kind, &**name)).collect()
    }

    /// What touches a changed part; with an empty `part` the type as a whole, and any part of one that is gone or new.
    pub fn of(&self, change: &TypeChange, part: &str) -> Vec<&Use> {
        let first = (change.kind, change.name.clone(), String::new());
        let here = self.by_place.range(first..).take_while(|(k, _)| k.0 == change.kind && k.1 == change.name);
        let any = part.is_empty() && change.change != Change::Changed;
        let within =
            |p: &str| any || p == part || p.strip_prefix(part).is_some_and(|rest| rest.starts_with('.'));
        let numbers: BTreeSet<usize> =
            here.filter(|((_, _, p), _)| within(p)).flat_map(|(_, n)| n.iter().copied()).collect();
        numbers.into_iter().filter_map(|n| self.all.get(n)).collect()
    }

    /// Leaves of `changes` only what is touched.
    pub fn only_touched(&self, changes: &mut Vec<TypeChange>) {
        for change in changes.iter_mut() {
            let parts = std::mem::take(&mut change.parts);
            let touched = |p: &PartChange| !self.of(change, &p.name).is_empty();
            let left = parts.into_iter().filter(touched).collect();
            change.parts = left;
        }
        changes.retain(|c| {
            let whole = c.size.is_some() || c.text.is_some() || c.change != Change::Changed;
            !c.parts.is_empty() || whole && !self.of(c, "").is_empty()
        });
    }

    /// Relocations that come out otherwise and touch nothing of `changes`.
    pub fn others(&self, changes: &[TypeChange]) -> Vec<&Use> {
        let told: BTreeSet<*const Use> = changes
            .iter()
            .flat_map(|c| {
                let whole = self.of(c, "");
                whole.into_iter().chain(c.parts.iter().flat_map(|p| self.of(c, &p.name)))
            })
            .map(std::ptr::from_ref)
            .collect();
        let differ = |u: &&Use| u.fates.as_ref().is_some_and(|[was, is]| was != is);
        self.all.iter().filter(|u| differ(u) && !told.contains(&std::ptr::from_ref(*u))).collect()
    }
}

impl Count {
    fn add(&mut self, [was, is]: &[Fate; 2]) {
        self.relocations += 1;
        match (was.outcome, is.outcome) {
            (Verdict::Patched, Verdict::Patched) => {
                self.silently += usize::from((was.value, was.mem_sz) != (is.value, is.mem_sz));
            }
            (was, Verdict::Poisoned) if was != Verdict::Poisoned => self.poisoned += 1,
            (was, Verdict::Failed) if was != Verdict::Failed => self.failed += 1,
            (Verdict::Poisoned | Verdict::Failed, Verdict::Patched) => self.mended += 1,
            _ => {}
        }
    }
}

/// What each relocation is about, by function and number.
fn places<'o>(object: &Object<'o>) -> Result<BTreeMap<(&'o str, u32), Vec<Place>>> {
    let mut out = BTreeMap::new();
    let mut spec = Spec::default();
    let functions: Vec<_> = object.functions().map(|f| f.name).collect();
    for relo in object.core_relos() {
        let relo: Relo = relo.context(".BTF.ext")?;
        // what is malformed is reported when it is relocated
        let Ok(r) = core_relo(&relo) else { continue };
        let Some(function) = functions.get(relo.function as usize) else { continue };
        if spec.parse(object.btf(), r.type_id, r.access_str_off, r.kind).is_ok() {
            out.insert((*function, relo.number), of_spec(object.btf(), &spec));
        }
    }
    Ok(out)
}

/// The fields on the way of a spec, each by the struct with a name that it is in.
fn of_spec(btf: &Btf<'_>, spec: &Spec) -> Vec<Place> {
    let mut out = Vec::new();
    if spec.kind == ReloKind::TypeIdLocal {
        return out;
    }
    let Some(mut at) = named(btf, spec.root) else { return out };
    if !spec.kind.is_field() && !spec.kind.is_enumval() {
        return vec![at];
    }
    for p in spec.points.iter().filter(|p| p.named) {
        let name = spec.name(btf, p);
        let dot = if at.2.is_empty() { "" } else { "." };
        at.2 = format!("{}{dot}{name}", at.2);
        out.push(at.clone());
        let member = btf.ty(p.type_id).ok().and_then(|t| t.member(p.index));
        at = member.and_then(|m| named(btf, m.ty)).unwrap_or(at);
    }
    out
}

/// The first type with a name behind qualifiers, pointers left alone, and arrays.
fn named(btf: &Btf<'_>, id: TypeId) -> Option<Place> {
    let mut id = id;
    let mut typedef = None;
    for _ in 0..2 * MAX_RESOLVE_DEPTH {
        let t = btf.ty(id).ok()?;
        let name = essential(btf.name(&t)).to_owned();
        let kind = match t.kind() {
            Kind::Struct => "struct",
            Kind::Union => "union",
            Kind::Enum | Kind::Enum64 => "enum",
            Kind::Typedef => {
                typedef.get_or_insert(name);
                id = t.target();
                continue;
            }
            Kind::Array => {
                id = t.array()?.elem;
                continue;
            }
            k if k.is_modifier() => {
                id = t.target();
                continue;
            }
            Kind::Int => "integer",
            _ => "",
        };
        return match (kind, typedef) {
            // what has no name but a typedef's goes by that
            (_, Some(typedef)) if name.is_empty() || kind.is_empty() => {
                Some(("typedef", typedef, String::new()))
            }
            ("", _) => None,
            (_, None) if name.is_empty() => None,
            (kind, _) => Some((kind, name, String::new())),
        };
    }
    None
}
