//! `corelet embed`: loader and pack in one executable.

use super::image::{loader_for, usage};
use crate::embed::{arches_of, embed};
use crate::input::{MAX_FILE, read_file};
use crate::output::write_executable;
use crate::setup::targets;
use anyhow::{Context, Result};
use corelet_boards::{Board, on_stderr};
use corelet_core::pack::Arch;
use std::path::PathBuf;
use std::process::ExitCode;

/// Put a pack into its loader: one executable, which needs nothing beside it on the device.
///
/// `./tool` does what `corelet-loader run X.pack` does, and takes its options: `./tool --json --for 10`. The loader's other commands
/// come first and name no pack: `./tool verify`, `./tool doctor`, `./tool load`; `./tool status` and `./tool unload` mean
/// the service of the executable's own name.
///
/// Without --loader the loader is that of this checkout, built if need be, for the architecture of the pack's targets or the one that
/// --arch or --board names. A loader that has a pack already gets this one in its place. Same input, same bytes.
///
/// Example: corelet embed opensnoop.pack -o opensnoop
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The pack.
    #[arg(value_name = "X.pack")]
    pack: PathBuf,
    /// The loader's executable, with or without a pack in it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["arch", "board"])]
    loader: Option<PathBuf>,
    /// Build this checkout's loader for an architecture: aarch64, arm, riscv64 or x86_64.
    #[arg(long, value_name = "ARCH", conflicts_with = "board")]
    arch: Option<String>,
    /// Build it for a board: its name, or its TOML file.
    #[arg(long, value_name = "BOARD")]
    board: Option<String>,
    /// Where to write the executable; `-` is the standard output.
    #[arg(short, long, value_name = "TOOL")]
    output: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let name = args.pack.display().to_string();
    let pack = read_file(&args.pack, MAX_FILE)?;
    let arches = arches_of(&pack).with_context(|| name.clone())?;
    let (loader, loader_name) = match &args.loader {
        Some(path) => (read_file(path, MAX_FILE)?, path.display().to_string()),
        None => {
            (loader_for(&target(&args, &arches)?, &mut *on_stderr())?, "this checkout's loader".to_owned())
        }
    };
    let made = embed((&loader, &pack), (&loader_name, &name))?;
    write_executable(&args.output, &made.bytes)?;
    let unused = match made.unused {
        0 => String::new(),
        1 => "; one target is for another architecture and never used".to_owned(),
        n => format!("; {n} targets are for other architectures and never used"),
    };
    let instead = if made.replaced { ", in the place of the pack that the loader had" } else { "" };
    eprintln!(
        "{}: {} bytes for {}, {} of them the pack{instead}{unused}",
        args.output.display(),
        made.bytes.len(),
        made.arch.name(),
        pack.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// Rust's name of the target that the loader is built for.
fn target(args: &Args, arches: &[Arch]) -> Result<String> {
    if let Some(board) = &args.board {
        return Ok(Board::find(board)?.arch.rust);
    }
    let arch = match (&args.arch, arches) {
        (Some(arch), _) => arch.as_str(),
        (None, [arch]) => arch.name(),
        (None, []) => {
            return Err(usage("the pack has no targets, so say for what: --arch, --board or --loader"));
        }
        (None, several) => {
            let names: Vec<_> = several.iter().map(|arch| arch.name()).collect();
            let several = names.join(" and ");
            return Err(usage(format!(
                "the pack has targets for {several}: say which by --arch, --board or --loader"
            )));
        }
    };
    // `arm` is `armv7-…`, `riscv64` `riscv64gc-…`
    let found = targets::LOADER
        .into_iter()
        .find(|target| target.split('-').next().is_some_and(|t| t.starts_with(arch)));
    found
        .map(str::to_owned)
        .ok_or_else(|| usage(format!("{arch}: no loader is for it; aarch64, arm, riscv64 and x86_64 are")))
}
