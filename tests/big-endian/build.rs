//! How the executable is linked: static, at a fixed address, with its own `_start`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for arg in ["-nostdlib", "-static", "--no-pie", "--build-id=none"] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
