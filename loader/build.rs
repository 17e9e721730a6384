//! How the executable is linked: static, at a fixed address, with its own `_start`.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let lld = [
        "-nostdlib",
        "-static",
        "--no-pie",
        "--no-eh-frame-hdr",
        "-znorelro",
        "--build-id=none",
        "-znoseparate-code",
    ];
    // The same for a compiler driver, which is what links where .cargo/config.toml names no linker.
    let driver = [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--no-eh-frame-hdr,-znorelro,-znoseparate-code,--build-id=none",
    ];
    let bare = var("RUSTC_LINKER").is_ok_and(|l| l.ends_with("lld"));
    for arg in if bare { &lld[..] } else { &driver[..] } {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
