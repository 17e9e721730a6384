//! `corelet btf min`: the types that some objects need of a kernel, as BTF that libbpf accepts too.

use super::inputs::{Target, read_object, same_byte_order};
use crate::output::{print, write_file};
use crate::relocate::{core_relo, type_count};
use crate::subset;
use anyhow::{Context, Result};
use corelet_core::object::Object;
use corelet_core::relo::{ReloKind, TargetTypes};
use std::path::PathBuf;
use std::process::ExitCode;

/// Cut a kernel's types down to what objects need.
///
/// The result is plain BTF: libbpf takes it as custom BTF (`btf_custom_path`). Relocating the objects against it gives the
/// same as against the whole.
///
/// Example: corelet btf min --btf vmlinux opensnoop.bpf.o execsnoop.bpf.o -o min.btf
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The kernel's types: raw BTF, vmlinux, or a kernel image.
    #[arg(long, value_name = "K")]
    btf: PathBuf,
    /// A module that is loaded, or its BTF; may be repeated. Its types count only where the kernel has none of the name.
    #[arg(long, value_name = "FILE")]
    module: Vec<PathBuf>,
    /// BPF objects.
    #[arg(required = true, value_name = "OBJ")]
    objects: Vec<PathBuf>,
    /// Where to write the BTF; `-` is the standard output.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let target = Target::with_modules(&args.btf, &args.module)?;
    let subset = target.with_types(|types| {
        let mut all = subset::Marks::default();
        for path in &args.objects {
            let name = || path.display().to_string();
            let bytes = read_object(path)?;
            let mut index = vec![0; type_count(&bytes).with_context(name)?];
            let object = Object::parse(&bytes, &mut index).with_context(name)?;
            same_byte_order(object.endian(), types.btf().endian()).with_context(name)?;
            let relos = object.core_relos().map(|r| r.and_then(|r| core_relo(&r)));
            let relos = relos.collect::<Result<Vec<_>, _>>().with_context(name)?;
            if relos.iter().any(|r| r.kind == ReloKind::TypeIdTarget) {
                eprintln!(
                    "note: {}: asks for ids of the kernel's types (bpf_core_type_id_kernel), which plain BTF cannot keep: \
                     through this file they are wrong. A pack keeps them.",
                    path.display()
                );
            }
            all.merge(subset::marks(object.btf(), types, relos.iter()));
        }
        subset::write(types.btf(), &all, true)
    })??;
    write_file(&args.output, &subset.bytes)?;
    if args.output.as_os_str() != "-" {
        let whole = target.btf_bytes()?.len();
        print(&format!(
            "{}: {} bytes, {} types, of {whole} bytes\n",
            args.output.display(),
            subset.bytes.len(),
            subset.types
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
