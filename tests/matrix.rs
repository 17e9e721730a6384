//! The nine tools on one board, and one with types of a module: every case right on the right pack, and wrong on some case of every mutant.

use crate::gallery::{BOARDS, EVERYWHERE, PROGRAMS, Prepared, said};
use crate::module_types;
use crate::objects::Objects;
use crate::tools::exceptions::exceptions;
use crate::tools::mutants::mutants;
use crate::tools::output::Output;
use crate::tools::script::{BOARD, Run};
use crate::tools::survivors::survivors;
use crate::tools::{self, Case, Checked, board};
use anyhow::{Context, Result, bail, ensure};
use corelet_boards::{Board, Kernel, Progress, Quiet};
use corelet_core::pack::{Records, Target, section};
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, Section, build, container};

/// The tool whose events programs print that carry the loader.
const CARRIED: &str = "opensnoop";

/// What a matrix came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each run of a case on a right pack, and for each mutant.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
    /// Cases on right packs.
    pub cases: usize,
    /// Of these, those whose result is another on this board, as listed in `exceptions.toml`.
    pub excepted: usize,
    /// Mutants, and those that no case noticed.
    pub mutants: (usize, usize),
}

/// A pack on the board: the right one of a tool, or a mutant of it.
pub struct Packed {
    /// The tool.
    pub tool: &'static str,
    /// What is run with it.
    pub cases: &'static [Case],
    /// Of a mutant, the member that is shifted.
    pub field: Option<String>,
    /// Where it is on the board, without leading slash.
    pub path: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The sections of a tool's pack for `kernel`, opened.
fn sections(tool: &str, object: &[u8], kernel: &[Opened]) -> Result<Vec<Section>> {
    with_kernels(kernel, |kernels| {
        let text = Manifest::builtin(tool).with_context(|| format!("{tool} has no manifest"))?;
        let manifest = Manifest::parse(tool, text)?;
        let input = Input { name: tool.to_owned(), bytes: object.to_vec(), manifest };
        Ok(build(&[input], kernels, &Options::default())?.sections)
    })
}

/// The pack of a tool for `kernel`.
///
/// # Errors
/// The tool is none of the nine, or does not fit the kernel.
pub fn pack(tool: &str, objects: &Objects, kernel: &Kernel) -> Result<Vec<u8>> {
    let object = objects.get(tool).with_context(|| format!("{tool}: no object"))?;
    container(&sections(tool, object, &[Opened::packaged(kernel, &mut Quiet)?])?)
}

/// The pack of a tool whose only target is of a kernel that does not run anywhere.
///
/// # Errors
/// As [`pack`].
pub fn pack_for_another(tool: &str, objects: &Objects, kernel: &Kernel) -> Result<Vec<u8>> {
    let object = objects.get(tool).with_context(|| format!("{tool}: no object"))?;
    let mut sections = sections(tool, object, &[Opened::packaged(kernel, &mut Quiet)?])?;
    let target = sections.iter_mut().find(|s| s.id == section::TARGET).context("no target")?;
    let own: Target<'_> = Records::new(&target.bytes, section::TARGET).at(0)?;
    let other = Target { build_id: &[0x11; 20], release: "6.1.0-other", ..own };
    target.bytes = Section::records(section::TARGET, target.owner, [other])?.bytes;
    container(&sections)
}

/// Whether mutants of the packs are run too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutants {
    /// Each of every tool.
    All,
    /// None: another board has shown what the cases notice.
    None,
}

/// Packs all tools for `kernel`, opened, with all their mutants if so asked.
fn packs(objects: &Objects, kernel: &[Opened], which: Mutants) -> Result<Vec<Packed>> {
    let mut out = Vec::new();
    for (&tool, object) in objects {
        let sections = sections(tool, object, kernel)?;
        let mut add = |field: Option<String>, sections: &[Section]| -> Result<()> {
            let path = format!("corelet/{}.pack", out.len());
            out.push(Packed { tool, cases: tools::cases(tool), field, path, bytes: container(sections)? });
            Ok(())
        };
        add(None, &sections)?;
        if which == Mutants::None {
            continue;
        }
        let subset = sections.iter().position(|s| s.id == section::SUBSET).context("no subset")?;
        for mutant in mutants(&sections[subset].bytes)? {
            let mut sections = sections.clone();
            sections[subset].bytes = mutant.btf;
            add(Some(mutant.field), &sections)?;
        }
    }
    Ok(out)
}

/// Runs everything in one boot of `board`, without the mutants unless they are wanted. `carriers` are programs that carry the loader
/// inside themselves, by their paths on the board: each prints opensnoop's events too.
///
/// # Errors
/// What keeps the board from running; what the runs show is in the [`Outcome`].
pub fn run(
    the_board: &Board,
    kernel: &Kernel,
    (loader, carriers): (&[u8], &[(String, Vec<u8>)]),
    objects: &Objects,
    which: Mutants,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let shown = which == Mutants::None && BOARDS.contains(&the_board.name.as_str());
    let gallery = PROGRAMS.iter().filter(|p| shown && EVERYWHERE.contains(&p.case.name)).collect();
    let gallery = Prepared::new(gallery, the_board, kernel, progress)?;
    let kernel = [Opened::packaged(kernel, progress)?];
    let mut packs = packs(objects, &kernel, which)?;
    if module_types::is_on(the_board) {
        packs.extend(module_types::packs(the_board, which, progress)?);
    }
    let labels: Vec<(String, String, &Packed, &'static Case)> = packs
        .iter()
        .enumerate()
        .flat_map(|(number, p)| {
            p.cases.iter().map(move |case| {
                (format!("{}.{}.{number}", p.tool, case.name), format!("/{}", p.path), p, case)
            })
        })
        .collect();
    let mut runs: Vec<Run<'_>> =
        labels.iter().map(|(label, pack, _, case)| Run { label, case, pack, program: None }).collect();
    let carried: Vec<(String, String)> =
        carriers.iter().map(|(path, _)| (path.replace('/', "."), format!("/{path}"))).collect();
    let (case, path) = match packs.iter().find(|p| p.tool == CARRIED) {
        Some(p) => (&p.cases[0], format!("/{}", p.path)),
        None => bail!("no pack of {CARRIED}"),
    };
    runs.extend(carried.iter().map(|(label, program)| Run {
        label,
        case,
        pack: &path,
        program: Some(program),
    }));
    runs.extend(gallery.runs());
    let mut files: Vec<_> = packs.iter().map(|p| (p.path.clone(), p.bytes.clone())).collect();
    files.extend_from_slice(carriers);
    files.extend(gallery.files.iter().map(|(path, _, bytes)| (path.clone(), bytes.clone())));
    progress.step(&format!("booting {} for {} runs", the_board.name, runs.len()));
    let outputs = board::run(the_board, loader, &files, &runs, progress, on_line)?;
    let mut outcome = judge(the_board, &packs, &labels, &outputs)?;
    for (label, program) in &carried {
        let output = outputs.iter().find(|o| o.label == *label).context("a run without output")?;
        let verdict = case.verdict(output);
        outcome.cases += 1;
        let said = verdict.as_ref().map_or_else(String::as_str, |()| "ok");
        outcome.lines.push(format!("{program}: {said}"));
        outcome.failures.extend(verdict.err().map(|why| format!("{program}: {why}")));
    }
    for cell in gallery.cells(&outputs, the_board, board::CPUS) {
        outcome.cases += 1;
        outcome.lines.push(format!("gallery: {}: {}", cell.name, said(&cell.verdict)));
        outcome.failures.extend(cell.verdict.err().map(|why| format!("gallery: {}: {why}", cell.name)));
    }
    outcome.failures.extend(kernel.iter().filter_map(|kernel| same_kernel(kernel, &outputs).err()));
    Ok(outcome)
}

/// Whether the board runs the kernel that the packs are for: its build id by `/sys/kernel/notes` is the one that was found
/// in the image, and it has types of its own exactly where the image has.
fn same_kernel(kernel: &Opened, outputs: &[Output]) -> Checked {
    let board = outputs.iter().find(|output| output.label == BOARD).ok_or("nothing of the board itself")?;
    let fact = |name: &str| board.facts.get(name).ok_or(format!("the board did not say its {name}"));
    let id: String = kernel.build_id().iter().map(|byte| format!("{byte:02x}")).collect();
    // the name of the note is `GNU`, and in front of that stands its type
    let note = format!("03000000474e5500{id}");
    let notes = fact("notes")?;
    if kernel.build_id().is_empty() || !notes.contains(&note) {
        return Err(format!("the image's build id is {id:?}, the board's notes are {notes}"));
    }
    let wanted = if kernel.is_without_btf() { "no" } else { "yes" };
    match fact("btf")? {
        btf if btf == wanted => Ok(()),
        btf => Err(format!("/sys/kernel/btf is there: {btf}; by the image: {wanted}")),
    }
}

fn judge(
    the_board: &Board,
    packs: &[Packed],
    labels: &[(String, String, &Packed, &'static Case)],
    outputs: &[Output],
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let known = survivors()?;
    let mut excepted = exceptions(&the_board.name)?;
    for p in packs {
        let mut noticed = None;
        for (label, _, _, case) in labels.iter().filter(|(_, _, of, _)| of.path == p.path) {
            let output = outputs.iter().find(|o| o.label == *label).context("a run without output")?;
            match (&p.field, case.verdict(output)) {
                (None, verdict) => {
                    outcome.cases += 1;
                    if let Err(why) = &verdict
                        && let Some(at) = excepted
                            .iter()
                            .position(|e| e.tool == p.tool && e.case == case.name && e.says == *why)
                    {
                        let exception = excepted.swap_remove(at);
                        outcome.excepted += 1;
                        outcome.lines.push(format!("{}: {}: {why}: {}", p.tool, case.name, exception.reason));
                        continue;
                    }
                    outcome.lines.push(format!(
                        "{}: {}: {}",
                        p.tool,
                        case.name,
                        verdict.as_ref().map_or_else(String::as_str, |()| "ok")
                    ));
                    if let Err(why) = verdict {
                        outcome.failures.push(format!("{}: {}: {why}", p.tool, case.name));
                    }
                }
                (Some(_), Err(why)) => _ = noticed.get_or_insert_with(|| format!("{}: {why}", case.name)),
                (Some(_), Ok(())) => {}
            }
        }
        let Some(field) = &p.field else { continue };
        outcome.mutants.0 += 1;
        let listed = known.iter().find(|s| s.is(p.tool, &the_board.name, field));
        let line = match (&noticed, listed) {
            (Some(why), None) => format!("noticed by {why}"),
            (None, Some(s)) => format!("survives: {}", s.reason),
            (Some(why), Some(_)) => format!("is listed in survivors.toml, but was noticed by {why}"),
            (None, None) => "survives, and is not in survivors.toml".to_owned(),
        };
        outcome.lines.push(format!("{} with {field} shifted: {line}", p.tool));
        if noticed.is_none() {
            outcome.mutants.1 += 1;
        }
        if noticed.is_some() == listed.is_some() {
            outcome.failures.push(format!("{} with {field} shifted: {line}", p.tool));
        }
    }
    for e in excepted {
        outcome
            .failures
            .push(format!("{}: {}: {:?} of exceptions.toml did not come up", e.tool, e.case, e.says));
    }
    ensure!(outcome.cases > 0, "no case was run");
    Ok(outcome)
}
