//! How the executable is linked: static, at a fixed address, with its own `_start`, laid out by `link.ld`.

use std::env::var;

fn main() {
    let script = format!("{}/link.ld", var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={script}");
    // .cargo/config.toml names lld itself, which takes its options as they are; elsewhere a compiler driver links.
    let bare = var("RUSTC_LINKER").is_ok_and(|l| l.ends_with("lld"));
    let args: &[&str] = if bare {
        &["-nostdlib", "-static", "--no-pie", "--build-id=none", "--icf=all", "-T"]
    } else {
        &["-nostartfiles", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-T"]
    };
    for arg in args.iter().copied().chain([script.as_str()]) {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
