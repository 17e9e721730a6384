//! `corelet pack` and `corelet target`: the device's files.

use super::inputs::read_object;
use super::target_arg::{Opened, TargetArg, with_kernels};
use crate::exit::{Exit, Failure};
use crate::manifest::Manifest;
use crate::output::{print, write_file};
use crate::pack::{Built, Input, ObjectReport, Options, build, container};
use crate::relocate::Verdict;
use anyhow::{Context, Result};
use corelet_core::pack::{Decision, Formula, SkipReason, section};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make the device's file: objects, and what they need of each kernel they may meet.
///
/// A manifest (NAME.toml beside NAME.bpf.o, or one that comes with corelet for a known tool) says what the object does not:
/// event types, alternatives, what is optional.
///
/// Example: corelet pack opensnoop.bpf.o --target vmlinuz-6.12,config=config-6.12 -o opensnoop.pack
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Keep source lines, which the verifier then shows; they take as much room as the instructions.
    #[arg(long)]
    lines: bool,
}

/// Make a target file: what packed objects need of a kernel that came later. The loader takes it with --target.
///
/// Example: corelet target opensnoop.bpf.o --target vmlinuz-6.13 -o opensnoop-6.13.target
#[derive(clap::Args, Debug)]
pub struct TargetArgs {
    #[command(flatten)]
    what: What,
}

#[derive(clap::Args, Debug)]
struct What {
    /// BPF objects.
    #[arg(required = true, value_name = "OBJ")]
    objects: Vec<PathBuf>,
    /// A kernel: image, vmlinux or BTF, and what the file does not say (config=FILE, release=, version=, arch=, build-id=).
    #[arg(long = "target", required = true, value_name = "FILE[,KEY=VALUE]…")]
    targets: Vec<TargetArg>,
    /// The manifest of the one object.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Where to write the file.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `corelet pack`.
pub fn run(args: Args) -> Result<ExitCode> {
    args.what.run(&Options { lines: args.lines }, |_| true)
}

/// Runs `corelet target`.
pub fn run_target(args: TargetArgs) -> Result<ExitCode> {
    args.what.run(&Options::default(), section::of_target)
}

impl What {
    fn run(&self, options: &Options, keep: impl Fn(u16) -> bool) -> Result<ExitCode> {
        if self.manifest.is_some() && self.objects.len() > 1 {
            let message =
                "--manifest is for one object; put NAME.toml beside each NAME.bpf.o instead".to_owned();
            return Err(Failure { exit: Exit::Usage, message }.into());
        }
        let inputs =
            self.objects.iter().map(|o| input(o, self.manifest.as_deref())).collect::<Result<Vec<_>>>()?;
        let opened = self.targets.iter().map(Opened::open).collect::<Result<Vec<_>>>()?;
        let mut built = with_kernels(&opened, |kernels| build(&inputs, kernels, options))?;
        built.sections.retain(|s| keep(s.id));
        let file = container(&built.sections)?;
        let portable = built.reports.iter().flat_map(|r| &r.targets).all(|t| t.portable());
        if portable {
            write_file(&self.output, &file)?;
        }
        let report = Report::of(&self.output, file.len(), &built);
        let text = if self.json { serde_json::to_string(&report)? + "\n" } else { report.text()? };
        match self.output.as_os_str() == "-" {
            true => eprint!("{text}"),
            false => print(&text)?,
        }
        for r in &built.reports {
            say_unresolved(r);
        }
        if !portable {
            eprintln!("corelet: nothing was written: a failed relocation cannot be loaded");
            return Ok(Exit::NotPortable.into());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An object with its manifest: the one given, one beside it, or one that comes with corelet.
pub(crate) fn input(path: &Path, manifest: Option<&Path>) -> Result<Input> {
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let name = file.strip_suffix(".bpf.o").or(file.strip_suffix(".o")).unwrap_or(&file).to_owned();
    let beside = path.with_file_name(format!("{name}.toml"));
    let read = |path: &Path| -> Result<Manifest> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
        Manifest::parse(&path.display().to_string(), &text)
    };
    let manifest = match (manifest, Manifest::builtin(&name)) {
        (Some(path), _) => read(path)?,
        (None, _) if beside.exists() => read(&beside)?,
        (None, Some(text)) => Manifest::parse(&format!("{name}.toml (comes with corelet)"), text)?,
        (None, None) => Manifest::default(),
    };
    let bytes = read_object(path)?;
    Ok(Input { name, bytes, manifest })
}

#[derive(Serialize)]
struct Report {
    schema: u32,
    file: String,
    bytes: usize,
    objects: Vec<ObjectJson>,
}

#[derive(Serialize)]
struct ObjectJson {
    name: String,
    object_bytes: usize,
    targets: Vec<TargetJson>,
}

#[derive(Serialize)]
struct TargetJson {
    release: String,
    full_btf_bytes: usize,
    subset_bytes: usize,
    subset_types: usize,
    programs: Vec<(String, &'static str)>,
    patched: usize,
    poisoned: usize,
    failed: usize,
    work: FormulaJson,
    maps: FormulaJson,
}

#[derive(Serialize)]
struct FormulaJson {
    fixed: u32,
    per_cpu: u32,
    pages: u32,
    pages_per_cpu: u32,
}

impl From<Formula> for FormulaJson {
    fn from(f: Formula) -> Self {
        FormulaJson { fixed: f.fixed, per_cpu: f.per_cpu, pages: f.pages, pages_per_cpu: f.pages_per_cpu }
    }
}

impl Report {
    fn of(path: &Path, bytes: usize, built: &Built) -> Report {
        let objects = built.reports.iter().map(|r| ObjectJson {
            name: r.name.clone(),
            object_bytes: r.object,
            targets: r.targets.iter().map(TargetJson::of).collect(),
        });
        Report { schema: 1, file: path.display().to_string(), bytes, objects: objects.collect() }
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        writeln!(out, "{}: {} bytes", self.file, self.bytes)?;
        for o in &self.objects {
            writeln!(out, "{}: object of {} bytes", o.name, o.object_bytes)?;
            for t in &o.targets {
                writeln!(
                    out,
                    "  {}: {} bytes of types ({} types) out of {}; {} relocations patched, {} poisoned, {} failed",
                    t.release,
                    t.subset_bytes,
                    t.subset_types,
                    t.full_btf_bytes,
                    t.patched,
                    t.poisoned,
                    t.failed
                )?;
                for (program, what) in t.programs.iter().filter(|(_, what)| *what != "loaded") {
                    writeln!(out, "    {program}: {what}")?;
                }
                writeln!(out, "    loader memory: {}", words(&t.work))?;
                writeln!(out, "    map memory:    {}", words(&t.maps))?;
            }
        }
        Ok(out)
    }
}

/// `23,712 bytes + 64 × CPUs + page × (3 + 9 × CPUs)`, and what that is on a machine of one CPU with pages of 4 KiB.
fn words(f: &FormulaJson) -> String {
    let formula =
        Formula { fixed: f.fixed, per_cpu: f.per_cpu, pages: f.pages, pages_per_cpu: f.pages_per_cpu };
    format!(
        "{} + {} × CPUs + page × ({} + {} × CPUs) bytes: {} with 1 CPU and pages of 4 KiB",
        f.fixed,
        f.per_cpu,
        f.pages,
        f.pages_per_cpu,
        formula.bytes(1, 4096)
    )
}

impl TargetJson {
    fn of(t: &crate::pack::TargetReport) -> TargetJson {
        let count = |v: Verdict| t.unresolved.iter().filter(|(_, r)| r.outcome == v).count();
        let what = |d: &Decision| match d {
            Decision::Load => "loaded",
            Decision::IfPresent => "optional: skipped where the kernel lacks what it attaches to",
            Decision::Skip(SkipReason::Disabled) => "not loaded: disabled by the manifest",
            Decision::Skip(SkipReason::Alternative) => "not loaded: an alternative is",
            Decision::Skip(SkipReason::NoAutoload) => "not loaded: its section name begins with `?`",
        };
        TargetJson {
            release: t.release.clone(),
            full_btf_bytes: t.full_btf,
            subset_bytes: t.subset,
            subset_types: t.subset_types,
            programs: t.decisions.iter().map(|(name, d)| (name.clone(), what(d))).collect(),
            patched: t.patched,
            poisoned: count(Verdict::Poisoned),
            failed: count(Verdict::Failed),
            work: t.memory.work.into(),
            maps: t.memory.maps.into(),
        }
    }
}

/// Every relocation that was not patched, with what a person can act on.
fn say_unresolved(report: &ObjectReport) {
    for t in &report.targets {
        for name in &t.absent {
            eprintln!(
                "note: {} on {}: `{name}` of the kernel is weak, and this version's loader takes it for missing",
                report.name, t.release
            );
        }
        for (program, r) in &t.unresolved {
            let how = if r.outcome == Verdict::Failed { "error" } else { "poisoned" };
            let source = r.source.as_deref().map(|s| format!("{s}: ")).unwrap_or_default();
            let reason = r.reason.as_deref().unwrap_or("");
            eprintln!(
                "{how}: {} on {}: {source}{program} insn #{} <{}> {}: {reason}",
                report.name, t.release, r.insn, r.kind, r.spec
            );
        }
    }
}
