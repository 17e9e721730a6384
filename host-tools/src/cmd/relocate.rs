//! `corelet relocate`: what relocation does to an object on one kernel, instruction by instruction.

use super::inputs::{Target, read_object, same_byte_order};
use crate::exit::Exit;
use crate::output;
use crate::relocate::{Program, Verdict, relocate, type_count};
use anyhow::{Context, Result};
use corelet_core::object::Object;
use corelet_core::relo::TargetTypes;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Relocate an object against a kernel's types and show what every relocation does.
///
/// Takes all programs, those that are not loaded by default too, and the subprograms. Exits with 1 if a relocation failed.
/// A poisoned instruction is normal where the program guards it; --strict makes it count as well.
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
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    programs: &'a [Program],
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let object_name = args.object.display().to_string();
    let bytes = read_object(&args.object)?;
    let mut index = vec![0; type_count(&bytes).with_context(|| object_name.clone())?];
    let object = Object::parse(&bytes, &mut index).with_context(|| object_name.clone())?;
    let target = Target::with_modules(&args.btf, &args.module)?;
    let programs = target
        .with_types(|types| {
            same_byte_order(object.endian(), types.btf().endian())?;
            relocate(&object, types, &|_| true)
        })?
        .with_context(|| object_name.clone())?;
    let mut out = Vec::new();
    if args.json {
        serde_json::to_writer(&mut out, &Document { schema: 1, programs: &programs })?;
        writeln!(out)?;
    } else {
        print(&mut out, &programs)?;
    }
    let count = |v: Verdict| programs.iter().flat_map(|p| &p.relocations).filter(|r| r.outcome == v).count();
    let (patched, poisoned, failed) =
        (count(Verdict::Patched), count(Verdict::Poisoned), count(Verdict::Failed));
    if !args.json {
        writeln!(out, "{patched} patched, {poisoned} poisoned, {failed} failed")?;
    }
    output::write_file("-".as_ref(), &out)?;
    let bad = failed > 0 || args.strict && poisoned > 0;
    Ok(if bad { Exit::NotPortable.into() } else { ExitCode::SUCCESS })
}

fn print(out: &mut impl Write, programs: &[Program]) -> Result<()> {
    for p in programs {
        writeln!(out, "{} ({}, {} insns)", p.name, p.section, p.insns.bytes.len() / 8)?;
        for r in &p.relocations {
            write!(out, "  relo #{}: insn #{} <{}> {}", r.index, r.insn, r.kind, r.spec)?;
            match (r.outcome, r.old, r.new) {
                (Verdict::Patched, Some(old), Some(new)) => write!(out, ": {old} -> {new}")?,
                (Verdict::Poisoned, ..) => write!(out, ": poisoned")?,
                _ => write!(out, ": FAILED")?,
            }
            if let Some(size) = r.mem_sz {
                write!(out, ", mem_sz {size}")?;
            }
            if let Some(source) = &r.source {
                write!(out, "  ({source})")?;
            }
            writeln!(out)?;
            if let Some(reason) = &r.reason {
                writeln!(out, "    {reason}")?;
            }
        }
    }
    Ok(())
}
