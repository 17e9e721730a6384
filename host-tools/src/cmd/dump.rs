//! `corelet btf dump`: the types of a kernel as C, or the layout of one.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::vmlinux::{self, KernelArg};
use crate::btf::dump::Options;
use crate::btf::{OwnedBtf, layout};
use crate::output;

/// Print a kernel's types as C, for BPF programs to include as vmlinux.h; or one struct with its layout.
///
/// With TYPE, a struct or union is printed with the offset and size of each member, holes, bitfields, padding and cachelines,
/// as pahole does.
///
/// With --with, the header has the types of several kernels, for objects that are compiled once for all: see corelet headers.
///
/// Offsets and sizes are the kernel's where C for BPF can have them: everywhere for a 64-bit kernel. Pointers have 8 bytes
/// for BPF, so types of a 32-bit kernel that hold pointers are laid out differently; programs built with the header run
/// there all the same, since CO-RE takes every offset from the kernel. Integers always have the kernel's size: a 4-byte
/// long of a 32-bit kernel is printed as int.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Raw BTF, an ELF file with a .BTF section, or a kernel image.
    #[arg(value_name = "KERNEL")]
    kernel: PathBuf,
    /// Print the layout of this struct or union: task_struct, "union thread_union", or a typedef of one.
    #[arg(value_name = "TYPE", conflicts_with_all = ["types", "asserts"])]
    layout: Option<String>,
    /// Bytes of a cacheline, for the layout.
    #[arg(long, value_name = "BYTES", default_value_t = 64, requires = "layout", value_parser = clap::value_parser!(u32).range(1..))]
    cacheline: u32,
    /// Print only this type and what it needs: task_struct, "struct sock", pid_t. May be given several times.
    #[arg(short, long = "type", value_name = "NAME")]
    types: Vec<String>,
    /// A further kernel whose types the header has too, under [LABEL=], with those of modules: may be given several times.
    #[arg(long = "with", value_name = "[LABEL=]KERNEL[,module=FILE]…", conflicts_with_all = ["layout", "asserts"])]
    with: Vec<KernelArg>,
    /// Add assertions that C has laid out every type as the kernel has.
    #[arg(long)]
    asserts: bool,
    /// Where to write it; `-` is the standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The kernel cannot be read, has no BTF, or lacks a type that was asked for; the output cannot be written.
pub fn run(args: Args) -> Result<ExitCode> {
    let text = match &args.layout {
        Some(wanted) => {
            let btf = OwnedBtf::open(&args.kernel)?;
            layout::text(&btf.view(), wanted, args.cacheline)
                .with_context(|| args.kernel.display().to_string())?
        }
        None => {
            let first = KernelArg::of(&args.kernel);
            let kernels =
                [&first].into_iter().chain(&args.with).map(vmlinux::open).collect::<Result<Vec<_>>>()?;
            vmlinux::text(&kernels, &Options { types: args.types, asserts: args.asserts })?
                .unwrap_or_default()
        }
    };
    output::write_file(&args.output, text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
