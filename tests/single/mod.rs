//! BCC's libbpf-tools as single objects: each of Debian's sources compiled once, with the headers of `corelet headers` and without an
//! architecture, and the same bytes packed for and run on every board.
//!
//! `edits.patch` has what had to be changed in the sources, each hunk with its reason. What packing each object for each board's
//! kernel comes to stands in `packs.toml`, what running it comes to in `reference.toml`, which has the form of the table of objects
//! that were compiled for one board ([`crate::table`]).

mod edits;
mod packs;

use crate::gallery;
use crate::objects;
use crate::oracle::Named;
use anyhow::{Context, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Missing, Progress, kernel_for};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::btf::dump::{Options, to_c};
use corelet_host_tools::cmd::headers;
use corelet_host_tools::kernel::packaged;
use corelet_host_tools::setup::{Machine, needs};
pub use edits::listed;
pub use packs::{Cell, Table, differences, table, write};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The boards: those of the gallery, two kernel series of each architecture.
pub use gallery::BOARDS;

/// What running comes to, by board: the text of `reference.toml`.
pub const REFERENCE: &str = include_str!("reference.toml");

/// The board whose kernel is the newest: its types are the header that all tools are compiled with.
const NEWEST: &str = "qemu-riscv64";

/// All tools of the source package, by name, each compiled once. `folder` keeps headers, edited sources and objects.
///
/// # Errors
/// What this machine lacks, a package that cannot be had, an edit whose place is not there, a tool that does not compile.
pub fn compiled(folder: &Path, machine: &dyn Machine, progress: &mut dyn Progress) -> Result<Vec<Named>> {
    let debian = Debian::open()?;
    let source = debian.source(&["trixie", "forky", "sid"], "bpfcc", progress)?.join("libbpf-tools");
    let clang = needs::CLANG.find(machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
    let include = folder.join("include");
    for (path, text) in headers::FILES {
        let path = include.join(path);
        let parent = path.parent().context("a header without a folder")?;
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    progress.step("writing vmlinux.h");
    let kernel = kernel_for(&Board::find(NEWEST)?, progress)?;
    let types = OwnedBtf::open(&packaged::types(&kernel, progress)?)?;
    fs::write(include.join("vmlinux.h"), to_c(&types.view(), &Options::default())?)?;
    let edited = edits::sources(&source, &folder.join("source"))?;
    progress.step(&format!("compiling {} tools once", edited.len()));
    let version = Command::new(&clang).arg("--version").output().context("clang --version")?;
    let mut made_of = DefaultHasher::new();
    version.stdout.hash(&mut made_of);
    for folder in [&*include, &folder.join("source")] {
        objects::hash_headers(folder, &mut made_of).with_context(|| folder.display().to_string())?;
    }
    let compiler = Compiler { clang, include, folder: folder.to_owned(), made_of };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let parts = std::thread::scope(|scope| {
        let parts = edited.chunks(edited.len().div_ceil(workers).max(1));
        let started: Vec<_> = (parts)
            .map(|part| scope.spawn(|| part.iter().map(|tool| compiler.compile(tool)).collect()))
            .collect();
        let parts = started.into_iter().map(|part| part.join().expect("compiling does not panic"));
        parts.collect::<Result<Vec<Vec<Named>>>>()
    })?;
    Ok(parts.concat())
}

struct Compiler {
    clang: PathBuf,
    include: PathBuf,
    folder: PathBuf,
    /// Of all that objects are made of, but for their own source.
    made_of: DefaultHasher,
}

impl Compiler {
    /// `tool` from the folder of edited sources: no word on the command line names an architecture.
    fn compile(&self, tool: &str) -> Result<Named> {
        let source = self.folder.join("source");
        let object = self.folder.join(format!("{tool}.bpf.o"));
        let path = source.join(format!("{tool}.bpf.c"));
        let mut made_of = self.made_of.clone();
        fs::read(&path).with_context(|| path.display().to_string())?.hash(&mut made_of);
        let (made_of, known) = (made_of.finish().to_string(), self.folder.join(format!("{tool}.made-of")));
        if fs::read_to_string(&known).is_ok_and(|known| known == made_of)
            && let Ok(bytes) = fs::read(&object)
        {
            return Ok((tool.to_owned(), bytes));
        }
        let mut command = Command::new(&self.clang);
        command.args(["-g", "-O2", "-target", "bpf", "-I"]).arg(&self.include).arg("-I").arg(&source);
        // the same bytes wherever they are made
        let mut prefix = std::ffi::OsString::from("-ffile-prefix-map=");
        prefix.push(&self.folder);
        prefix.push("=.");
        command.arg(prefix).current_dir(&self.folder);
        command.arg("-c").arg(path).arg("-o").arg(&object);
        let output = command.output().with_context(|| self.clang.display().to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{tool}.bpf.c: {said}");
        // a value in the wrong type of pointer is how a wrong register or helper shows itself
        ensure!(!said.contains("incompatible"), "{tool}.bpf.c: {said}");
        let bytes = fs::read(&object).with_context(|| object.display().to_string())?;
        fs::write(known, made_of)?;
        Ok((tool.to_owned(), bytes))
    }
}
