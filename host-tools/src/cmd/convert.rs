//! `corelet btf convert`: BTF of the DWARF in a vmlinux.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::dwarf::{self, Options};
use crate::output;

/// Make BTF of a kernel's DWARF.
///
/// VMLINUX is the kernel as ELF with debug information, as a -dbg or -debuginfo package or a build has it.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The vmlinux.
    vmlinux: PathBuf,
    /// Where to write the BTF; `-` is the standard output.
    #[arg(short, long, value_name = "OUT.btf")]
    output: PathBuf,
    /// Threads; as many as there are cores without this.
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    jobs: usize,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let converted = dwarf::convert(&args.vmlinux, &Options { threads: args.jobs }, &|_, _| {})?;
    for skipped in converted.skipped.iter().take(10) {
        eprintln!(
            "corelet: {}: unit at {:#x} ({}): {}",
            args.vmlinux.display(),
            skipped.at,
            skipped.name,
            skipped.why
        );
    }
    if converted.skipped.len() > 10 {
        eprintln!("corelet: and {} more units left out", converted.skipped.len() - 10);
    }
    output::write_file(&args.output, &converted.btf)?;
    eprintln!("{:?}", converted.counts);
    Ok(ExitCode::SUCCESS)
}
