//! `corelet`: what an image builder does with BPF objects and kernels' types, before the device sees any of it.

use anyhow::Result;
use clap::{Parser, Subcommand};
use corelet_host_tools::{cmd, exit};
use std::process::ExitCode;

/// Portable BPF programs for devices with little memory and no toolchain.
///
/// Data goes to standard output, talk to standard error. Exit codes: 0 done, 1 not portable, 2 usage, 3 bad input, 4 the
/// machine lacks something (the message says what to install).
#[derive(Parser)]
#[command(name = "corelet", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Types of a kernel: take them out of a file, cut them down, show them as C, compare them.
    #[command(subcommand)]
    Btf(BtfCommand),
    ExtractObjects(cmd::extract_objects::Args),
    Relocate(cmd::relocate::Args),
    Link(cmd::link::Args),
    Pack(cmd::pack::Args),
    Target(cmd::pack::TargetArgs),
    Kconfig(cmd::kconfig::Args),
    Embed(cmd::embed::Args),
    Inspect(cmd::inspect::Args),
    Image(cmd::image::Args),
    Boot(cmd::boot::Args),
    Decode(cmd::decode::Args),
    Demo(cmd::demo::Args),
    Headers(cmd::headers::Args),
    New(cmd::new::Args),
}

#[derive(Subcommand)]
enum BtfCommand {
    Extract(cmd::extract::Args),
    Convert(cmd::convert::Args),
    Min(cmd::min::Args),
    Dump(cmd::dump::Args),
    Diff(Box<cmd::diff::Args>),
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Btf(BtfCommand::Extract(args)) => cmd::extract::run(args),
        Command::Btf(BtfCommand::Convert(args)) => cmd::convert::run(args),
        Command::Btf(BtfCommand::Min(args)) => cmd::min::run(args),
        Command::Btf(BtfCommand::Dump(args)) => cmd::dump::run(args),
        Command::Btf(BtfCommand::Diff(args)) => cmd::diff::run(*args),
        Command::ExtractObjects(args) => cmd::extract_objects::run(args),
        Command::Relocate(args) => cmd::relocate::run(args),
        Command::Link(args) => cmd::link::run(args),
        Command::Pack(args) => cmd::pack::run(args),
        Command::Target(args) => cmd::pack::run_target(args),
        Command::Kconfig(args) => cmd::kconfig::run(args),
        Command::Embed(args) => cmd::embed::run(args),
        Command::Inspect(args) => cmd::inspect::run(args),
        Command::Image(args) => cmd::image::run(args),
        Command::Boot(args) => cmd::boot::run(args),
        Command::Decode(args) => cmd::decode::run(args),
        Command::Demo(args) => cmd::demo::run(args),
        Command::Headers(args) => cmd::headers::run(args),
        Command::New(args) => cmd::new::run(args),
    }
}

fn main() -> ExitCode {
    // `corelet … | head` ends quietly
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(e) if exit::is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("corelet: {e:#}");
            exit::code_of(&e).into()
        }
    }
}
