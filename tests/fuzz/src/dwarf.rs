//! DWARF to BTF: any bytes as the file with the DWARF.

use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::dwarf::{Options, convert};

/// Bytes of BTF for each byte of DWARF, and some for names of the conversion's own. A type takes more in BTF than in DWARF, but
/// each is there once.
const TIMES: usize = 16;

/// The conversion of `data`: BTF that is whole, the same with two threads as with one, and no larger than it can be.
pub fn dwarf(data: &[u8]) {
    let path = std::env::temp_dir().join(format!("corelet-fuzz-{}", std::process::id()));
    std::fs::write(&path, data).expect("room for the input");
    let run = |threads| convert(&path, &Options { threads, ..Options::default() }, &|_, _| {});
    let one = run(1);
    let two = run(2);
    std::fs::remove_file(&path).expect("the input is there");
    match (one, two) {
        (Ok(one), Ok(two)) => {
            assert_eq!(one.btf, two.btf, "two threads give other bytes than one");
            assert!(one.btf.len() <= (data.len() + 64) * TIMES, "{} bytes of {}", one.btf.len(), data.len());
            OwnedBtf::from_bytes(one.btf).expect("what comes out is BTF");
        }
        (Err(_), Err(_)) => {}
        (one, two) => panic!("one thread: {:?}, two: {:?}", one.map(|c| c.counts), two.map(|c| c.counts)),
    }
}
