//! `corelet image`: the first file system of a board, with the loader and packs in it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use corelet_boards::{Board, Initramfs, Missing, Progress, RUN, busybox_static, kernel_for, on_stderr};

use crate::exit::{Exit, Failure};
use crate::input::{MAX_FILE, read_file};
use crate::output;
use crate::pack::File;
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
    pub(super) loader_args: Vec<String>,
}

/// A file on the board: its path there, permissions, bytes.
pub(super) type BoardFile = (String, u32, Vec<u8>);

/// How the script on the board hands on what the loader and the workload say on their standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Talk {
    /// As it is.
    Plain,
    /// Each line behind [`TALK`], so that who hears the console can tell it from events.
    Marked,
}

/// In front of a line of talk. Events never hold it: in text and in JSON control characters are escaped.
pub(super) const TALK: char = '\u{2}';

/// Where the loader lies on the board.
const LOADER: &str = "corelet/corelet-loader";
const WORKLOAD: &str = "corelet/workload";

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let board = Board::find(&args.contents.board)?;
    if args.contents.packs.is_empty() && args.contents.workload.is_none() {
        return Err(usage("nothing to run on the board: give --pack X.pack, or --workload SCRIPT"));
    }
    let progress = &mut *on_stderr();
    let files = args.contents.files(&board, Talk::Plain, progress)?;
    let archive = args.contents.archive(&board, files, progress)?;
    output::write_file(&args.output, &archive)?;
    eprintln!("{}: {} bytes, for {}", args.output.display(), archive.len(), board.name);
    Ok(ExitCode::SUCCESS)
}

impl Contents {
    /// What the board runs: what the caller named is read and checked before the loader is looked for.
    pub(super) fn files(
        &self,
        board: &Board,
        talk: Talk,
        progress: &mut dyn Progress,
    ) -> Result<Vec<BoardFile>> {
        let mut files = Vec::new();
        for (index, path) in self.packs.iter().enumerate() {
            let pack = read_file(path, MAX_FILE)?;
            File::whole(&pack).with_context(|| path.display().to_string())?;
            files.push((on_board(index), 0o644, pack));
        }
        if let Some(workload) = &self.workload {
            files.push((WORKLOAD.to_owned(), 0o755, read_file(workload, MAX_FILE)?));
        }
        files.push((RUN.to_owned(), 0o755, self.script(talk).into_bytes()));
        if let Some(loader) = &self.loader {
            files.push((LOADER.to_owned(), 0o755, read_file(loader, MAX_FILE)?));
        } else if !self.packs.is_empty() {
            files.push((LOADER.to_owned(), 0o755, built_loader(board, progress)?));
        }
        Ok(files)
    }

    /// Modules belong to one kernel, so with a kernel of the caller's own their folder must be named.
    pub(super) fn check_modules(&self) -> Result<()> {
        if self.modules.is_empty() || self.modules_folder.is_some() {
            return Ok(());
        }
        Err(usage(
            "modules belong to one kernel: give --modules-folder FOLDER, the lib/modules/RELEASE of yours",
        ))
    }

    /// The archive for this board, out of [`Contents::files`].
    pub(super) fn archive(
        &self,
        board: &Board,
        files: Vec<BoardFile>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<u8>> {
        let modules_folder = match (&self.modules_folder, self.modules.is_empty()) {
            (Some(folder), _) => Some(folder.clone()),
            (None, true) => None,
            (None, false) => Some(kernel_for(board, progress)?.modules(progress)?),
        };
        let busybox = busybox_static(board, progress)?;
        Initramfs { busybox, modules_folder, modules: self.modules.clone(), files }.build()
    }

    /// What runs on the board. Its status is the first of the packs' that is not 0, else the workload's.
    fn script(&self, talk: Talk) -> String {
        let mut script = String::from(if talk == Talk::Marked { MARK_TALK } else { "" });
        script.push_str("status=0\nloaders=\n");
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
        script.push_str("for loader in $loaders; do\n    wait $loader || status=$?\ndone\n");
        if talk == Talk::Marked {
            script.push_str(END_TALK);
        }
        script.push_str("exit $status\n");
        script
    }
}

/// Sends the standard error of all that follows through a reader that marks its lines with [`TALK`]. The reader ends at a
/// word of its own and not with the pipe, which a program that the workload leaves behind would keep open.
const MARK_TALK: &str = r#"mkfifo /tmp/talk
while IFS= read -r line || [ -n "$line" ]; do
    [ "$line" = "end $CORELET_NONCE" ] && break
    printf '\002%s\n' "$line"
done </tmp/talk &
talk=$!
exec 2>/tmp/talk
"#;

/// Waits until the reader has said all.
const END_TALK: &str = r#"echo "end $CORELET_NONCE" >&2
wait $talk
"#;

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

/// The loader of this checkout.
fn built_loader(board: &Board, progress: &mut dyn Progress) -> Result<Vec<u8>> {
    loader_for(&board.arch.rust, progress)
}

/// The same for one of Rust's targets.
pub(super) fn loader_for(target: &str, progress: &mut dyn Progress) -> Result<Vec<u8>> {
    let workspace = Workspace::find().map_err(|error| match error.downcast::<Missing>() {
        Ok(missing) => {
            let install = format!("give --loader FILE, an executable for {target}, or {}", missing.install);
            Missing::new(missing.what, install).into()
        }
        Err(error) => error,
    })?;
    progress.step("building the loader");
    let built = loader::build(&mut ThisMachine, &workspace, target)?;
    read_file(&built.path, MAX_FILE)
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
