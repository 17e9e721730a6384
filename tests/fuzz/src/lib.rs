//! What each fuzz target does with its bytes. A target finds a defect by panicking, by not coming back, or by taking more
//! memory than it is given; and each asserts what must hold of bytes that are accepted.
//!
//! `README.md` says how they are run. `seeds.rs` makes what they start from.

mod dwarf;
mod format;
mod relocation;

pub use dwarf::dwarf;
pub use format::{btf, btf_ext, event, image, manifest, object, pack};
pub use relocation::{joined, relocation};

#[path = "../../../loader/tests/common/mod.rs"]
mod common;

use common::fake::Fake;
use common::pack::Sample;

/// The loader on a fake kernel, with any bytes as its pack: an exit code that is documented, and nothing is left open.
pub fn loader(data: &[u8]) {
    for line in [&["verify", "/p"][..], &["run", "/p", "--for", "1"]] {
        let mut kernel = Fake::new(format::with_checksums(data.to_vec()));
        let code = common::run(&mut kernel, line);
        assert!((0..=5).contains(&code), "exit code {code}: {}", kernel.stderr);
        assert!(kernel.left().is_empty(), "left open: {:?}", kernel.left());
    }
}

/// Packs of the loader's tests.
pub fn sample_packs() -> Vec<Vec<u8>> {
    let poisoned = Sample { poison: true, ..Sample::default() };
    vec![Sample::default().pack(), poisoned.pack()]
}
