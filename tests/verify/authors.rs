//! Steps of who writes programs: headers, the guide's forms, a new project; and the whole way of a newcomer, timed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, Missing, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, needs, targets};
use corelet_tests::gallery::guide::{FOLDER, GUIDE, forms, holds};

use crate::context::Context;
use crate::run::Outcome;

/// Kernels of one vmlinux.h: the first 64-bit, the second 32-bit ARM.
const BOARDS: [&str; 3] = ["qemu-aarch64", "qemu-armv7", "qemu-riscv64"];

/// What `authors` takes.
pub(crate) fn wants() -> Wants {
    let needs = vec![&needs::DPKG_DEB, &needs::KEYRING, &needs::CLANG, &needs::MAKE];
    Wants { needs, ..Wants::default() }
}

/// What `new-author` takes.
pub(crate) fn new_wants() -> Wants {
    let mut wants = Wants { targets: targets::LOADER.to_vec(), ..wants() };
    for board in NEW_BOARDS.iter().filter_map(|name| Board::find(name).ok()) {
        wants.needs.extend(needs::of_board(&board));
    }
    wants
}

/// A folder, the compiler and the command.
pub(crate) struct Desk {
    pub(crate) folder: PathBuf,
    pub(crate) clang: PathBuf,
    pub(crate) corelet: PathBuf,
}

impl Desk {
    /// An empty folder of this name, with the command built.
    pub(crate) fn new(context: &mut Context<'_>, name: &str) -> Result<Desk> {
        // with the package of the tests, whose dependencies have the features that are built already
        let packages = ["--package", "corelet-tests", "--package", "corelet-host-tools"];
        context
            .cargo(&[&["build", "--release", "--quiet"], &packages[..], &["--bin", "corelet"]].concat())?;
        let clang =
            needs::CLANG.find(&context.machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
        let folder = context.workspace.target.join("verify").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Desk { folder, clang, corelet: context.workspace.target.join("release/corelet") })
    }

    /// Compiles `source` as `name`.o with the headers in `include`; what the compiler says.
    fn compile(&self, source: &Path, name: &str, flags: &[&str]) -> Result<Output> {
        let mut clang = Command::new(&self.clang);
        clang.args(["-g", "-O2", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3", "-I", "include"]);
        clang.args(flags).arg("-c").arg(source).arg("-o").arg(format!("{name}.o"));
        self.run(&mut clang)
    }

    fn compiled(&self, source: &Path, name: &str, flags: &[&str]) -> Result<()> {
        let output = self.compile(source, name, flags)?;
        ensure!(output.status.success(), "{}: {}", source.display(), said(&output));
        Ok(())
    }

    pub(crate) fn corelet(&self, words: &[&str]) -> Result<Output> {
        self.run(Command::new(&self.corelet).args(words))
    }

    pub(crate) fn run(&self, command: &mut Command) -> Result<Output> {
        let command = command.current_dir(&self.folder).env_remove("CARGO_MANIFEST_DIR");
        command.output().with_context(|| format!("{command:?}"))
    }
}

pub(crate) fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{err}{out}")
}

/// A made-up kernel of this architecture.
fn made_up(arch: &str) -> String {
    format!(
        "kernel.o,release=6.1.0-test,version=#1 SMP,arch={arch},build-id=1111,config={FOLDER}/kernel.config"
    )
}

/// Headers, forms and a new project, without a board.
pub(crate) fn authors(context: &mut Context<'_>) -> Result<Outcome> {
    let desk = Desk::new(context, "authors")?;
    let made = desk.corelet(&["headers", "include"])?;
    ensure!(made.status.success(), "corelet headers: {}", said(&made));
    headers(&desk)?;
    let compilers = sources(&desk)?;
    let messages = guide(&desk)?;
    matches(&desk)?;
    guards(&desk)?;
    let kinds = kinds(&desk)?;
    project(&desk)?;
    let kernels = union(&desk)?;
    Ok(Outcome::Passed(format!(
        "{compilers} compilers, {messages} messages of the guide, {kinds} kinds of programs with another architecture's registers, a header of {kernels} \
         kernels, a new project"
    )))
}

/// Each header compiles by itself, and an old or another compiler is told so.
fn headers(desk: &Desk) -> Result<()> {
    let source = desk.folder.join("header.c");
    for header in ["bpf_helpers", "bpf_core_read", "bpf_endian", "bpf_tracing"] {
        let text = format!("#include <corelet_types.h>\n#include <bpf/{header}.h>\n");
        std::fs::write(&source, text)?;
        desk.compiled(&source, "header", &[])?;
    }
    std::fs::write(&source, "#include <corelet_types.h>\n#include <corelet_tracing.h>\n")?;
    desk.compiled(&source, "header", &[])?;
    let old = ["-Wno-builtin-macro-redefined", "-U__clang_major__", "-D__clang_major__=11"];
    let refused = said(&desk.compile(&source, "header", &old)?);
    let first = refused.lines().find(|line| line.contains("error:")).unwrap_or_default();
    let shown =
        GUIDE.lines().filter_map(|line| line.strip_prefix("> ")).find(|line| line.contains("clang 12"));
    holds(first, shown.context("GUIDE.md does not say which clang")?)?;
    let mut host = Command::new(&desk.clang);
    let host = said(&desk.run(host.args(["-I", "include", "-c", "header.c", "-o", "header.o"]))?);
    holds(&host, "error: … compile BPF programs with clang -target bpf")
}

/// What other people's sources use of libbpf's headers, in place of <linux/bpf.h> too, by each compiler of these that is here.
fn sources(desk: &Desk) -> Result<usize> {
    let source = Path::new(FOLDER).join("sources.bpf.c");
    let mut compilers = vec![desk.clang.clone()];
    let path = std::env::var_os("PATH").unwrap_or_default();
    for folder in std::env::split_paths(&path).filter(|folder| !folder.is_symlink()) {
        compilers.extend((12..=24).map(|version| folder.join(format!("clang-{version}"))));
    }
    compilers.retain(|clang| clang.is_file());
    compilers.sort();
    compilers.dedup();
    // struct pair fills two slots of the context: what is behind it lies one further
    const SLOTS: [&str; 5] =
        ["u64 *)(r1 +0)", "u64 *)(r1 +16)", "u64 *)(r1 +24)", "u64 *)(r1 +32)", "u64 *)(r1 +40)"];
    for clang in &compilers {
        let desk = Desk { clang: clang.clone(), folder: desk.folder.clone(), corelet: desk.corelet.clone() };
        for flags in [&[][..], &["-DLINUX"]] {
            desk.compiled(&source, "sources.bpf", flags).with_context(|| clang.display().to_string())?;
        }
        let code = said(&desk.corelet(&["inspect", "sources.bpf.o", "--disasm", "by_value"])?);
        for slot in SLOTS {
            ensure!(code.contains(slot), "{}: BPF_PROG2 reads no {slot}: {code}", clang.display());
        }
        ensure!(code.matches("(r1 +").count() == SLOTS.len(), "{}: {code}", clang.display());
    }
    Ok(compilers.len())
}

/// Every form of the guide: the wrong one gives its messages, the right one none of them.
fn guide(desk: &Desk) -> Result<usize> {
    desk.compiled(&Path::new(FOLDER).join("kernel.c"), "kernel", &[])?;
    let target = made_up("armv7l");
    let mut messages = 0;
    for form in forms(GUIDE)? {
        let source = Path::new(FOLDER).join(format!("{}.bpf.c", form.name));
        let object = format!("{}.bpf", form.name);
        let pack = ["pack", &format!("{object}.o"), "--target", &target, "-o", "x.pack"];
        desk.compiled(&source, &object, &[])?;
        let wrong = said(&desk.corelet(&pack)?);
        for message in &form.said {
            holds(&wrong, message).with_context(|| form.name.clone())?;
            messages += 1;
        }
        desk.compiled(&source, &object, &["-DRIGHT"])?;
        let right = desk.corelet(&pack)?;
        let text = said(&right);
        ensure!(right.status.success(), "the right form of {} is refused: {text}", form.name);
        ensure!(!text.contains("warning:"), "the right form of {}: {text}", form.name);
    }
    Ok(messages)
}

/// Pointers to functions match by what they lead to, through the subset as through the whole: else packing would refuse.
fn matches(desk: &Desk) -> Result<()> {
    desk.compiled(&Path::new(FOLDER).join("matches.bpf.c"), "matches.bpf", &[])?;
    let pack = ["pack", "matches.bpf.o", "--target", &made_up("armv7l"), "-o", "x.pack"];
    holds(&said(&desk.corelet(&pack)?), "2 relocations patched, 0 poisoned, 0 failed")
}

/// What leaves out a branch is believed, whatever it asks; what leaves out nothing is not.
fn guards(desk: &Desk) -> Result<()> {
    let source = Path::new(FOLDER).join("guards.bpf.c");
    let pack = ["pack", "guards.bpf.o", "--target", &made_up("armv7l"), "-o", "x.pack"];
    desk.compiled(&source, "guards.bpf", &[])?;
    let right = desk.corelet(&pack)?;
    let text = said(&right);
    ensure!(right.status.success() && !text.contains("refuses the program"), "{text}");
    desk.compiled(&source, "guards.bpf", &["-DWRONG"])?;
    holds(
        &said(&desk.corelet(&pack)?),
        "warning: … asks insn # … read it behind `if (bpf_core_field_exists(struct task_struct, cpu))`",
    )
}

/// Registers of AArch64 in each kind of program: refused on 32-bit ARM with the line, taken on AArch64.
fn kinds(desk: &Desk) -> Result<usize> {
    let line = "reads a register where aarch64 has it, without relocation: compiled for aarch64, this kernel is of arm";
    let perf = "[programs.reads]\nperf = { type = \"software\", config = \"cpu-clock\", freq = 99 }\n";
    let raw_tp = "[object]\narch = \"arm64\"\n";
    let kinds = [
        ("-DKIND=\"kprobe/vfs_read\"", "", "bytes += ctx->regs[2];: reads insn #"),
        ("-DKIND=\"kretprobe/vfs_read\"", "", "bytes += ctx->regs[2];: reads insn #"),
        ("-DKIND=\"kprobe.multi/vfs_*\"", "", "bytes += ctx->regs[2];: reads insn #"),
        ("-DKIND=\"uprobe//bin/sh:main\"", "", "bytes += ctx->regs[2];: reads insn #"),
        ("-DKIND=\"uretprobe//bin/sh:main\"", "", "bytes += ctx->regs[2];: reads insn #"),
        ("-DKIND=\"ksyscall/read\"", "", "bytes += ctx->regs[2];: reads insn #"),
        ("-DPERF_EVENT", perf, "bytes += ctx->regs.pc;: reads insn #"),
        ("-DRAW_TP", raw_tp, "&saved->regs[2]);: reads insn #"),
        ("-DCALLBACK", "", "bytes += ctx->regs[2];: third insn #0 (called by reads)"),
        ("-DKEPT=0", "", "return kept->ctx->regs[2] * kept->factor;: third insn #2 (called by reads)"),
        ("-DKEPT=1", "", "kept->ctx->regs[2] : third(kept);: each insn #"),
        ("-DTASK", raw_tp, "bytes += saved->regs[2];: reads insn #"),
        ("-DSUBPROGRAM", "", "return ctx->regs[2];: third insn #0 (called by reads)"),
    ];
    for (kind, manifest, place) in kinds {
        desk.compiled(&Path::new(FOLDER).join("kinds.bpf.c"), "kinds.bpf", &[kind])?;
        std::fs::write(desk.folder.join("kinds.toml"), manifest)?;
        let pack =
            |arch: &str| desk.corelet(&["pack", "kinds.bpf.o", "--target", &made_up(arch), "-o", "x.pack"]);
        let refused = pack("armv7l")?;
        ensure!(refused.status.code() == Some(3), "{kind}: {:?}: {}", refused.status, said(&refused));
        holds(&said(&refused), &format!("kinds.bpf.c:… {place} … {line}"))
            .with_context(|| kind.to_owned())?;
        let own = pack("aarch64")?;
        let text = said(&own);
        ensure!(own.status.success() && !text.contains("a register"), "{kind} on aarch64: {text}");
    }
    // an alternative that this architecture has no use for is none there
    std::fs::write(desk.folder.join("kinds.toml"), "[[alternatives]]\nsets = [[\"reads\"], [\"other\"]]\n")?;
    desk.compiled(
        &Path::new(FOLDER).join("kinds.bpf.c"),
        "kinds.bpf",
        &["-DKIND=\"kprobe/vfs_read\"", "-DOTHER"],
    )?;
    let other = desk.corelet(&["pack", "kinds.bpf.o", "--target", &made_up("armv7l"), "-o", "x.pack"])?;
    ensure!(other.status.success(), "{}", said(&other));
    holds(&said(&other), "reads: not loaded: an alternative is")?;
    // nothing says what it was compiled for
    std::fs::write(desk.folder.join("kinds.toml"), "")?;
    desk.compiled(&Path::new(FOLDER).join("kinds.bpf.c"), "kinds.bpf", &["-DRAW_TP"])?;
    let warned = desk.corelet(&["pack", "kinds.bpf.o", "--target", &made_up("armv7l"), "-o", "x.pack"])?;
    ensure!(warned.status.success(), "{}", said(&warned));
    holds(
        &said(&warned),
        "warning: … &saved->regs[2]);: reads insn # … the object's types do not say of which",
    )?;
    Ok(kinds.len())
}

/// `corelet new`: an object, a pack for a board, and what is said where something is missing.
fn project(desk: &Desk) -> Result<()> {
    let made = desk.corelet(&["new", "watch"])?;
    ensure!(made.status.success(), "{}", said(&made));
    let again = desk.corelet(&["new", "watch"])?;
    ensure!(again.status.code() == Some(2), "{}", said(&again));
    holds(&said(&again), "watch: is there already")?;
    let source = desk.corelet(&["pack", "watch/watch.bpf.c", "--board", "qemu-aarch64", "-o", "x.pack"])?;
    holds(
        &said(&source),
        "watch.bpf.c: text, not a BPF object; a program is compiled first: clang -g -O2 -target bpf",
    )?;
    let clang = format!("CLANG={}", desk.clang.display());
    let corelet = format!("CORELET={}", desk.corelet.display());
    let make = |words: &[&str]| desk.run(Command::new("make").args(["-C", "watch"]).args(words));
    let without = make(&["CLANG=no-such-compiler", &corelet])?;
    holds(&said(&without), "no-such-compiler is not on this machine: install clang 12 or newer")?;
    let without = make(&[&clang, "CORELET=no-such-corelet"])?;
    holds(&said(&without), "no-such-corelet is not on this machine: cargo install --path host-tools")?;
    let made = make(&[&clang, &corelet])?;
    ensure!(made.status.success(), "{}", said(&made));
    holds(&said(&made), "6 relocations patched, 0 poisoned, 0 failed")?;
    ensure!(!said(&made).contains("warning"), "{}", said(&made));
    ensure!(desk.folder.join("watch/watch.pack").is_file(), "make made no pack");
    // in Rust: what it needs beside, in the order in which it is asked for
    let made = desk.corelet(&["new", "--rust", "rusty"])?;
    ensure!(made.status.success(), "{}", said(&made));
    let make = |words: &[&str]| desk.run(Command::new("make").args(["-C", "rusty", &clang]).args(words));
    let without = make(&["BPF_LINKER=no-such-linker"])?;
    holds(
        &said(&without),
        "no-such-linker is not on this machine: with Rust 1.95 `cargo install bpf-linker@",
    )?;
    let without = make(&["BPF_LINKER=sh", "RUST_SRC=no-such-folder"])?;
    holds(&said(&without), "rustc's source is not on this machine: rustup component add rust-src")
}

/// The vmlinux.h of the boards' kernels: one object of it for all of them.
fn union(desk: &Desk) -> Result<usize> {
    let boards: Vec<&str> = BOARDS.iter().flat_map(|board| ["--board", board]).collect();
    let made = desk.corelet(&[&["headers", "include"], &boards[..]].concat())?;
    ensure!(made.status.success(), "{}", said(&made));
    let arm = kernel_for(&Board::find(BOARDS[1])?, &mut *on_stderr())?.release;
    let mut version = arm.split('.');
    let version = [version.next(), version.next()].map(|number| number.unwrap_or_default());
    let flavor = format!("-DARM(name)=name##___arm_{}_{}", version[0], version[1]);
    desk.compiled(&Path::new(FOLDER).join("union.bpf.c"), "union.bpf", &[&flavor])?;
    let pack = [&["pack", "union.bpf.o", "-o", "union.pack"], &boards[..]].concat();
    let packed = desk.corelet(&pack)?;
    let text = said(&packed);
    ensure!(packed.status.success() && !text.contains("warning:"), "one object of it: {text}");
    Ok(BOARDS.len())
}

/// Boards of a newcomer's program: where it is first tried, and another architecture.
const NEW_BOARDS: [&str; 2] = ["qemu-aarch64", "qemu-riscv64"];
/// What a newcomer changes: one more member of the event, read in the program.
const EDITS: [(&str, &str); 2] = [
    ("\t__u32 parent;\n", "\t__u32 parent;\n\t__u32 thread;\n"),
    (
        "\tevent->parent = parent;\n",
        "\tevent->parent = parent;\n\tevent->thread = BPF_CORE_READ(task, pid);\n",
    ),
];

/// The way of a newcomer in an empty home: the command installed out of a clone, a project, an edit, its events on two boards.
pub(crate) fn new_author(context: &mut Context<'_>) -> Result<Outcome> {
    let desk = Desk::new(context, "new-author")?;
    let home = desk.folder.join("home");
    std::fs::create_dir_all(&home)?;
    let mut times = Vec::new();
    let mut timed = |context: &mut Context<'_>, what: &str, command: &mut Command| -> Result<String> {
        let began = Instant::now();
        command.env("HOME", &home).env_remove("CORELET_CACHE").env_remove("CARGO_MANIFEST_DIR");
        // Rust is what the machine has; everything else is new
        for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(variable).is_none()
                && let Some(own) = std::env::var_os("HOME")
            {
                command.env(variable, Path::new(&own).join(folder));
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([home.join("bin")].into_iter().chain(std::env::split_paths(&path)))?;
        let output = desk.run(command.env("PATH", path))?;
        let seconds = began.elapsed().as_secs_f64();
        context.note(&format!("{what}: {seconds:.1} s\n{}", said(&output)))?;
        ensure!(output.status.success(), "{what}: {}", said(&output));
        times.push(format!("{what} {seconds:.0} s"));
        Ok(said(&output))
    };
    let clone = &context.workspace.root.clone();
    let mut install = Command::new("cargo");
    install.args(["install", "--quiet", "--locked", "--path"]).arg(clone.join("host-tools"));
    install.arg("--root").arg(&home).env("CARGO_TARGET_DIR", home.join("target"));
    timed(context, "cargo install", &mut install)?;
    timed(context, "corelet new", Command::new("corelet").args(["new", "watch"]))?;
    let make = |board: &str| {
        let mut make = Command::new("make");
        make.args(["-C", "watch", "test", &format!("BOARD={board}")]);
        make
    };
    timed(context, "the first test, on qemu-aarch64", &mut make(NEW_BOARDS[0]))?;
    let source = desk.folder.join("watch/watch.bpf.c");
    let mut text = std::fs::read_to_string(&source)?;
    text = text.replacen("\tint tgid;\n", "\tint tgid;\n\tint pid;\n", 1);
    for (old, new) in EDITS {
        ensure!(text.contains(old), "watch.bpf.c has no {old:?}");
        text = text.replacen(old, new, 1);
    }
    std::fs::write(&source, text)?;
    for board in NEW_BOARDS {
        let output = timed(context, &format!("after an edit, on {board}"), &mut make(board))?;
        let event = output.lines().find(|line| line.contains("\"comm\":\"true\""));
        let event: serde_json::Value = serde_json::from_str(event.context("no event of /bin/true")?)?;
        let number = |member: &str| event[member].as_u64().unwrap_or(0);
        // a process of one thread, which a shell began
        let right = number("pid") > 1 && number("thread") == number("pid") && number("parent") > 1;
        ensure!(right && number("parent") != number("pid"), "{board}: {event}");
    }
    Ok(Outcome::Passed(times.join(", ")))
}
