//! Relocating a whole object on the PC, with a report on every relocation.

use anyhow::{Context, Result, anyhow};
use corelet_core::btf::Btf;
use corelet_core::object::{Located, Object};
use corelet_core::relo::{
    CandList, Cands, CoreRelo, Observer, Outcome, PoisonReason, ReloKind, Relocator, Scratch, SpecText,
    TargetTypes,
};
use corelet_core::{Error, TypeId, btf_ext};
use serde::Serialize;

/// Candidates that the relocations of one object may have in all. A kernel has a handful for each name; what passes this
/// bound is no kernel.
const MAX_CANDIDATES: usize = 1 << 16;

/// One function after relocation.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its section, without a leading `?`.
    pub section: String,
    /// Start in its section, in bytes.
    pub offset: u32,
    /// Its instructions as hexadecimal digits, in little-endian order whatever the object's.
    pub insns: Insns,
    /// What was done, in the order of `.BTF.ext`.
    pub relocations: Vec<Relocation>,
}

/// Instructions and their byte order.
#[derive(Clone, Debug)]
pub struct Insns {
    /// Eight bytes each.
    pub bytes: Vec<u8>,
    /// Byte order.
    pub endian: corelet_core::Endian,
}

/// What became of one relocation.
#[derive(Clone, Debug, Serialize)]
pub struct Relocation {
    /// Number within its section of `.BTF.ext`.
    pub index: u32,
    /// Instruction, from the function's start.
    pub insn: u32,
    /// Kind in libbpf's words.
    pub kind: &'static str,
    /// What it is about, in the object's types.
    pub spec: String,
    /// The same place in the target's types.
    pub target_spec: Option<String>,
    /// Value in the instruction before.
    pub old: Option<u64>,
    /// Value after.
    pub new: Option<u64>,
    /// Bytes of the load or store after, where they changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_sz: Option<u32>,
    /// What became of the instruction.
    pub outcome: Verdict,
    /// Why it was poisoned or failed.
    pub reason: Option<String>,
    /// File and line, where the object says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// What became of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds the target's value.
    Patched,
    /// It is a call that the verifier refuses, unless it is dead code.
    Poisoned,
    /// It is as it was: the relocation cannot be resolved, and the object not be loaded.
    Failed,
}

impl Serialize for Insns {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use corelet_core::insn::{INSN_SIZE, Insn};
        let hex = self.bytes.chunks_exact(INSN_SIZE).flat_map(|c| {
            let insn = Insn::decode(c.try_into().expect("chunks of eight"), self.endian);
            insn.encode(corelet_core::Endian::Little)
        });
        s.serialize_str(&hex.map(|b| format!("{b:02x}")).collect::<String>())
    }
}

/// A relocation of an object, located and with a known kind.
pub type Relo = Located<btf_ext::CoreRelo>;

/// How many types an object has: the length of the index that [`Object::parse`] wants.
///
/// # Errors
/// As [`Object::type_count`]; where the object has no types, with what to do.
pub fn type_count(bytes: &[u8]) -> Result<usize> {
    Object::type_count(bytes).map_err(without_types)
}

/// What is to be done about an object without types; other errors as they are.
pub(crate) fn without_types(error: Error) -> anyhow::Error {
    match error {
        Error::NoSection { .. } => anyhow!("{error}: compile it with clang -g, and strip it with -g only"),
        error => error.into(),
    }
}

/// The engine's form of a record.
pub fn core_relo(relo: &Relo) -> Result<CoreRelo, Error> {
    Ok(CoreRelo {
        insn: relo.insn,
        type_id: relo.record.type_id,
        access_str_off: relo.record.access_str_off,
        kind: ReloKind::from_number(relo.record.kind)?,
    })
}

/// An observer that is also told where one relocation ends.
pub(crate) trait Watcher: Observer {
    /// `relo` is done: `program` holds its instructions as they are now, and its report last; `scratch` the specs.
    fn done(&mut self, _relo: &Relo, _program: &Program, _scratch: &Scratch) {}
}

impl Watcher for () {}

/// Relocates the functions of `object` for which `chosen` says so, subprograms and programs alike. One failed relocation
/// does not hide the others.
pub fn relocate(
    object: &Object<'_>,
    target: &impl TargetTypes,
    chosen: &dyn Fn(u32) -> bool,
) -> Result<Vec<Program>> {
    watched(object, target, chosen, &mut ())
}

/// The same, watched.
pub(crate) fn watched(
    object: &Object<'_>,
    target: &impl TargetTypes,
    chosen: &dyn Fn(u32) -> bool,
    watcher: &mut impl Watcher,
) -> Result<Vec<Program>> {
    let endian = object.endian();
    let mut programs: Vec<Program> = object
        .functions()
        .map(|f| Program {
            name: f.name.to_owned(),
            section: f.section_name.to_owned(),
            offset: f.start,
            insns: Insns { bytes: f.insns.to_vec(), endian },
            relocations: Vec::new(),
        })
        .collect();
    let relos: Vec<Relo> = object.core_relos().collect::<Result<_, _>>().context(".BTF.ext")?;
    let lines = Lines::of(object)?;
    let mut lists = vec![CandList::default(); relos.len()];
    let mut pool = vec![TypeId::VOID; MAX_CANDIDATES];
    let mut scratch = Scratch::default();
    let mut relocator = Relocator {
        local: object.btf(),
        target,
        cands: Cands::new(&mut lists, &mut pool),
        scratch: &mut scratch,
    };
    for relo in relos.iter().filter(|r| chosen(r.function)) {
        let program = programs.get_mut(relo.function as usize).context("a relocation of no function")?;
        let result =
            core_relo(relo).and_then(|r| relocator.relocate(&r, &mut program.insns.bytes, endian, watcher));
        let mut report = report(relo, result, object.btf(), &relocator);
        report.source = lines.at(relo.function, relo.insn);
        program.relocations.push(report);
        watcher.done(relo, program, relocator.scratch);
    }
    Ok(programs)
}

/// Puts an outcome into words.
fn report<T: TargetTypes>(
    relo: &Relo,
    result: Result<Outcome, Error>,
    local: &Btf<'_>,
    relocator: &Relocator<'_, '_, '_, T>,
) -> Relocation {
    let target = relocator.target;
    let spec = SpecText { spec: relocator.scratch.local(), btf: local, root_id: relo.record.type_id.0 };
    let mut r = Relocation {
        index: relo.number,
        insn: relo.insn,
        kind: ReloKind::from_number(relo.record.kind).map_or("unknown", ReloKind::name),
        spec: spec.to_string(),
        target_spec: None,
        old: None,
        new: None,
        mem_sz: None,
        outcome: Verdict::Patched,
        reason: None,
        source: None,
    };
    let target_spec = || {
        let spec = relocator.scratch.target();
        let root_id = target.kernel_id(spec.root).unwrap_or(spec.root).0;
        SpecText { spec, btf: target.btf(), root_id }.to_string()
    };
    match result {
        Ok(Outcome::Patched { old, new, mem_size, matched }) => {
            (r.old, r.new, r.mem_sz) = (Some(old), Some(new), mem_size);
            let is_local = relo.record.kind == ReloKind::TypeIdLocal as u32;
            r.target_spec = (matched && !is_local).then(target_spec);
        }
        Ok(Outcome::Poisoned(reason)) => {
            r.outcome = Verdict::Poisoned;
            let what = what(local, relo.record.type_id);
            r.reason = Some(match reason {
                PoisonReason::NoCandidate => format!("the target has no {what}"),
                PoisonReason::NoMatch => {
                    format!("no {what} of the target has {}", wanted(local, relocator.scratch.local()))
                }
                PoisonReason::MemSize { local, target } => {
                    r.target_spec = Some(target_spec());
                    format!(
                        "the field has {local} bytes in the object and {target} in the target, and is neither a pointer nor \
                         an unsigned integer on both sides: a load would give a wrong value. Unless it is never reached, \
                         compile against the target's own header (corelet btf dump), or read it as a flavor of {target} \
                         bytes where bpf_core_field_size(…) is {target}"
                    )
                }
            });
        }
        Err(e) => {
            r.outcome = Verdict::Failed;
            r.reason = Some(match e {
                Error::Ambiguous { first, second } => format!(
                    "ambiguous: the target's {} and {} give different results",
                    with_id(target.btf(), first),
                    with_id(target.btf(), second)
                ),
                e => e.to_string(),
            });
        }
    }
    r
}

fn with_id(btf: &Btf<'_>, id: TypeId) -> String {
    format!("{} {id}", what(btf, id))
}

/// `struct task_struct`, without a flavor.
fn what(btf: &Btf<'_>, id: TypeId) -> String {
    match btf.ty(id) {
        Ok(t) => format!("{} {}", t.kind().name(), corelet_core::btf::names::essential(btf.name(&t))),
        Err(e) => e.to_string(),
    }
}

/// The part of a spec that a candidate must have: `.a.b[3]`, or an enumerator's name.
fn wanted(btf: &Btf<'_>, spec: &corelet_core::relo::Spec) -> String {
    let mut out = String::new();
    for (i, p) in spec.points.iter().enumerate() {
        match (p.named, spec.kind.is_enumval()) {
            (true, true) => out.push_str(spec.name(btf, p)),
            (true, false) => out.extend([".", spec.name(btf, p)]),
            (false, _) if i > 0 => out.push_str(&format!("[{}]", p.index)),
            _ => {}
        }
    }
    if out.is_empty() { "such a shape".to_owned() } else { format!("`{out}` of a type that fits") }
}

/// Source lines of an object.
pub struct Lines<'o> {
    btf: Btf<'o>,
    lines: Vec<Located<btf_ext::LineInfo>>,
}

impl<'o> Lines<'o> {
    /// Reads line_info.
    pub fn of(object: &Object<'o>) -> Result<Lines<'o>> {
        let mut lines: Vec<_> =
            object.line_infos().collect::<Result<_, _>>().context(".BTF.ext line_info")?;
        lines.sort_by_key(|l| (l.function, l.insn));
        Ok(Lines { btf: *object.btf(), lines })
    }

    /// The record that covers an instruction.
    pub fn record(&self, function: u32, insn: u32) -> Option<&Located<btf_ext::LineInfo>> {
        let behind = self.lines.partition_point(|l| (l.function, l.insn) <= (function, insn));
        self.lines[..behind].last().filter(|l| l.function == function)
    }

    /// The text of an instruction's source line, with its indentation; empty where the object has none.
    pub fn text(&self, function: u32, insn: u32) -> &'o str {
        self.record(function, insn).map_or("", |l| self.btf.text(l.record.line_off))
    }

    /// The texts of all source lines of an instruction's function that are in the same file, each once, the nearest first.
    pub fn near(&self, function: u32, insn: u32) -> Vec<&'o str> {
        let Some(here) = self.record(function, insn).map(|l| l.record) else { return Vec::new() };
        let start = self.lines.partition_point(|l| l.function < function);
        let all = self.lines[start..].iter().take_while(|l| l.function == function).map(|l| l.record);
        let mut near: Vec<_> = (all.filter(|l| l.file_name_off == here.file_name_off))
            .map(|l| (l.line().abs_diff(here.line()), l.line_off))
            .collect();
        near.sort_unstable();
        near.dedup();
        near.into_iter().map(|(_, text)| self.btf.text(text)).collect()
    }

    /// `file.bpf.c:57`, the file without its folder so that it reads the same wherever the object was compiled.
    pub fn at(&self, function: u32, insn: u32) -> Option<String> {
        let l = self.record(function, insn)?;
        let file = self.btf.text(l.record.file_name_off);
        Some(format!("{}:{}", file.rsplit('/').next().unwrap_or(file), l.record.line()))
    }
}
