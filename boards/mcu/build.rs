//! How the firmware is linked: the machine's memory from `link/ARCH.ld`, the sections from `link/sections.ld`.

use std::env::var;

fn main() {
    let folder = format!("{}/link", var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={folder}");
    let arch = var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    println!("cargo::rustc-link-arg-bins=-L{folder}");
    println!("cargo::rustc-link-arg-bins=-T{arch}.ld");
}
