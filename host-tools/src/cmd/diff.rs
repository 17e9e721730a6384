//! `corelet btf diff`: what changed between two kernels.

use super::inputs::{read_object, same_byte_order};
use super::pack::manifest_of;
use super::target_arg::TargetArg;
use crate::diff::describe::Types;
use crate::diff::uses::{Count, Use, Uses};
use crate::diff::{TypeChange, diff, write, write_uses};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::relocate::type_count;
use crate::subset::KernelTypes;
use anyhow::{Context, Result};
use corelet_core::object::Object;
use corelet_core::relo::TargetTypes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what changed from one kernel to another, and why a program would break.
///
/// Compares all types, or those that are named: structs, unions and enums, typedefs, functions with their prototypes,
/// tracepoints with their arguments, variables. A member is moved, changed (type, size, bitfield), gone, new, or perhaps
/// renamed: one of its type lies in its place. With --object only what the programs touch is shown, each with the source
/// line and what relocation makes of it: another value silently, or a poisoned instruction.
///
/// Exits with 0 if nothing is different, with 1 if something is, as diff(1) does.
///
/// Examples: corelet btf diff vmlinux-6.1 vmlinux-6.12 task_struct; corelet btf diff A B --object opensnoop.bpf.o
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The kernel before, as FILE[,btf=FILE][,modules=FOLDER]…: raw BTF, vmlinux, a kernel image or what it is in.
    #[arg(value_name = "A")]
    before: TargetArg,
    /// The kernel after.
    #[arg(value_name = "B")]
    after: TargetArg,
    /// Names of types, functions, tracepoints: task_struct, "struct sock", "function vfs_read", "tracepoint sched_switch".
    #[arg(value_name = "TYPE")]
    types: Vec<String>,
    /// Compare what this BPF object uses; may be repeated.
    #[arg(long = "object", value_name = "OBJ", num_args = 1..)]
    objects: Vec<PathBuf>,
    /// Compare with the types of this module, which may be built into either kernel; may be repeated. Where both kernels have
    /// modules=, those that the objects' manifests name are taken too.
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    types: Vec<TypePart<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    objects: Vec<Count>,
    /// Relocations that come out otherwise though nothing of what they name has changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<&'a Use>,
}

#[derive(Serialize)]
struct TypePart<'a> {
    #[serde(flatten)]
    change: &'a TypeChange,
    /// By part; with an empty name those of the whole.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    uses: BTreeMap<&'a str, Vec<&'a Use>>,
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read or has no types; an object cannot be relocated; a name that neither kernel has.
pub fn run(args: Args) -> Result<ExitCode> {
    let modules = modules(&args)?;
    let (before, after) = (args.before.types(&modules)?, args.after.types(&modules)?);
    let mut out = String::new();
    let equal = before.with_types(|a| after.with_types(|b| compare(&args, a, b, &mut out)))???;
    output::print(&out)?;
    Ok(if equal { ExitCode::SUCCESS } else { Exit::NotPortable.into() })
}

/// The modules whose types are compared.
fn modules(args: &Args) -> Result<Vec<String>> {
    let mut all = args.modules.clone();
    if args.before.has_modules() && args.after.has_modules() {
        for path in &args.objects {
            all.extend(manifest_of(path, None)?.1.modules);
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// Writes the report; whether nothing is different.
fn compare(args: &Args, before: &KernelTypes<'_>, after: &KernelTypes<'_>, out: &mut String) -> Result<bool> {
    let mut uses = Uses::default();
    let mut counts = Vec::new();
    for path in &args.objects {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mut add = || -> Result<Count> {
            let bytes = read_object(path)?;
            let mut index = vec![0; type_count(&bytes)?];
            let object = Object::parse(&bytes, &mut index)?;
            same_byte_order(object.endian(), before.btf().endian())?;
            same_byte_order(object.endian(), after.btf().endian())?;
            uses.add(&name, &object, before, after)
        };
        counts.push(add().with_context(|| path.display().to_string())?);
    }
    let touched = uses.types();
    let named = |kind: &str, name: &str| args.types.iter().any(|wanted| is_called(wanted, kind, name));
    let wanted = |kind: &str, name: &str| match (args.types.is_empty(), args.objects.is_empty()) {
        (true, true) => true,
        (true, false) => touched.contains(&(kind, name)),
        (false, _) => named(kind, name),
    };
    refuse_unknown(args, before, after)?;
    let mut changes = diff(before.btf(), after.btf(), &wanted)?;
    let of_objects = !args.objects.is_empty();
    if of_objects && args.types.is_empty() {
        uses.only_touched(&mut changes);
    }
    let others = if args.types.is_empty() { uses.others(&changes) } else { Vec::new() };
    let equal = changes.is_empty() && others.is_empty();
    if args.json {
        let types = changes.iter().map(|change| TypePart { change, uses: by_part(change, &uses) }).collect();
        let document = Document { schema: 1, types, objects: counts, others };
        out.push_str(&serde_json::to_string(&document)?);
        out.push('\n');
        return Ok(equal);
    }
    write(out, &changes, of_objects.then_some(&uses))?;
    if !others.is_empty() {
        writeln!(out, "other relocations that come out otherwise")?;
        write_uses(out, &others)?;
    }
    for count in &counts {
        writeln!(out, "{}", count.text())?;
    }
    match changes.len() {
        1 => out.push_str("1 type differs\n"),
        n => writeln!(out, "{n} types differ")?,
    }
    Ok(equal)
}

fn by_part<'a>(change: &'a TypeChange, uses: &'a Uses) -> BTreeMap<&'a str, Vec<&'a Use>> {
    let parts = [""].into_iter().chain(change.parts.iter().map(|p| &*p.name));
    parts.map(|part| (part, uses.of(change, part))).filter(|(_, uses)| !uses.is_empty()).collect()
}

/// Whether `wanted` is the name, or the kind and the name.
fn is_called(wanted: &str, kind: &str, name: &str) -> bool {
    let (word, rest) = wanted.split_once(' ').unwrap_or(("", wanted));
    rest.trim() == name && (word.is_empty() || word == kind)
}

fn refuse_unknown(args: &Args, before: &KernelTypes<'_>, after: &KernelTypes<'_>) -> Result<()> {
    let types = [before, after].map(|t| Types::new(t.btf()));
    for wanted in &args.types {
        let known = types.iter().any(|t| t.keys().any(|(kind, name)| is_called(wanted, kind, name)));
        if !known {
            return Err(Failure::usage(format!(
                "neither kernel has a type called {wanted}: a struct, union, enum, typedef, function, tracepoint, variable, \
                 integer or float"
            )));
        }
    }
    Ok(())
}
