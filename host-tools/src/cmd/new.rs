//! `corelet new`: the beginning of a BPF program that works.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::headers;
use crate::exit::Failure;
use crate::output;

/// Make a small project: a BPF program in C, its manifest, the headers, a Makefile, and a test on an emulated board.
///
/// In it, `make` compiles and packs, `make run` shows events, `make test` checks them; `make test BOARD=qemu-riscv64` runs the same
/// object on another architecture. It needs clang and make, and what boards need, which corelet names where it is not there.
///
/// With --rust the program is in Rust (aya-ebpf), and what it reads of the kernel's types in C beside it, whose relocations rustc
/// cannot write. That needs bpf-linker and the source of Rust's `core` too; `make` names what is missing.
///
/// Example: corelet new execwatch && make -C execwatch test
/// Example: corelet new --rust execwatch && make -C execwatch test
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The project's folder and name: letters, digits and `_`, a letter first.
    #[arg(value_name = "NAME")]
    name: PathBuf,
    /// The program in Rust.
    #[arg(long)]
    rust: bool,
}

/// What stands for the name in the files.
const NAME: &str = "NAME";

macro_rules! file {
    ($to:literal, $from:literal) => {
        ($to, include_str!(concat!("../../headers/new/", $from)))
    };
}

/// The files, by what they are called in the project.
const FILES: [(&str, &str); 2] = [file!("work.sh", "work.sh"), file!("test.sh", "test.sh")];
const IN_C: [(&str, &str); 3] =
    [file!("NAME.bpf.c", "program.bpf.c"), file!("NAME.toml", "program.toml"), file!("Makefile", "Makefile")];
const IN_RUST: [(&str, &str); 7] = [
    file!("src/main.rs", "rust/main.rs"),
    file!("src/kernel.c", "rust/kernel.c"),
    file!("build.rs", "rust/build.rs"),
    // by its own name it would make a package of the folder that it comes from
    file!("Cargo.toml", "rust/package.toml"),
    file!(".cargo/config.toml", "rust/config.toml"),
    file!("NAME.toml", "rust/program.toml"),
    file!("Makefile", "rust/Makefile"),
];

/// Runs the command.
///
/// # Errors
/// A name that is none, a folder that is there already, a file that cannot be written.
pub fn run(args: Args) -> Result<ExitCode> {
    let folder = &args.name;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        let shown = folder.display();
        return Err(Failure::usage(format!(
            "{shown}: a project's name has letters, digits and `_`, and begins with a letter"
        )));
    }
    if folder.exists() {
        return Err(Failure::usage(format!("{}: is there already", folder.display())));
    }
    headers::write(&folder.join("include"))?;
    let program: &[_] = if args.rust { &IN_RUST } else { &IN_C };
    for (path, text) in FILES.iter().chain(program) {
        let path = folder.join(path.replace(NAME, name));
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .with_context(|| format!("{}: cannot make this folder", parent.display()))?;
        output::write_file(&path, text.replace(NAME, name).as_bytes()).context("a new project")?;
    }
    let corelet = match on_path("corelet") {
        true => String::new(),
        false => std::env::current_exe()
            .map_or_else(|_| String::new(), |own| format!(" CORELET={}", own.display())),
    };
    eprintln!("{0}: made; next: make -C {0} test{corelet}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Whether a shell finds a command.
fn on_path(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(command).is_file())
}
