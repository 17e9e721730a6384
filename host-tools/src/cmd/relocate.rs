//! `corelet relocate`: what relocation does to an object on one kernel, instruction by instruction, and why.

use super::inputs::{Target, read_object, same_byte_order};
use crate::exit::Exit;
use crate::explain::{self, Explanation, explain};
use crate::output;
use crate::relocate::{Insns, Program, Relocation, Verdict, type_count};
use anyhow::{Context, Result, ensure};
use corelet_core::object::Object;
use corelet_core::relo::TargetTypes;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Relocate an object against a kernel's types and explain what every relocation does.
///
/// Takes all programs, those that are not loaded by default too, and the subprograms. Each relocation is shown with its
/// source line, the access in C, where the field lies in the object's and in the kernel's types, the kernel's types that
/// were looked at and why each was dropped, and the instruction before and after.
///
/// Exits with 1 if a relocation failed. A poisoned instruction is normal where the program guards it; --strict makes it
/// count as well.
///
/// Example: corelet relocate opensnoop.bpf.o --btf vmlinux.btf
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A BPF object.
    object: PathBuf,
    /// The kernel's types: raw BTF, vmlinux, or a kernel image.
    #[arg(long, value_name = "K")]
    btf: PathBuf,
    /// A module that is loaded, or its BTF; may be repeated. Its types count only where the kernel has none of the name.
    #[arg(long, value_name = "FILE")]
    module: Vec<PathBuf>,
    /// One JSON document, with the relocated instructions.
    #[arg(long)]
    json: bool,
    /// Exit with 1 for poisoned instructions too.
    #[arg(long)]
    strict: bool,
    /// Show this program or subprogram only; all are relocated all the same. May be given several times.
    #[arg(long = "program", value_name = "NAME", conflicts_with = "json")]
    programs: Vec<String>,
    /// Show these relocations only.
    #[arg(long, value_name = "OUTCOME", conflicts_with = "json")]
    only: Option<Verdict>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    programs: Vec<ProgramPart<'a>>,
}

/// A [`Program`], its relocations with their explanations.
#[derive(Serialize)]
struct ProgramPart<'a> {
    name: &'a str,
    section: &'a str,
    offset: u32,
    insns: &'a Insns,
    relocations: Vec<RelocationPart<'a>>,
}

#[derive(Serialize)]
struct RelocationPart<'a> {
    #[serde(flatten)]
    relocation: &'a Relocation,
    #[serde(flatten)]
    explanation: &'a Explanation,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let object_name = args.object.display().to_string();
    let bytes = read_object(&args.object)?;
    let mut index = vec![0; type_count(&bytes).with_context(|| object_name.clone())?];
    let object = Object::parse(&bytes, &mut index).with_context(|| object_name.clone())?;
    let target = Target::with_modules(&args.btf, &args.module)?;
    let (programs, explanations) = target
        .with_types(|types| {
            same_byte_order(object.endian(), types.btf().endian())?;
            explain(&object, types, &|_| true)
        })?
        .with_context(|| object_name.clone())?;
    for name in &args.programs {
        let known = || programs.iter().map(|p| &*p.name).collect::<Vec<_>>().join(", ");
        ensure!(
            programs.iter().any(|p| p.name == *name),
            "{object_name}: has no program {name}; it has {}",
            known()
        );
    }
    let count = |v: Verdict| programs.iter().flat_map(|p| &p.relocations).filter(|r| r.outcome == v).count();
    let (patched, poisoned, failed) =
        (count(Verdict::Patched), count(Verdict::Poisoned), count(Verdict::Failed));
    let mut out = String::new();
    if args.json {
        out.push_str(&serde_json::to_string(&document(&programs, &explanations))?);
        out.push('\n');
    } else {
        for (program, explanations) in programs.iter().zip(&explanations) {
            if args.programs.is_empty() || args.programs.contains(&program.name) {
                explain::write(&mut out, program, explanations, &|r| {
                    args.only.is_none_or(|o| o == r.outcome)
                })?;
            }
        }
        writeln!(out, "{patched} patched, {poisoned} poisoned, {failed} failed")?;
    }
    output::print(&out)?;
    let bad = failed > 0 || args.strict && poisoned > 0;
    Ok(if bad { Exit::NotPortable.into() } else { ExitCode::SUCCESS })
}

fn document<'a>(programs: &'a [Program], explanations: &'a [Vec<Explanation>]) -> Document<'a> {
    let parts = programs.iter().zip(explanations).map(|(program, explanations)| ProgramPart {
        name: &program.name,
        section: &program.section,
        offset: program.offset,
        insns: &program.insns,
        relocations: (program.relocations.iter().zip(explanations))
            .map(|(relocation, explanation)| RelocationPart { relocation, explanation })
            .collect(),
    });
    Document { schema: 1, programs: parts.collect() }
}
