//! `corelet image`: the first file system of a board, with the loader and packs in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use corelet_boards::{Board, Initramfs, Progress, RUN, busybox_static, kernel_for, on_stderr};

use crate::exit::{Exit, Failure};
use crate::output;
use crate::setup::{ThisMachine, Workspace, loader};

/// Make an initramfs that loads packs on a board and powers it off when they are done.
///
/// It holds the loader, the packs, a static busybox and the kernel modules asked for; a kernel of yours starts it as it is.
/// Same input, same bytes.
///
/// Example: corelet image --board qemu-aarch64 --pack opensnoop.pack -o initramfs.cpio.gz
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    pub(super) contents: Contents,
    /// Where to write the archive; `-` is the standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// What goes into an initramfs; `boot` takes the same.
#[derive(clap::Args, Debug)]
pub(super) struct Contents {
    /// A board's name, or the TOML file of one.
    #[arg(long, value_name = "BOARD", default_value = "qemu-aarch64")]
    pub(super) board: String,
    /// A pack to load, as often as wished.
    #[arg(long = "pack", value_name = "X.pack")]
    pub(super) packs: Vec<PathBuf>,
    /// The loader's executable for the board's architecture; without it, the one of this checkout, built if need be.
    #[arg(long, value_name = "FILE")]
    loader: Option<PathBuf>,
    /// A shell script to run beside the packs, once they are attached; its end is theirs.
    #[arg(long, value_name = "SCRIPT")]
    pub(super) workload: Option<PathBuf>,
    /// How long the packs run.
    #[arg(long = "for", value_name = "SECONDS")]
    pub(super) seconds: Option<u32>,
    /// A kernel module to load first, with its parameters: "brd rd_nr=1". As often as wished.
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
    /// The folder lib/modules/RELEASE to take modules from; without it, that of the board's own kernel.
    #[arg(long, value_name = "FOLDER")]
    modules_folder: Option<PathBuf>,
    /// More words for `corelet-loader run`, after `--`.
    #[arg(last = true, value_name = "LOADER ARGUMENTS")]
    loader_args: Vec<String>,
}

/// Where the loader lies on the board.
const LOADER: &str = "corelet/corelet-loader";
const WORKLOAD: &str = "corelet/workload";

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let board = Board::find(&args.contents.board)?;
    if args.contents.packs.is_empty() && args.contents.workload.is_none() {
        return Err(usage("nothing to run on the board: give --pack X.pack, or --workload SCRIPT"));
    }
    let archive = args.contents.archive(&board, false, &mut *on_stderr())?;
    output::write_file(&args.output, &archive)?;
    eprintln!("{}: {} bytes, for {}", args.output.display(), archive.len(), board.name);
    Ok(ExitCode::SUCCESS)
}

impl Contents {
    /// The archive for this board. `own_kernel`: the board will not run the kernel of its packages.
    pub(super) fn archive(
        &self,
        board: &Board,
        own_kernel: bool,
        progress: &mut dyn Progress,
    ) -> Result<Vec<u8>> {
        let mut files = Vec::new();
        let mut add = |name: String, permissions: u32, path: &Path| -> Result<()> {
            let content =
                fs::read(path).with_context(|| format!("{}: cannot read this file", path.display()))?;
            files.push((name, permissions, content));
            Ok(())
        };
        for (index, pack) in self.packs.iter().enumerate() {
            add(on_board(index), 0o644, pack)?;
        }
        if let Some(loader) = &self.loader {
            add(LOADER.to_owned(), 0o755, loader)?;
        } else if !self.packs.is_empty() {
            progress.step("building the loader");
            let built = loader::build(&mut ThisMachine, &Workspace::find()?, &board.arch.rust)?;
            add(LOADER.to_owned(), 0o755, &built.path)?;
        }
        if let Some(workload) = &self.workload {
            add(WORKLOAD.to_owned(), 0o755, workload)?;
        }
        files.push((RUN.to_owned(), 0o755, self.script().into_bytes()));

        let modules_folder = match (&self.modules_folder, self.modules.is_empty()) {
            (Some(folder), _) => Some(folder.clone()),
            (None, true) => None,
            (None, false) if own_kernel => {
                return Err(usage(
                    "modules belong to one kernel: give --modules-folder FOLDER, the lib/modules/RELEASE of yours",
                ));
            }
            (None, false) => Some(kernel_for(board, progress)?.modules(progress)?),
        };
        let busybox = busybox_static(board, progress)?;
        Initramfs { busybox, modules_folder, modules: self.modules.clone(), files }.build()
    }

    /// What runs on the board. Its status is the first of the packs' that is not 0, else the workload's.
    fn script(&self) -> String {
        let mut script = String::from("status=0\nloaders=\n");
        let mut words = String::new();
        if let Some(seconds) = self.seconds {
            words.push_str(&format!(" --for {seconds}"));
        }
        for word in &self.loader_args {
            words.push_str(&format!(" {}", quoted(word)));
        }
        for (index, _) in self.packs.iter().enumerate() {
            script
                .push_str(&format!("/{LOADER} run /{}{words} &\nloaders=\"$loaders $!\"\n", on_board(index)));
        }
        if self.workload.is_some() {
            script.push_str(WAIT_FOR_ATTACHED);
            script.push_str(&format!("sh /{WORKLOAD} || status=$?\n"));
            if self.seconds.is_none() {
                // A second for the events that are on their way.
                script.push_str("[ -z \"$loaders\" ] || { sleep 1; kill $loaders 2>/dev/null; }\n");
            }
        }
        script.push_str("for loader in $loaders; do\n    wait $loader || status=$?\ndone\nexit $status\n");
        script
    }
}

/// Attached is a loader that holds descriptors of links or perf events, and no more of them a moment later.
const WAIT_FOR_ATTACHED: &str = r#"attached() {
    ls -l "/proc/$1/fd" 2>/dev/null | grep -c -E 'bpf_link|bpf-link|perf_event'
}
for loader in $loaders; do
    before=0
    while kill -0 $loader 2>/dev/null; do
        now=$(attached $loader)
        [ "$now" -gt 0 ] && [ "$now" -eq "$before" ] && break
        before=$now
        usleep 200000
    done
done
"#;

/// Arguments that make no sense together.
pub(super) fn usage(message: impl Into<String>) -> anyhow::Error {
    Failure { exit: Exit::Usage, message: message.into() }.into()
}

fn on_board(index: usize) -> String {
    format!("corelet/{index}.pack")
}

/// A word as a shell reads it back unchanged.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
