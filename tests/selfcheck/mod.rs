//! Programs that check themselves: each reads a struct through relocated accesses, compares with what is in it, and returns
//! the number of the first line that found something else. They are compiled for both byte orders, relocated for made-up
//! targets (against all types, through the minimum, and out of a pack) and run: little-endian ones by rbpf and by the
//! interpreter of [`vm`], big-endian ones by the interpreter. libbpf relocates the same pairs of object and target.
//!
//! The families are those of the kernel's selftests (`prog_tests/core_reloc.c`), and `progs/cases.txt` has one of our cases
//! for each of theirs, by name; the programs and layouts are our own. A check that nothing can fail is none: at the end each
//! patched value is changed by one, and the program must notice. What a pack makes of the little-endian ones runs on the boards'
//! kernels too ([`board`]).

pub mod board;
pub mod case;
pub mod vm;
pub mod ways;

use crate::oracle::foreign;
use crate::oracle::libbpf::{Libbpf, Running};
use anyhow::{Context, Result, ensure};
use case::{Compiler, Expected, Family, Source, Target, families, parallel};
use corelet_boards::Progress;
use corelet_core::Endian;
use corelet_core::insn::{INSN_SIZE, Insn, class};
use corelet_core::object::Object;
use corelet_core::relo::ReloKind;
use corelet_host_tools::relocate::{Program, Verdict, type_count};
use corelet_host_tools::subset::KernelTypes;
use std::collections::BTreeMap;
use std::path::Path;
use vm::End;
use ways::Relocated;

/// The kernel's cases and ours: `KERNEL'S FAMILY/OURS` in each line.
const CASES: &str = include_str!("progs/cases.txt");

/// Cases of each family: one that is lost is noticed.
const FAMILIES: [(&str, usize); 18] = [
    ("arrays", 11),
    ("bitfields", 6),
    ("enum64val", 4),
    ("enumval", 5),
    ("existence", 9),
    ("flavors", 3),
    ("ints", 6),
    ("kernel", 2),
    ("misc", 1),
    ("mods", 3),
    ("module", 5),
    ("nesting", 13),
    ("pointers", 2),
    ("primitives", 9),
    ("ptr_as_arr", 2),
    ("size", 4),
    ("type_based", 7),
    ("type_id", 2),
];

/// What the run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Cases, each in both byte orders.
    pub cases: usize,
    /// Runs of a program.
    pub runs: usize,
    /// Relocations by kind and outcome, over all cases.
    pub relocations: BTreeMap<(&'static str, &'static str), usize>,
    /// Pairs of object and types that libbpf relocated too, and the relocations in them.
    pub libbpf: (usize, usize),
    /// Values that were changed, and how many of these changes the programs noticed.
    pub mutants: (usize, usize),
    /// A line for each case.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

/// Runs everything with `clang`, and where there is an `emulator` of a big-endian machine also what is libbpf's there; what is
/// made on the way goes into `folder`.
///
/// # Errors
/// A source that does not compile, a tool that does not start, a case that is missing.
pub fn run(
    clang: &Path,
    emulator: Option<&Path>,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<Outcome> {
    let families = families()?;
    let found: Vec<_> = families.iter().map(|f| (f.name.as_str(), f.targets.len())).collect();
    ensure!(found == FAMILIES, "the cases of each family are {found:?}");
    let ours = covered(&families)?;
    let mut outcome = Outcome::default();
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for endian in [Endian::Little, Endian::Big] {
        let libbpf = match (endian, emulator) {
            (Endian::Little, _) => Some(Libbpf::build(folder)?),
            (Endian::Big, Some(emulator)) => {
                Some(foreign::build(clang, emulator, &folder.join(foreign::ARCH), progress)?)
            }
            (Endian::Big, None) => None,
        };
        let compiler = Compiler::new(clang, endian, folder)?;
        let all: Vec<Result<(Vec<u8>, Vec<Target>)>> = parallel(&families, |f| {
            let program = compiler.compile_program(&f.name)?;
            let targets = f.targets.iter().map(|t| compiler.compile_target(t)).collect::<Result<Vec<_>>>()?;
            Ok((program, targets))
        });
        for (family, compiled) in families.iter().zip(all) {
            let (program, targets) = compiled.with_context(|| family.name.clone())?;
            for (source, target) in family.targets.iter().zip(targets) {
                let case = Case {
                    family,
                    source,
                    target,
                    program: &program,
                    object: compiler.program(&family.name),
                    endian,
                    libbpf: libbpf.as_ref(),
                };
                case.run(&mut outcome).with_context(|| case.name())?;
            }
        }
    }
    for (kind, what) in lacking(&outcome.relocations) {
        outcome.failures.push(format!("no relocation of kind {kind} was {what}"));
    }
    ensure!(outcome.cases == 2 * ours, "{} cases ran, not {ours} in two byte orders", outcome.cases);
    Ok(outcome)
}

/// Number of our cases, once each of the kernel's has one.
fn covered(families: &[Family]) -> Result<usize> {
    let ours: Vec<String> =
        families.iter().flat_map(|f| f.targets.iter().map(|t| format!("{}/{}", f.name, t.name))).collect();
    let lines = CASES.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut kernels = std::collections::BTreeSet::new();
    for line in lines {
        let (theirs, case) = line.split_once(' ').with_context(|| format!("cases.txt: {line}"))?;
        ensure!(ours.iter().any(|o| o == case.trim()), "cases.txt: there is no case {case}");
        ensure!(kernels.insert(theirs), "cases.txt: {theirs} stands there twice");
    }
    ensure!(kernels.len() == 79, "cases.txt has {} of the kernel's cases", kernels.len());
    Ok(ours.len())
}

/// What each kind of relocation can come to, and no case came to.
fn lacking(seen: &BTreeMap<(&'static str, &'static str), usize>) -> Vec<(&'static str, &'static str)> {
    let of_kind = |kind: ReloKind| {
        let field = kind.is_field() && kind != ReloKind::FieldExists;
        let mut all = vec!["patched"];
        all.extend((field || kind == ReloKind::EnumvalValue).then_some("poisoned"));
        // an enumerator of two values is a case of the property tests: C has one enum of a name
        all.extend(field.then_some("failed"));
        all.extend((kind == ReloKind::FieldByteOffset).then_some("resized"));
        all.into_iter().map(move |what| (kind.name(), what))
    };
    ReloKind::ALL.into_iter().flat_map(of_kind).filter(|key| !seen.contains_key(key)).collect()
}

/// One program on one target.
struct Case<'x> {
    family: &'x Family,
    source: &'x Source,
    target: Target,
    program: &'x [u8],
    /// The file of `program`.
    object: std::path::PathBuf,
    endian: Endian,
    /// That of a machine of this byte order.
    libbpf: Option<&'x Libbpf>,
}

impl Case<'_> {
    fn name(&self) -> String {
        format!("{:?} {}/{}", self.endian, self.family.name, self.source.name)
    }

    fn run(&self, outcome: &mut Outcome) -> Result<()> {
        let mut index = vec![0; type_count(self.program)?];
        let object = Object::parse(self.program, &mut index)?;
        let all = ways::types(&self.target, self.source.pointers)?;
        let types = KernelTypes::with_modules(all.btf.view(), &all.first);
        let minimum = ways::minimum(&object, &types)?;
        let whole = ways::whole(&object, &types)?;
        let small = ways::whole(&object, &KernelTypes::new(minimum.view()))?;
        let packed = ways::packed(&self.family.name, self.program, &types, all.first.len(), self.endian)?;
        let mut fail = |what: String| outcome.failures.push(format!("{}: {what}", self.name()));

        let ids = self.family.name == "type_id";
        for (way, relocated) in [("all types", &whole), ("the minimum", &small), ("the pack", &packed)] {
            let ended = self.ended(relocated, &mut outcome.runs);
            if let Err(what) = ended.and_then(|end| judge(self.source.expected, &end)) {
                fail(format!("through {way}: {what}"));
            }
            if !ids && relocated.insns.as_ref().ok() != whole.insns.as_ref().ok() {
                fail(format!("through {way}: other instructions than through all types"));
            }
        }
        if let Some(insn) = half_poisoned(self.program, &whole.programs)? {
            fail(format!("insn #{insn}: only one half of a load is poisoned"));
        }
        ways::count(&whole.programs, &mut outcome.relocations);

        // it takes modules from the running kernel only
        let files =
            [("whole", all.btf.bytes(), &whole.programs), ("minimum", minimum.bytes(), &small.programs)];
        let pairs = files.into_iter().skip(usize::from(!all.first.is_empty()));
        for ((what, btf, programs), libbpf) in pairs.filter_map(|pair| Some((pair, self.libbpf?))) {
            let file = self.object.with_extension("btf");
            std::fs::write(&file, btf)?;
            let until = until_failure(programs);
            outcome.libbpf.0 += 1;
            outcome.libbpf.1 += until.iter().map(|p| p.relocations.len()).sum::<usize>();
            let running = Running { btf: &file, release: "6.12.0", config: None };
            // cases run beside each other
            let folder = tempfile::tempdir().context("a folder for libbpf's object")?;
            let loaded = libbpf.load(self.program, &file, running, folder.path())?;
            for difference in loaded.differences(&until) {
                fail(format!("{what}: {difference}"));
            }
        }
        if self.source.expected == Expected::Ok {
            let (made, noticed) = self.mutants(&whole, &mut outcome.runs);
            outcome.mutants.0 += made;
            outcome.mutants.1 += noticed;
            // of a bitfield's two ways, by its sign, one is not taken; a 2 says as well as a 1 that something exists
            let few = if self.family.name == "bitfields" { made * 2 / 5 } else { made.saturating_sub(2) };
            if noticed < few {
                outcome.failures.push(format!("{}: only {noticed} of {made} changes noticed", self.name()));
            }
            outcome.lines.push(format!("{}: {noticed} of {made} changed values noticed", self.name()));
        } else {
            outcome.lines.push(format!("{}: {:?} as it must", self.name(), self.source.expected));
        }
        outcome.cases += 1;
        Ok(())
    }

    /// How the program ends; an error's reason if it cannot be loaded.
    fn ended(&self, relocated: &Relocated, runs: &mut usize) -> Result<Result<End, String>, String> {
        let insns = match &relocated.insns {
            Ok(insns) => insns,
            Err(why) => return Ok(Err(why.clone())),
        };
        let image = image(&self.target, self.family, relocated, self.endian);
        *runs += 1;
        let end = vm::interpret(insns, self.endian, &image);
        if self.endian == Endian::Little {
            let theirs = vm::rbpf(insns, &image);
            if theirs != end && !(matches!(end, End::Fault(_)) && matches!(theirs, End::Fault(_))) {
                return Err(format!("the interpreter says {end:?}, rbpf {theirs:?}"));
            }
        }
        Ok(Ok(end))
    }

    /// Changes each value that relocation put into an instruction, by one, and counts the changes and those that the
    /// program noticed.
    fn mutants(&self, whole: &Relocated, runs: &mut usize) -> (usize, usize) {
        let (mut made, mut noticed) = (0, 0);
        for changed in changed(whole, &whole.programs, self.endian) {
            made += 1;
            let relocated = Relocated { insns: Ok(changed), ..whole.clone() };
            noticed += usize::from(self.ended(&relocated, runs) != Ok(Ok(End::Returned(0))));
        }
        (made, noticed)
    }
}

/// What a program is given on a target.
fn image(target: &Target, family: &Family, relocated: &Relocated, endian: Endian) -> Vec<u8> {
    let mut image = target.image.clone();
    if family.name == "type_id" {
        for (slot, id) in image.as_chunks_mut::<8>().0.iter_mut().zip(relocated.ids) {
            *slot = if endian == Endian::Little { id.to_le_bytes() } else { id.to_be_bytes() };
        }
    }
    image
}

/// The instructions, each time with another of the values changed by one that relocation put there.
fn changed(relocated: &Relocated, programs: &[Program], endian: Endian) -> Vec<Vec<u8>> {
    let Ok(insns) = &relocated.insns else { return Vec::new() };
    let relocations = programs.iter().flat_map(|p| &p.relocations);
    let change = |at: usize| {
        let mut changed = insns.clone();
        let slot = changed.get_mut(at..at + INSN_SIZE)?.first_chunk_mut()?;
        let mut insn = Insn::decode(*slot, endian);
        match insn.class() {
            class::LDX | class::ST | class::STX => insn.off = insn.off.wrapping_add(1),
            _ => insn.imm = insn.imm.wrapping_add(1),
        }
        *slot = insn.encode(endian);
        Some(changed)
    };
    let patched = relocations.filter(|r| r.outcome == Verdict::Patched);
    patched.filter_map(|r| change(r.insn as usize * INSN_SIZE)).collect()
}

/// Whether a program ended as it must.
fn judge(expected: Expected, end: &Result<End, String>) -> Result<(), String> {
    match (expected, end) {
        (Expected::Ok, Ok(End::Returned(0)))
        | (Expected::Poison, Ok(End::Poison))
        | (Expected::Fails, Err(_)) => Ok(()),
        (_, Ok(End::Returned(line))) => {
            Err(format!("line {line} found something else ({expected:?} expected)"))
        }
        (_, end) => Err(format!("{end:?}, not {expected:?}")),
    }
}

/// A `ld_imm64` that is poisoned, and whose second half is not.
fn half_poisoned(object: &[u8], programs: &[Program]) -> Result<Option<u32>> {
    let mut index = vec![0; type_count(object)?];
    let object = Object::parse(object, &mut index)?;
    for (f, p) in object.functions().zip(programs) {
        for r in p.relocations.iter().filter(|r| r.outcome == Verdict::Poisoned) {
            let read = |insns, at| corelet_core::insn::read(insns, at, object.endian());
            if read(f.insns, r.insn)?.is_ld_imm64() && read(&p.insns.bytes, r.insn + 1)? != Insn::POISON {
                return Ok(Some(r.insn));
            }
        }
    }
    Ok(None)
}

/// The relocations up to the first that failed: there libbpf gives up.
fn until_failure(programs: &[Program]) -> Vec<Program> {
    let mut out = programs.to_vec();
    for p in &mut out {
        let failed = p.relocations.iter().position(|r| r.outcome == Verdict::Failed);
        p.relocations.truncate(failed.unwrap_or(p.relocations.len()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_of_the_kernels_has_one_of_ours() {
        let families = families().unwrap();
        let found: Vec<_> = families.iter().map(|f| (f.name.as_str(), f.targets.len())).collect();
        assert_eq!(found, FAMILIES);
        covered(&families).unwrap();
    }

    #[test]
    fn another_end_than_the_expected_one_is_a_failure() {
        let ends = [Ok(End::Returned(0)), Ok(End::Poison), Err("ambiguous".to_owned())];
        for (i, expected) in [Expected::Ok, Expected::Poison, Expected::Fails].into_iter().enumerate() {
            for (j, end) in ends.iter().enumerate() {
                assert_eq!(judge(expected, end).is_ok(), i == j, "{expected:?} {end:?}");
            }
            assert!(judge(expected, &Ok(End::Fault("x".to_owned()))).is_err());
        }
        assert!(judge(Expected::Ok, &Ok(End::Returned(40))).unwrap_err().contains("line 40"));
    }
}
