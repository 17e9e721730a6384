//! `corelet headers`: what BPF programs include, as files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::vmlinux::{self, KernelArg};
use crate::btf::dump::Options;
use crate::output;

/// Write the headers that BPF programs include: registers of every architecture out of one object (corelet_tracing.h), types
/// without a vmlinux.h (corelet_types.h), and bpf/*.h by libbpf's names, so that sources written for those compile.
///
/// Compile with -I DIR before other folders; -D__TARGET_ARCH_x is not needed.
///
/// With several kernels, vmlinux.h has the types of all: each type has the members that any of them has. A member that another
/// kernel has of a type that does not fit is in a flavor, `struct NAME___KERNEL`, with what does not fit of that kernel; KERNEL is
/// architecture and version (arm_6_12), or the LABEL that you give. Enumerators with other numbers are listed at the end.
///
/// Example: corelet headers include --kernel vmlinuz && clang -g -O2 -target bpf -I include -c tool.bpf.c -o tool.bpf.o
/// Example: corelet headers include --board qemu-aarch64 --board qemu-armv7 --board qemu-riscv64
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The folder, made if it is not there. Files of these names in it are replaced.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write vmlinux.h too: the types of this kernel (an image, a vmlinux, or BTF). As often as wished, the newest first: its
    /// types are printed whole, and those of the others where they differ. The types of its modules come along that are given
    /// behind it, each as its .ko.
    #[arg(long = "kernel", value_name = "[LABEL=]KERNEL[,module=FILE]…")]
    kernels: Vec<KernelArg>,
    /// The same of a board's kernel, fetched where it is not here yet; boards come before kernels.
    #[arg(long = "board", value_name = "BOARD")]
    boards: Vec<String>,
}

macro_rules! header {
    ($path:literal) => {
        ($path, include_str!(concat!("../../headers/", $path)))
    };
}

/// All headers, by their paths in the folder.
pub const FILES: [(&str, &str); 7] = [
    header!("bpf/bpf_core_read.h"),
    header!("bpf/bpf_endian.h"),
    header!("bpf/bpf_helper_defs.h"),
    header!("bpf/bpf_helpers.h"),
    header!("bpf/bpf_tracing.h"),
    header!("corelet_tracing.h"),
    header!("corelet_types.h"),
];

/// Runs the command.
///
/// # Errors
/// The kernel cannot be read or has no types; a file cannot be written.
pub fn run(args: Args) -> Result<ExitCode> {
    // before anything is written
    let mut kernels = Vec::new();
    for name in &args.boards {
        kernels.push(vmlinux::of_board(name)?);
    }
    for kernel in &args.kernels {
        kernels.push(vmlinux::open(kernel)?);
    }
    let types = vmlinux::text(&kernels, &Options::default())?;
    write(&args.folder)?;
    if let Some(text) = types {
        output::write_file(&args.folder.join("vmlinux.h"), text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes them into `folder`.
pub(super) fn write(folder: &Path) -> Result<()> {
    let bpf = folder.join("bpf");
    std::fs::create_dir_all(&bpf).with_context(|| format!("{}: cannot make this folder", bpf.display()))?;
    FILES.iter().try_for_each(|(path, text)| output::write_file(&folder.join(path), text.as_bytes()))
}
