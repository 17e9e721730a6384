//! What `corelet pack` and `corelet target` print: the report, and warnings and notes with what to do about each.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use corelet_core::btf::names;
use corelet_core::pack::{Decision, Formula, MapFate, SkipReason};
use serde::Serialize;

use crate::pack::{Built, Input, ObjectReport, TargetReport, TypeIds, UntypedEvents, WideRead};
use crate::relocate::{Relocation, Verdict};

/// The report as it is printed: as JSON, or by [`Report::text`].
#[derive(Serialize)]
pub(super) struct Report<'x> {
    schema: u32,
    file: String,
    /// Bytes of the file; null where nothing was written.
    bytes: Option<usize>,
    /// The files of single targets, with `--targets-out`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more: Vec<FileJson>,
    objects: Vec<ObjectJson<'x>>,
}

#[derive(Serialize)]
struct FileJson {
    file: String,
    /// Null where nothing was written.
    bytes: Option<usize>,
}

#[derive(Serialize)]
struct ObjectJson<'x> {
    name: &'x str,
    object_bytes: usize,
    /// File of the manifest; null where there is none.
    manifest: Option<&'x str>,
    untyped_events: &'x [UntypedEvents],
    targets: Vec<TargetJson<'x>>,
}

#[derive(Serialize)]
struct TargetJson<'x> {
    release: &'x str,
    version: &'x str,
    arch: &'static str,
    build_id: String,
    /// The modules that must be loaded, in these builds.
    modules: Vec<ModuleJson<'x>>,
    full_btf_bytes: usize,
    subset_bytes: usize,
    subset_types: usize,
    programs: Vec<(&'x str, &'static str)>,
    patched: usize,
    poisoned: usize,
    failed: usize,
    /// Of the poisoned, those that nothing in their function guards.
    unguarded: usize,
    unresolved: Vec<RelocationJson<'x>>,
    /// Options that the programs need and the kernel's configuration does not set, with the programs and the reason.
    lacking_options: &'x [String],
    /// What programs that must be loaded attach to or use, and the kernel's types do not show.
    doubts: &'x [String],
    wide_reads: &'x [WideRead],
    /// Elements at variable indices of arrays whose elements have another size in the kernel.
    strides: &'x [String],
    /// Probes that read registers at the offsets of an architecture which the object does not name.
    register_reads: &'x [String],
    /// Calls of helpers that the kernel is too old for, in whose place the loader calls others.
    replaced_calls: usize,
    /// Relocations that took the id of a type from BTF that is not the kernel's own, or may not be.
    foreign_ids: Vec<RelocationJson<'x>>,
    work: FormulaJson,
    maps: FormulaJson,
}

#[derive(Serialize)]
struct ModuleJson<'x> {
    name: &'x str,
    build_id: String,
}

/// A relocation, and the function that it is of.
#[derive(Serialize)]
struct RelocationJson<'x> {
    program: &'x str,
    #[serde(flatten)]
    relocation: &'x Relocation,
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

impl<'x> Report<'x> {
    /// `files` are those that were to be written, one at least.
    pub(super) fn of(
        files: &[(PathBuf, Vec<u8>)],
        written: bool,
        inputs: &'x [Input],
        built: &'x Built,
    ) -> Report<'x> {
        let mut files = files.iter().map(|(path, bytes)| FileJson {
            file: path.display().to_string(),
            bytes: written.then_some(bytes.len()),
        });
        let first = files.next();
        let objects = built.reports.iter().zip(inputs).map(|(r, input)| ObjectJson {
            name: &r.name,
            object_bytes: r.object,
            manifest: Some(&*input.manifest.file).filter(|file| !file.is_empty()),
            untyped_events: &r.untyped,
            targets: r.targets.iter().map(TargetJson::of).collect(),
        });
        let (file, bytes) = first.map_or((String::new(), None), |f| (f.file, f.bytes));
        Report { schema: 1, file, bytes, more: files.collect(), objects: objects.collect() }
    }

    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        if let Some(bytes) = self.bytes {
            writeln!(out, "{}: {bytes} bytes", self.file)?;
        }
        for FileJson { file, bytes } in &self.more {
            if let Some(bytes) = bytes {
                writeln!(out, "{file}: {bytes} bytes")?;
            }
        }
        for o in &self.objects {
            writeln!(out, "{}: object of {} bytes", o.name, o.object_bytes)?;
            writeln!(out, "  manifest: {}", o.manifest.unwrap_or("none"))?;
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
                for module in &t.modules {
                    writeln!(out, "    needs module {} of build id {}", module.name, module.build_id)?;
                }
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

impl<'x> TargetJson<'x> {
    fn of(t: &'x TargetReport) -> TargetJson<'x> {
        let count = |v: Verdict| t.unresolved.iter().filter(|(_, r)| r.outcome == v).count();
        let what = |d: &Decision| match d {
            Decision::Load => "loaded",
            Decision::IfPresent => "optional: skipped where the kernel lacks what it attaches to",
            Decision::OneOf { .. } => "of the alternatives the first that the kernel can attach is loaded",
            Decision::Skip(SkipReason::Disabled) => "not loaded: disabled by the manifest",
            Decision::Skip(SkipReason::Alternative) => "not loaded: an alternative is",
            Decision::Skip(SkipReason::NoAutoload) => "not loaded: its section name begins with `?`",
        };
        TargetJson {
            release: &t.release,
            version: &t.version,
            arch: t.arch.name(),
            build_id: hex(&t.build_id),
            modules: (t.modules.iter())
                .map(|(name, build_id)| ModuleJson { name, build_id: hex(build_id) })
                .collect(),
            full_btf_bytes: t.full_btf,
            subset_bytes: t.subset,
            subset_types: t.subset_types,
            programs: t.decisions.iter().map(|(name, d)| (name.as_str(), what(d))).collect(),
            patched: t.patched,
            poisoned: count(Verdict::Poisoned),
            failed: count(Verdict::Failed),
            unguarded: t.unguarded.len(),
            unresolved: (t.unresolved.iter())
                .map(|(program, relocation)| RelocationJson { program, relocation })
                .collect(),
            lacking_options: &t.lacking,
            doubts: &t.doubts,
            wide_reads: &t.wide_reads,
            strides: &t.strides,
            register_reads: &t.registers,
            replaced_calls: t.replaced_calls,
            foreign_ids: (t.foreign_ids.iter())
                .map(|(program, relocation)| RelocationJson { program, relocation })
                .collect(),
            work: t.memory.work.into(),
            maps: t.memory.maps.into(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a person is told of an object on the standard error; with `events`, of its buffers whose events have no type.
pub(super) fn say(report: &ObjectReport, events: bool) {
    say_unresolved(report);
    say_foreign_ids(report);
    say_wide_reads(report);
    say_older_ways(report);
    if events {
        say_untyped(report);
    }
}

/// Every relocation that was not patched, with what a person can act on.
fn say_unresolved(report: &ObjectReport) {
    for t in &report.targets {
        for lack in &t.lacking {
            eprintln!(
                "warning: {} on {}: the configuration given does not set {lack}",
                report.name, t.release
            );
        }
        if t.replaced_calls > 0 {
            eprintln!(
                "note: {} on {}: kernels before 5.5 have no bpf_probe_read_kernel(), bpf_probe_read_user() and the like: the \
                 loader calls bpf_probe_read() or bpf_probe_read_str() in their place, {} times",
                report.name, t.release, t.replaced_calls
            );
        }
        for doubt in &t.doubts {
            eprintln!(
                "warning: {} on {}: {doubt}, as far as types show: loading fails unless a loaded module has it or the types \
                 leave it out",
                report.name, t.release
            );
        }
        for name in &t.absent {
            eprintln!(
                "note: {} on {}: the kernel itself has no `{name}`; it is weak, so missing unless a loaded module has it",
                report.name, t.release
            );
        }
        let (programs, off) = &t.needs_jit;
        if !programs.is_empty() {
            eprintln!(
                "warning: {} on {}: only the kernel's compiler (JIT), {off}, can run {}",
                report.name,
                t.release,
                programs.join(", ")
            );
        }
        for (map, fate) in &t.map_fates {
            let what = match fate {
                MapFate::PerfBuffer => "a perf event array takes the ring buffer's place",
                MapFate::Absent => "it is not created, and programs that use it after all are refused there",
            };
            eprintln!("note: {} on {}: map {map}: the kernel lacks its type: {what}", report.name, t.release);
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

/// Every id of a type that the kernel may not know.
fn say_foreign_ids(report: &ObjectReport) {
    for t in &report.targets {
        let (why, next) = match t.type_ids {
            TypeIds::Kernels => continue,
            TypeIds::Others => (
                "its types here are not the kernel's own BTF but were made of debug information, so no kernel knows that id",
                "build the kernel with CONFIG_DEBUG_INFO_BTF, or disable the program in the manifest if the tool works \
                 without it",
            ),
            TypeIds::Unknown => (
                "raw BTF does not say whether it is the kernel's own; if it was made of debug information, no kernel knows \
                 that id",
                "give the kernel's image as the target, which tells",
            ),
        };
        for (program, r) in &t.foreign_ids {
            let source = r.source.as_deref().map(|s| format!("{s}: ")).unwrap_or_default();
            eprintln!(
                "warning: {} on {}: {source}{program} insn #{} asks for the kernel's id of {}: {why}, and helpers that take it \
                 fail; {next}",
                report.name, t.release, r.insn, r.spec
            );
        }
    }
}

/// How a poisoned access that nothing guards is to be written.
fn idiom(r: &Relocation) -> String {
    // `[7] struct task_struct___old.state (0:1 @ offset 8)`, `[9] enum reason::NONE = 1`
    fn named(spec: &str) -> &str {
        let spec = spec.split_once("] ").map_or(spec, |(_, rest)| rest);
        spec.split_once(" (").or_else(|| spec.split_once(" = ")).map_or(spec, |(spec, _)| spec)
    }
    let spec = named(&r.spec);
    if let Some(there) = &r.target_spec {
        let there = named(there);
        return format!(
            "the kernel has {there} in another size, which a load does not follow, so it refuses the program if it comes here: \
             read it by BPF_CORE_READ, or CORELET_READ_LONG where it has a sign (corelet headers DIR), which take as many bytes \
             as the kernel has"
        );
    }
    let (asks, root) = match (spec.split_once("::"), spec.split_once('.')) {
        (Some((root, value)), _) => (format!("bpf_core_enum_value_exists({root}, {value})"), root),
        (_, Some((root, _)))
            if r.reason.as_deref().is_some_and(|why| why.ends_with(names::essential(root))) =>
        {
            return format!(
                "the kernel has no {root}, so it refuses the program: if that is the program's own, put what it holds into a \
                 variable before the read, which relocates every member on its way; if some kernels have it, read it behind \
                 `if (bpf_core_type_exists({root}))`"
            );
        }
        (_, Some((root, member))) => (format!("bpf_core_field_exists({root}, {member})"), root),
        _ => (format!("bpf_core_type_exists({spec})"), spec),
    };
    format!(
        "nothing that is asked before leaves this out on this kernel, which has no such thing, so it refuses the program: read it \
         behind `if ({asks})`, and in the other branch what other kernels have in its place, by a flavor of the type \
         ({}___old {{ ... }})",
        names::essential(root)
    )
}

/// Every read of a constant size that is more than the member has in the kernel.
fn say_wide_reads(report: &ObjectReport) {
    for t in &report.targets {
        // a line that reads a member takes several relocations
        let mut said = BTreeSet::new();
        for (program, r) in &t.unguarded {
            let source = r.source.as_deref().map(|s| format!("{s}: ")).unwrap_or_default();
            let idiom = idiom(r);
            if said.insert((program, r.source.as_deref(), idiom.clone())) {
                eprintln!(
                    "warning: {} on {}: {source}{program} insn #{}: {idiom}",
                    report.name, t.release, r.insn
                );
            }
        }
        for read in t.registers.iter().chain(&t.strides) {
            eprintln!("warning: {} on {}: {read}", report.name, t.release);
        }
        for read in &t.wide_reads {
            let source = read.source.as_deref().map(|s| format!("{s}: ")).unwrap_or_default();
            eprintln!(
                "warning: {} on {}: {source}{} insn #{} reads {} bytes of {}, which has {} there: what lies behind it comes \
                 along, so a test for NULL or 0, a key of a map or a printed value goes wrong; read \
                 bpf_core_field_size(…) bytes into a variable that was zeroed, or compile it against this kernel's own \
                 header (corelet btf dump), which gives integers their size",
                report.name, t.release, read.program, read.insn, read.size, read.field, read.target
            );
        }
    }
}

/// Every program of a device that an old kernel attaches without a link.
fn say_older_ways(report: &ObjectReport) {
    for t in &report.targets {
        for (program, way) in &t.older_ways {
            eprintln!("warning: {} on {}: {program} is {way}", report.name, t.release);
        }
    }
}

/// Every buffer whose events the loader takes and cannot print.
fn say_untyped(report: &ObjectReport) {
    for u in &report.untyped {
        let sizes: Vec<String> = u.sizes.iter().map(u32::to_string).collect();
        let size = match sizes.is_empty() {
            true => "a size that varies".to_owned(),
            false => format!("{} bytes", sizes.join(" or ")),
        };
        eprintln!(
            "warning: {0}: map {1}: carries events of {size} (sent by {2}), but no manifest gives their type: the loader will \
             not print them; add [maps.{1}] event = \"struct NAME\" or event_decl = \"struct NAME {{ ... }};\" to the \
             manifest, {0}.toml beside the object",
            report.name,
            u.map,
            u.programs.join(", "),
        );
    }
}
