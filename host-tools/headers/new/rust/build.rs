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
    // `__weak` of an extern is lost on what bpf-linker need not export
    let text = std::fs::read_to_string(&text).expect("clang wrote it");
    let weak = text.lines().filter(|line| line.contains(" extern_weak ")).filter_map(name);
    let weak: Vec<&str> = weak.collect();
    if !weak.is_empty() {
        println!("cargo::rustc-link-arg-bins=--export={}", weak.join(","));
    }
}

fn compile(form: &str, to: &Path) {
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let mut command = Command::new(&clang);
    command.args(FLAGS.split(' ')).args([form, SOURCE, "-o"]).arg(to);
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{clang} {SOURCE}: {status}"),
        Err(error) => panic!("{clang} cannot be started: {error}: install clang, or give CLANG=FILE"),
    }
}

/// The name in a line of LLVM's text that declares a variable or function: what follows its first `@`.
fn name(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once('@')?;
    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
}
