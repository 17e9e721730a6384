//! How the executable is linked: static, at a fixed address, with its own `_start`, laid out by `link.ld`.

use std::env::var;

/// The script without the program header for a pack, in a file of its own.
fn without_room(script: &str) -> String {
    let text = std::fs::read_to_string(script).expect("link.ld is beside build.rs");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("room "));
    let path = format!("{}/link.ld", var("OUT_DIR").unwrap_or_default());
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).expect("OUT_DIR can be written to");
    path
}

fn main() {
    let mut script = format!("{}/link.ld", var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={script}");
    if var("CARGO_FEATURE_EMBED").is_err() {
        // whoever puts a pack into this one must see that it would not be found
        script = without_room(&script);
    }
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
