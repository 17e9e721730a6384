//! Any bytes: an error or a result, no panic, in bounded time.

use super::{convert, file};
use corelet_host_tools::btf::OwnedBtf;
use std::path::Path;

/// Converts `bytes`; what comes out is BTF.
fn attempt(folder: &Path, bytes: &[u8]) {
    let path = folder.join("input");
    std::fs::write(&path, bytes).unwrap();
    if let Ok(converted) = convert(&path) {
        OwnedBtf::from_bytes(converted.btf).unwrap_or_else(|error| panic!("not BTF: {error}"));
    }
}

const INPUTS: [&str; 6] = ["two", "two-lto", "two-zstd", "types-mips-5.o", "split-packed.o", "two-stripped"];

#[test]
fn files_that_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    for name in INPUTS {
        let whole = std::fs::read(file(name)).unwrap();
        for len in (0..whole.len()).step_by(61) {
            attempt(folder.path(), &whole[..len]);
        }
    }
}

#[test]
fn files_with_bytes_changed() {
    let folder = tempfile::tempdir().unwrap();
    for name in INPUTS {
        let whole = std::fs::read(file(name)).unwrap();
        let mut state = 0x9e37_79b9u32;
        for _ in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..4 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = state as usize % bytes.len();
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, (state >> 8) as u8][(state >> 24) as usize % 6];
            }
            attempt(folder.path(), &bytes);
        }
    }
}
