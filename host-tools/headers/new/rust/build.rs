//! Compiles src/kernel.c to LLVM's bitcode, which bpf-linker joins with Rust's: functions are inlined, relocations stay.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = "src/kernel.c";
const FLAGS: &str = "-g -O2 -Wall -target bpf -mcpu=v3 -I include -emit-llvm";

fn main() {
    for path in [SOURCE, "include"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=CLANG");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let (bitcode, text) = (folder.join("kernel.bc"), folder.join("kernel.ll"));
    compile("-c", &bitcode);
    compile("-S", &text);
    println!("cargo::rustc-link-arg-bins={}", bitcode.display());
    println!("cargo::rustc-link-arg-bins=--btf");
    // bpf-linker takes what it need not export for its own: an extern would no longer be weak, a function lose its arguments
    let text = std::fs::read_to_string(&text).expect("clang wrote it");
    let externs: Vec<&str> = text.lines().filter_map(declared).collect();
    if !externs.is_empty() {
        println!("cargo::rustc-link-arg-bins=--export={}", externs.join(","));
    }
}

fn compile(form: &str, to: &Path) {
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let mut command = Command::new(&clang);
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    command.args(FLAGS.split(' ')).arg(format!("-fdebug-prefix-map={here}=."));
    command.args([form, SOURCE, "-o"]).arg(to);
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{clang} {SOURCE}: {status}"),
        Err(error) => panic!("{clang} cannot be started: {error}: install clang, or give CLANG=FILE"),
    }
}

/// The extern that a line of LLVM's text declares, if it is no name of LLVM's own, which have dots.
fn declared(line: &str) -> Option<&str> {
    let is_extern =
        line.starts_with("declare ") || line.contains(" = external ") || line.contains(" = extern_weak ");
    let (_, rest) = line.split_once('@').filter(|_| is_extern)?;
    let name = rest.split([' ', '(']).next()?;
    (!name.contains('.')).then_some(name)
}
