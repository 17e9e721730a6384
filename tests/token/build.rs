//! Linked as the loader is: static, at a fixed address, with its own `_start`.

use std::env::var;

fn main() {
    let script = format!("{}/../../loader/link.ld", var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={script}");
    for arg in ["-nostdlib", "-static", "--no-pie", "--build-id=none", "-T", &script] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
