//! `corelet boot`: a board under QEMU, its packs loaded, their events on this terminal.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use corelet_boards::{Board, Boot, bootable, kernel_for, on_stderr};

use super::image::{Contents, TALK, Talk, usage};
use crate::input::read_file;

/// Boot a board under QEMU and load packs there; what they print appears here.
///
/// Events go to the standard output, what the loader says beside them to the standard error. The exit code is that of the loader on the board, or of the workload. Ctrl-C ends the board.
///
/// Example: corelet boot --board qemu-riscv64 --pack opensnoop.pack --for 10
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    contents: Contents,
    /// A kernel image of your own: Image, gzip or EFI zboot.
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// Give a prompt on the board instead; `sh /corelet/run` starts what would have run.
    #[arg(long)]
    shell: bool,
    /// How many CPUs the board has.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8))]
    cpus: Option<u32>,
    /// How much memory it has.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(16..=3072))]
    memory: Option<u32>,
    /// A raw disk image, as /dev/vda and so on; add --module virtio_blk. As often as wished.
    #[arg(long = "drive", value_name = "FILE")]
    drives: Vec<PathBuf>,
    /// More words for the kernel's command line.
    #[arg(long, value_name = "WORDS")]
    append: Option<String>,
    /// Print what firmware and kernel say too.
    #[arg(short, long)]
    verbose: bool,
}

/// What a boot may take beside what it was asked to run.
const MARGIN: Duration = Duration::from_secs(120);
/// No kernel image is larger, in bytes.
const MAX_KERNEL: u64 = 512 << 20;
/// Longer than anyone watches a board.
const UNTIL_INTERRUPTED: Duration = Duration::from_secs(365 * 24 * 3600);

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let board = Board::find(&args.contents.board)?;
    if args.contents.packs.is_empty() && args.contents.workload.is_none() && !args.shell {
        return Err(usage("nothing to run on the board: give --pack X.pack, --workload SCRIPT or --shell"));
    }
    if args.contents.loader_args.iter().any(|word| word == "--raw") {
        return Err(usage(
            "the board's console carries lines, not raw records: use --json in the place of --raw",
        ));
    }
    if args.shell && !io::stdin().is_terminal() {
        return Err(usage("--shell is for a person at a terminal; a script runs with --workload SCRIPT"));
    }
    if let Some(file) = &args.kernel {
        args.contents.check_modules()?;
        let shipped = read_file(file, MAX_KERNEL)?;
        bootable(&board.arch.name, &shipped).with_context(|| file.display().to_string())?;
    }
    let mut progress = on_stderr();
    // In the shell, a person starts the script and reads both.
    let talk = if args.shell { Talk::Plain } else { Talk::Marked };
    let files = args.contents.files(&board, talk, &mut *progress)?;
    let kernel = match args.kernel {
        Some(file) => file,
        None => kernel_for(&board, &mut *progress)?.image,
    };
    let archive = args.contents.archive(&board, files, &mut *progress)?;
    let mut boot = Boot::new(&board, kernel, archive);
    boot.memory_mib = args.memory;
    boot.cpus = args.cpus;
    boot.append = args.append.into_iter().collect();
    boot.drives = args.drives;
    boot.verbose = args.verbose;
    boot.deadline = match (args.contents.seconds, &args.contents.workload) {
        (Some(seconds), _) => MARGIN + Duration::from_secs(seconds.into()),
        (None, _) => UNTIL_INTERRUPTED,
    };

    progress.step(&format!("booting {}", board.name));
    if args.shell {
        boot.shell()?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = boot.run(&mut |line| tell_apart(line))?;
    progress.step(&format!(
        "{} is off; {} was up after {:.1} s",
        board.name,
        report.release,
        report.to_init.as_secs_f64()
    ));
    Ok(ExitCode::from(u8::try_from(report.status).unwrap_or(u8::MAX)))
}

/// A line of the console to where it belongs: talk to the standard error, all else to the standard output.
fn tell_apart(line: &str) {
    // A program may have left its last line without an end.
    let (event, talk) = line.split_once(TALK).map_or((line, None), |(event, talk)| (event, Some(talk)));
    if talk.is_none() || !event.is_empty() {
        print(event);
    }
    if let Some(talk) = talk {
        eprintln!("{talk}");
    }
}

/// One line to the standard output, at once. A reader that is gone ends the command quietly, and QEMU with it.
pub(super) fn print(line: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        let quiet = error.kind() == ErrorKind::BrokenPipe;
        if !quiet {
            eprintln!("standard output: {error}");
        }
        std::process::exit(if quiet { 0 } else { 3 });
    }
}
