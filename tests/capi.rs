//! The loader as a C library: `loader/capi/examples/events.c` for a board, with musl and without a libc; and that its header is the
//! one that cbindgen makes.
//!
//! clang compiles, and the linker is the one that comes with Rust; musl and libgcc are Debian's packages of the board's architecture,
//! as for [`crate::peer`].

pub mod counters;

use crate::peer::{self, Arch};
use anyhow::{Context, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Missing, Progress, Source};
use corelet_host_tools::setup::{ThisMachine, Workspace, loader, needs};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the library wants of the program that it is linked into.
pub const WANTED: [&str; 8] = [
    "bcmp",
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
    "strlen",
    // on 32-bit ARM, of tables for unwinding, which nothing does
    "__aeabi_unwind_cpp_pr0",
    "__aeabi_unwind_cpp_pr1",
];

const FLAGS: [&str; 7] = [
    "-std=c99",
    "-Os",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffunction-sections",
    "-fno-asynchronous-unwind-tables",
];

/// The example with musl and without a libc, by their paths on the board.
///
/// # Errors
/// What this machine lacks, a package that cannot be had, a source that does not compile, a library that wants more than
/// [`WANTED`].
pub fn programs(
    board: &Board,
    machine: &mut ThisMachine,
    workspace: &Workspace,
    progress: &mut dyn Progress,
) -> Result<Vec<(String, Vec<u8>)>> {
    let clang = needs::CLANG.find(machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
    let library = loader::c_library(machine, workspace, &board.arch.rust)?;
    let bytes = fs::read(&library).with_context(|| library.display().to_string())?;
    let wanted = wanted(&bytes)?;
    let more: Vec<&String> = wanted.iter().filter(|name| !WANTED.contains(&name.as_str())).collect();
    ensure!(more.is_empty(), "{}: it wants {more:?} too", library.display());
    let debian = Debian::open()?;
    let mut package = |name: &str| -> Result<PathBuf> {
        let source = Source { suites: vec![peer::SUITE.to_owned()], package: name.to_owned() };
        let package = debian.find(&board.arch.debian, &source, progress)?;
        Ok(debian.unpack(&package, progress)?.join("usr"))
    };
    let (musl, libgcc) = (package("musl-dev")?, package("libgcc-14-dev")?);
    let work = tempfile::tempdir()?;
    let build = Build { arch: peer::arch(board)?, clang, library, folder: work.path(), workspace };
    let mut out = Vec::new();
    for (name, built) in [("musl", build.with_musl(&musl, &libgcc)?), ("bare", build.bare()?)] {
        let bytes = fs::read(&built).with_context(|| built.display().to_string())?;
        out.push((format!("corelet/events-{name}"), bytes));
    }
    Ok(out)
}

/// Links the library into a program with `std` (`capi/std.rs`) and runs that; what it prints.
///
/// # Errors
/// It does not link, or does not do what it must.
pub fn beside_std(library: &Path, workspace: &Workspace) -> Result<String> {
    let work = tempfile::tempdir()?;
    let program = work.path().join("std");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-L"]).arg(library.parent().unwrap_or(Path::new(".")));
    peer::run(rustc.arg(workspace.root.join("tests/capi/std.rs")).arg("-o").arg(&program))?;
    let output = Command::new(&program).output().with_context(|| program.display().to_string())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The names that the members of our own in a library want and none has.
fn wanted(library: &[u8]) -> Result<BTreeSet<String>> {
    let archive = ArchiveFile::parse(library)?;
    let (mut wanted, mut ours) = (BTreeSet::new(), BTreeSet::new());
    let mut defined = BTreeSet::new();
    for member in archive.members() {
        let member = member?;
        let is_ours = member.name().starts_with(b"corelet");
        let Ok(file) = object::File::parse(member.data(library)?) else { continue };
        for symbol in file.symbols() {
            let name = symbol.name().unwrap_or_default();
            if symbol.is_undefined() && is_ours && !name.is_empty() {
                wanted.insert(name.to_owned());
            } else if symbol.is_definition() && symbol.is_global() {
                defined.insert(name.to_owned());
                if is_ours && !symbol.is_weak() {
                    ours.insert(name.to_owned());
                }
            }
        }
    }
    ensure!(!ours.is_empty(), "no member of ours in the library");
    let other: Vec<&String> = ours.iter().filter(|name| !name.starts_with("corelet_")).collect();
    ensure!(other.is_empty(), "the library defines {other:?}");
    Ok(wanted.difference(&defined).cloned().collect())
}

/// One build of the example.
struct Build<'b> {
    arch: Arch,
    clang: PathBuf,
    library: PathBuf,
    folder: &'b Path,
    workspace: &'b Workspace,
}

impl Build<'_> {
    fn compile(&self, source: &str, to: &str, flags: &[String]) -> Result<PathBuf> {
        let out = self.folder.join(to);
        let source = self.workspace.root.join("loader/capi/examples").join(source);
        let mut clang = Command::new(&self.clang);
        clang.args(self.arch.clang).args(FLAGS).args(flags).arg("-c").arg(&source).arg("-o").arg(&out);
        peer::run(&mut clang)?;
        Ok(out)
    }

    fn link(&self, name: &str, parts: &[PathBuf]) -> Result<PathBuf> {
        let out = self.folder.join(name);
        let mut link = Command::new(peer::linker()?);
        link.args(["-flavor", "gnu", "--gc-sections", "-static", "-s", "-z", "norelro"]);
        // of 32-bit ARM's tables for unwinding, as corelet.h says
        link.arg("--defsym=rust_eh_personality=0");
        link.args(["-z", "max-page-size=4096", "-o"]).arg(&out).arg("--start-group").args(parts);
        peer::run(link.arg("--end-group"))?;
        Ok(out)
    }

    fn with_musl(&self, musl: &Path, libgcc: &Path) -> Result<PathBuf> {
        let resources = Command::new(&self.clang).arg("-print-resource-dir").output()?;
        let resources = PathBuf::from(String::from_utf8(resources.stdout)?.trim());
        let mut flags = vec!["-nostdinc".to_owned()];
        for folder in [resources.join("include"), musl.join("include").join(self.arch.musl)] {
            flags.extend(["-isystem".to_owned(), folder.display().to_string()]);
        }
        let events = self.compile("events.c", "events-musl.o", &flags)?;
        let (lib, gcc) = (musl.join("lib").join(self.arch.musl), libgcc.join("lib/gcc").join(self.arch.gnu));
        let of_musl = |name: &str| lib.join(name);
        let of_gcc = |name: &str| gcc.join("14").join(name);
        let parts = [
            of_musl("crt1.o"),
            of_musl("crti.o"),
            events,
            self.library.clone(),
            of_musl("libc.a"),
            of_gcc("libgcc.a"),
            of_gcc("libgcc_eh.a"),
            of_musl("crtn.o"),
        ];
        self.link("events-musl", &parts)
    }

    fn bare(&self) -> Result<PathBuf> {
        let flags = ["-ffreestanding", "-fno-builtin", "-nostdlibinc"].map(str::to_owned);
        let parts = [
            self.compile("events.c", "events-bare.o", &flags)?,
            self.compile("start.c", "start.o", &flags)?,
            self.library.clone(),
        ];
        self.link("events-bare", &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_cbindgen_makes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loader/capi");
        let config = cbindgen::Config::from_file(folder.join("cbindgen.toml").to_str().unwrap()).unwrap();
        let made = cbindgen::Builder::new().with_src(folder.join("src/lib.rs")).with_config(config);
        let mut header = Vec::new();
        made.generate().unwrap().write(&mut header);
        let made = String::from_utf8(header).unwrap();
        let committed = fs::read_to_string(folder.join("corelet.h")).unwrap_or_default();
        if made != committed {
            let new = folder.join("corelet.h.new");
            fs::write(&new, made).unwrap();
            panic!("corelet.h is not of src/lib.rs; take {}", new.display());
        }
    }
}
