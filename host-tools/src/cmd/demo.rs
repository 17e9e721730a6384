//! `corelet demo`: all of it, on one board, from nothing.

use super::extract_objects;
use super::target_arg::{Opened, TargetArg, with_kernels};
use crate::exit::Failure;
use crate::input::{MAX_FILE, read_file};
use crate::kernel::Arch;
use crate::manifest::Manifest;
use crate::pack::{Built, Input, Options, build, container};
use crate::setup::{self, ThisMachine, Wants, Workspace, needs};
use anyhow::{Context, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Boot, Initramfs, Kernel, RUN, busybox_static, kernel_for, on_stderr};
use std::process::ExitCode;

/// Show everything at work: pack a program that others compiled, boot a board, print what the program sees there.
///
/// Installs what it needs (it lists that first, and asks unless --yes or CI is set), and fetches Debian's kernel, busybox and
/// the program for the board. Nothing is installed on the board but a static loader and a pack of a few kilobytes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A board's name, or the TOML file of one.
    #[arg(long, value_name = "BOARD", default_value = "qemu-aarch64")]
    board: String,
    /// Install what is missing without asking.
    #[arg(long)]
    yes: bool,
}

/// The tool that is shown, out of Debian's package of BCC's tools. Its object was compiled for AArch64 and runs on every
/// 64-bit board.
const TOOL: &str = "opensnoop";
const PACKAGE: &str = "libbpf-tools";
const PROGRAM: &str = "usr/sbin/opensnoop-libbpf";
const SUITE: &str = "trixie";
const ARCH: &str = "arm64";

/// What the board does: loads the pack, then opens some files, of which one is not there.
const SCRIPT: &str = r#"
mkdir -p /etc; echo "welcome" >/etc/motd
cd /corelet
./corelet-loader run opensnoop.pack --memory 2>said &
loader=$!
until grep -q ready said; do kill -0 $loader || { sed 's/^/BOARD /' said; exit 1; }; usleep 50000; done
cat /etc/motd >/dev/null
wc -l /proc/version >/dev/null
ls /etc >/dev/null
cat /etc/shadow 2>/dev/null
usleep 300000
kill $loader
wait $loader
status=$?
sed 's/^/BOARD /' said
exit $status
"#;

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let board = Board::find(&args.board)?;
    if Arch::from_machine(&board.arch.name).is_some_and(|arch| arch.pointer_size() == 4) {
        return Err(Failure::usage(format!(
            "{TOOL} was compiled for kernels whose `long` has 8 bytes, and {} has a kernel of 4: its programs would be \
             refused there. `cargo verify --only armv7` compiles the tools for 32-bit ARM and runs them",
            board.name
        )));
    }
    eprintln!("This fetches a kernel and a userland for {} ({}),", board.name, board.summary);
    eprintln!(
        "takes the BPF object out of Debian's {TOOL}, packs it with the few types it needs of that kernel,"
    );
    eprintln!("boots the board under QEMU and prints what {TOOL} sees there.");
    let (mut machine, workspace) = (ThisMachine, Workspace::find()?);
    let wants =
        Wants { needs: needs::of_board(&board), targets: vec![rust_target(&board)?], ..Wants::default() };
    setup::prepare(&mut machine, &workspace, &wants, args.yes, "cargo demo --yes")?;

    let mut progress = on_stderr();
    let kernel = kernel_for(&board, &mut *progress)?;
    let busybox = busybox_static(&board, &mut *progress)?;
    let program = Debian::open()?.file(ARCH, SUITE, PACKAGE, PROGRAM, &mut *progress)?;
    let object = object_in(&program)?;
    progress.step("building the loader");
    let loader = setup::loader::build(&mut machine, &workspace, &board.arch.rust)?;
    progress.step("packing");
    let (pack, built) = pack(object, &kernel)?;

    let executable = read_file(&loader.path, MAX_FILE)?;
    let initramfs = Initramfs {
        busybox,
        files: vec![
            ("corelet/corelet-loader".to_owned(), 0o755, executable),
            (format!("corelet/{TOOL}.pack"), 0o644, pack.clone()),
            (RUN.to_owned(), 0o755, SCRIPT.as_bytes().to_vec()),
        ],
        ..Initramfs::default()
    };
    progress.step(&format!("booting {} under QEMU", board.name));
    drop(progress);
    let mut said = Vec::new();
    let report = Boot::new(&board, &kernel.image, initramfs.build()?).run(&mut |line| match line
        .strip_prefix("BOARD ")
    {
        Some(of_loader) => said.push(of_loader.to_owned()),
        None => super::boot::print(line),
    })?;
    said.iter().for_each(|line| eprintln!("{line}"));
    ensure!(report.status == 0, "the board ended with status {}; its words are above", report.status);
    print_table(&board, &report, &built, pack.len(), loader.size, &said)?;
    Ok(ExitCode::SUCCESS)
}

/// The target of Rust for a board, as set-up knows it.
fn rust_target(board: &Board) -> Result<&'static str> {
    let known = setup::targets::LOADER.iter().find(|t| **t == board.arch.rust);
    known.copied().with_context(|| format!("{}: no loader is built for {}", board.name, board.arch.rust))
}

fn object_in(program: &std::path::Path) -> Result<Vec<u8>> {
    let bytes = read_file(program, MAX_FILE)?;
    let found = extract_objects::find(&bytes);
    let first = found.first().with_context(|| format!("{}: holds no BPF object", program.display()))?;
    Ok(bytes[first.at..first.at + first.len].to_vec())
}

fn pack(object: Vec<u8>, kernel: &Kernel) -> Result<(Vec<u8>, Built)> {
    let text = Manifest::builtin(TOOL).context("the demo's tool has no manifest")?;
    let input = Input { name: TOOL.to_owned(), bytes: object, manifest: Manifest::parse(TOOL, text)? };
    let opened = [Opened::open(&TargetArg::new(&kernel.image, kernel.config.as_deref()))?];
    let built = with_kernels(&opened, |kernels| build(&[input], kernels, &Options::default()))?;
    Ok((container(&built.sections)?, built))
}

fn print_table(
    board: &Board,
    report: &corelet_boards::Report,
    built: &Built,
    pack: usize,
    loader: u64,
    said: &[String],
) -> Result<()> {
    let object = built.reports.first().context("nothing was packed")?;
    let target = object.targets.first().context("nothing was packed")?;
    let memory = said
        .iter()
        .find_map(|line| line.split("memory: ").nth(1))
        .context("the loader did not say its memory")?;
    let mut words = memory.split(|c: char| !c.is_ascii_digit()).filter(|w| !w.is_empty());
    let mut number = || words.next().context("the loader's words on memory have changed");
    let (rss, anonymous, micros) = (number()?, number()?, number()?);
    super::boot::print("");
    super::boot::print(&format!("{TOOL} on {} (Linux {})", board.name, report.release));
    let row = |what: &str, value: &str, unit: &str| {
        super::boot::print(&format!("  {what:<36} {value:>10} {unit}"));
    };
    row("BPF object, as Debian ships it", &object.object.to_string(), "bytes");
    row("all types of the kernel (BTF)", &target.full_btf.to_string(), "bytes");
    row("the types that the object needs", &target.subset.to_string(), "bytes");
    row("pack: programs, types, layouts", &pack.to_string(), "bytes");
    row("loader: static, without libc", &loader.to_string(), "bytes");
    row("peak memory of the loader", rss, "KiB");
    row("of that anonymous", anonymous, "KiB");
    row("time to load and attach", micros, "us");
    Ok(())
}
