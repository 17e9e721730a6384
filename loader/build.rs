//! How the executable is linked: static, at a fixed address, with its own `_start`. The linker is named in `.cargo/config.toml`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Arguments of `lld` itself, not of a compiler driver.
    for arg in ["-nostdlib", "-static", "--no-eh-frame-hdr", "-z", "norelro", "--build-id=none"] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
