//! The step of who writes programs in Rust: what `corelet new --rust` makes, and a program of the gallery compiled anew.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, Missing, kernel_for, on_stderr};
use corelet_host_tools::setup::targets::{self, Compiler, Std};
use corelet_host_tools::setup::{Wants, loader, needs};
use corelet_tests::gallery::guide::{GUIDE, holds};
use corelet_tests::gallery::{self, PROGRAMS, Program, checksum};

use crate::authors::{Desk, said};
use crate::context::Context;
use crate::run::Outcome;

/// One of each architecture.
const BOARDS: [&str; 3] = ["qemu-aarch64", "qemu-riscv64", "qemu-armv7"];
/// The last that links by the LLVM of Rust 1.95.
const LINKER: &str = "bpf-linker@0.10.3";
/// The program of the gallery that is in Rust.
const READERS: &str = "readers";
/// Its sources, by what they are called in a project.
const SOURCES: [(&str, &str); 3] = [
    ("src/main.rs", include_str!("../progs/readers.rs")),
    ("src/kernel.c", include_str!("../progs/readers.kernel.c")),
    ("readers.toml", include_str!("../progs/readers.toml")),
];
/// Registers by aya-ebpf, in their place of one architecture.
const WRONG: (&str, &str) = ("third_argument(context.as_ptr())", "context.arg::<u64>(2).unwrap_or(0)");
/// What the guide says of it.
const MESSAGE: &str = "reads a register at an offset of one architecture, without relocation, and the object's types do not say of which";

/// Its boards, the compiler, and the source of Rust's `core`.
pub(crate) fn wants() -> Wants {
    let boards = BOARDS.iter().filter_map(|name| Board::find(name).ok());
    let mut needs: Vec<_> = boards.flat_map(|board| needs::of_board(&board)).collect();
    needs.extend([&needs::CLANG, &needs::MAKE]);
    let targets = targets::LOADER.into_iter().chain([targets::BPF]).collect();
    Wants { needs, targets, ..Wants::default() }
}

/// What `make` is told in each project.
struct Variables {
    all: Vec<String>,
}

impl Variables {
    fn find(context: &mut Context<'_>, desk: &Desk) -> Result<Variables> {
        let root = context.workspace.target.join("bpf-linker");
        context.run(Command::new("cargo").args(["install", "--quiet", LINKER, "--root"]).arg(&root))?;
        let compiler = Compiler::find(&mut context.machine, context.workspace)?;
        let Some(Std::Source(library)) = compiler.std(&context.machine, targets::BPF) else {
            return Err(Missing::new("the source of Rust's core", "run this step with --yes").into());
        };
        let shown = |name: &str, path: &Path| format!("{name}={}", path.display());
        let all = vec![
            shown("CLANG", &desk.clang),
            shown("CORELET", &desk.corelet),
            shown("BPF_LINKER", &root.join("bin/bpf-linker")),
            shown("RUST_SRC", &library),
        ];
        Ok(Variables { all })
    }

    /// `make WORDS` in this project; what it said, which the log has too.
    fn make(&self, context: &mut Context<'_>, desk: &Desk, project: &str, words: &[&str]) -> Result<String> {
        let output = desk.run(Command::new("make").args(["-C", project]).args(&self.all).args(words))?;
        context.note(&said(&output))?;
        ensure!(output.status.success(), "make -C {project} {}: {}", words.join(" "), said(&output));
        Ok(said(&output))
    }
}

/// A project as it is made, on three boards; then the gallery's program.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let desk = Desk::new(context, "new-rust")?;
    let variables = Variables::find(context, &desk)?;
    let made = desk.corelet(&["new", "--rust", "watch"])?;
    ensure!(made.status.success(), "{}", said(&made));
    let mut sums = Vec::new();
    for board in BOARDS {
        let output = variables.make(context, &desk, "watch", &["test", &format!("BOARD={board}")])?;
        let event = output.lines().find(|line| line.contains("\"comm\":\"true\""));
        let event: serde_json::Value = serde_json::from_str(event.context("no event of /bin/true")?)?;
        let number = |member: &str| event[member].as_u64().unwrap_or(0);
        ensure!(number("parent") > 1 && number("pid") > number("parent"), "{board}: {event}");
        sums.push(checksum(&std::fs::read(desk.folder.join("watch/watch.bpf.o"))?));
    }
    ensure!(sums.iter().all(|sum| *sum == sums[0]), "one object for all boards: {sums:?}");
    let readers = readers(context, &desk, &variables)?;
    Ok(Outcome::Passed(format!(
        "watch {} on {} boards, readers {readers} on {}",
        sums[0],
        BOARDS.len(),
        BOARDS[2]
    )))
}

/// The gallery's program, compiled here, on 32-bit ARM; its checksum. Its wrong form is warned of.
fn readers(context: &mut Context<'_>, desk: &Desk, variables: &Variables) -> Result<String> {
    let made = desk.corelet(&["new", "--rust", READERS])?;
    ensure!(made.status.success(), "{}", said(&made));
    let project = desk.folder.join(READERS);
    for (path, text) in SOURCES {
        std::fs::write(project.join(path), text)?;
    }
    let board = Board::find(BOARDS[2])?;
    let on_board = format!("BOARD={}", board.name);
    let right = variables.make(context, desk, READERS, &[&on_board])?;
    ensure!(!right.contains(MESSAGE), "{right}");
    let object = std::fs::read(project.join("readers.bpf.o"))?;
    let sum = checksum(&object);
    let known = PROGRAMS.iter().find(|program| program.case.name == READERS);
    let known = known.context("the gallery has no readers")?;
    // for as long as this process lives, as the others are
    let fresh =
        Program { object: object.leak(), case: known.case, manifest: known.manifest, check: known.check };
    let kernel = kernel_for(&board, &mut *on_stderr())?;
    let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
    let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
    for cell in gallery::run(&board, &kernel, &loader, &[&fresh], 2, &mut *on_stderr(), &mut |_| {})? {
        ensure!(cell.verdict.is_ok(), "{}: {}", board.name, gallery::said(&cell.verdict));
    }

    let (_, main) = SOURCES[0];
    ensure!(main.contains(WRONG.0), "readers.rs has no {}", WRONG.0);
    std::fs::write(project.join("src/main.rs"), main.replace(WRONG.0, WRONG.1))?;
    let wrong = variables.make(context, desk, READERS, &[&on_board])?;
    holds(&wrong, &format!("warning: … {MESSAGE}"))?;
    ensure!(GUIDE.replace("\n> ", " ").contains(MESSAGE), "GUIDE.md does not show: {MESSAGE}");
    Ok(sum)
}
