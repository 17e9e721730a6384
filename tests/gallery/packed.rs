//! The gallery without a board: each object packed for a kernel, and what relocation comes to there.
//!
//! Nothing fails, and what finds nothing lies in branches that the program asks about first: `poisoned.toml` says which types those
//! are on which board's kernel, one line a program and board.

use super::Program;
use anyhow::{Context, Result};
use corelet_boards::{Kernel, Progress};
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_modules};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, TargetReport, build, container};
use corelet_host_tools::relocate::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// By program and board, the types that are poisoned.
const POISONED: &str = include_str!("poisoned.toml");

/// A kernel with its modules, opened.
///
/// # Errors
/// It cannot be fetched or read.
pub fn opened(kernel: &Kernel, progress: &mut dyn Progress) -> Result<Opened> {
    // modules of a kernel without types have none either
    let plain = Opened::packaged(kernel, progress)?;
    if plain.is_without_btf() {
        return Ok(plain);
    }
    let arg =
        TargetArg::new(&kernel.image, kernel.config.as_deref()).with_modules(&kernel.modules(progress)?);
    // what is built in is listed beside the configuration where modules are a package of their own
    let beside = kernel.config.as_deref().and_then(Path::parent);
    let list = beside.filter(|folder| folder.join("modules.builtin").is_file());
    Opened::open(&match list {
        Some(folder) => arg.with_modules(folder),
        None => arg,
    })
}

/// What packing a program for a kernel came to.
pub struct Packed {
    /// The device's file.
    pub pack: Vec<u8>,
    /// What is said of the target.
    pub report: TargetReport,
}

impl Packed {
    /// The types of what relocation did not find, each once.
    pub fn poisoned(&self) -> BTreeSet<&str> {
        let poisoned = self.report.unresolved.iter().filter(|(_, r)| r.outcome == Verdict::Poisoned);
        poisoned.map(|(_, r)| type_of(&r.spec)).collect()
    }

    /// What there is to be said against the program on this kernel, whatever a board would show.
    pub fn faults(&self) -> Vec<String> {
        let report = &self.report;
        let failed = report.unresolved.iter().filter(|(_, r)| r.outcome == Verdict::Failed);
        let unguarded = report.unguarded.iter().map(|(_, r)| format!("comes to {}", r.spec));
        let wide = report.wide_reads.iter().map(|_| "reads more bytes than a member has".to_owned());
        (failed.map(|(_, r)| format!("failed: {}", r.spec)))
            .chain(unguarded)
            .chain(wide)
            .chain(report.registers.iter().chain(&report.strides).chain(&report.doubts).cloned())
            .collect()
    }
}

/// `struct task_struct` of `[25] struct task_struct.cpu (0:0 @ offset 0)`, `enum e` of `[3] enum e::A = 1`.
fn type_of(spec: &str) -> &str {
    let spec = spec.split_once("] ").map_or(spec, |(_, rest)| rest);
    let of = spec.split_once(' ').map_or(0, |(keyword, _)| keyword.len() + 1);
    let name = spec[of..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &spec[..name.map_or(spec.len(), |len| of + len)]
}

/// The packs of programs for one kernel, in their order.
///
/// # Errors
/// A manifest, or the kernel's modules; what keeps one program from being packed is its own.
pub fn packs(programs: &[&Program], kernel: &Opened) -> Result<Vec<Result<Packed>>> {
    let input = |program: &&Program| -> Result<Input> {
        let name = program.case.tool;
        let manifest = Manifest::parse(&format!("{name}.toml"), program.manifest)?;
        Ok(Input { name: name.to_owned(), bytes: program.object.to_vec(), manifest })
    };
    let inputs = programs.iter().map(input).collect::<Result<Vec<_>>>()?;
    with_modules(std::slice::from_ref(kernel), &inputs, |kernels| {
        let pack = |input: &Input| -> Result<Packed> {
            let mut built = build(std::slice::from_ref(input), kernels, &Options::default())?;
            let report = built.reports.remove(0).targets.remove(0);
            Ok(Packed { pack: container(&built.sections)?, report })
        };
        Ok(inputs.iter().map(pack).collect())
    })
}

/// What is not as it must be where `programs` are packed for the kernel of a board.
///
/// # Errors
/// As [`packs`].
pub fn misfits(programs: &[&Program], board: &str, kernel: &Opened) -> Result<Vec<String>> {
    let expected: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> =
        toml::from_str(POISONED).context("poisoned.toml")?;
    let mut misfits = Vec::new();
    for (program, packed) in programs.iter().zip(packs(programs, kernel)?) {
        let name = program.case.tool;
        match packed {
            Err(why) => misfits.push(format!("{board}: {name}: {why:#}")),
            Ok(packed) => {
                misfits.extend(packed.faults().into_iter().map(|fault| format!("{board}: {name}: {fault}")));
                let none = BTreeSet::new();
                let expected = expected.get(name).and_then(|of| of.get(board)).unwrap_or(&none);
                if !packed.poisoned().into_iter().eq(expected.iter().map(String::as_str)) {
                    misfits.push(format!("{board}: {name}: poisoned are {:?}", packed.poisoned()));
                }
            }
        }
    }
    Ok(misfits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gallery::PROGRAMS;
    use corelet_core::pack::{Choice, Decision, Records, SkipReason, section};
    use corelet_host_tools::cmd::target_arg::with_kernels;

    #[test]
    fn a_spec_names_its_type() {
        assert_eq!(type_of("[25] struct task_struct.cpu (0:0 @ offset 0)"), "struct task_struct");
        assert_eq!(type_of("[3] enum req_op::REQ_OP_READ = 0"), "enum req_op");
        assert_eq!(type_of("[7] struct mm_rss_stat"), "struct mm_rss_stat");
    }

    /// Programs of `runs` that are loaded on a kernel of this release, which has no types to say what it has.
    fn loaded(release: &str) -> Vec<u16> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/gallery/guide");
        let target = format!(
            "{folder}/kernel.o,release={release},version=#1 SMP,arch=armv7l,build-id=1111,config={folder}/kernel.config"
        );
        let kernel = [Opened::open(&target.parse::<TargetArg>().unwrap()).unwrap()];
        let program = PROGRAMS.iter().find(|p| p.case.name == "runs").unwrap();
        let manifest = Manifest::parse("runs.toml", program.manifest).unwrap();
        let input = [Input { name: "runs".to_owned(), bytes: program.object.to_vec(), manifest }];
        let built = with_kernels(&kernel, |kernels| build(&input, kernels, &Options::default())).unwrap();
        let plan = built.sections.iter().find(|s| s.id == section::PLAN).unwrap();
        let skipped: Vec<u16> = Records::<Choice>::new(&plan.bytes, section::PLAN)
            .map(Result::unwrap)
            .filter(|choice| choice.decision == Decision::Skip(SkipReason::Alternative))
            .map(|choice| choice.program)
            .collect();
        (0..6).filter(|program| !skipped.contains(program)).collect()
    }

    #[test]
    fn alternatives_whose_maps_a_kernel_lacks_give_way() {
        // in the object's order: begins_in_task, ends_in_task, begins_for_ring, begins_for_cpu, ends_by_ring, ends_by_cpu
        assert_eq!(loaded("5.4.1-test"), [3, 5]);
        assert_eq!(loaded("5.10.1-test"), [2, 3, 4, 5]);
    }
}
