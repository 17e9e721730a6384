//! `corelet headers`: what BPF programs include, as files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::btf::OwnedBtf;
use crate::btf::dump::{Options, to_c};
use crate::output;

/// Write the headers that BPF programs include: registers of every architecture out of one object (corelet_tracing.h), types
/// without a vmlinux.h (corelet_types.h), and bpf/*.h by libbpf's names, so that sources written for those compile.
///
/// Compile with -I DIR before other folders; -D__TARGET_ARCH_x is not needed.
///
/// Example: corelet headers include --kernel vmlinuz && clang -g -O2 -target bpf -I include -c tool.bpf.c -o tool.bpf.o
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The folder, made if it is not there. Files of these names in it are replaced.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write vmlinux.h too: the types of this kernel (an image, a vmlinux, or BTF), as `corelet btf dump` prints them. Take the
    /// newest; what older kernels have by other names, programs declare as flavors.
    #[arg(long, value_name = "KERNEL")]
    kernel: Option<PathBuf>,
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
    let types = args.kernel.as_deref().map(vmlinux).transpose()?;
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

fn vmlinux(kernel: &Path) -> Result<String> {
    let btf = OwnedBtf::open(kernel)?;
    to_c(&btf.view(), &Options::default()).with_context(|| kernel.display().to_string())
}
