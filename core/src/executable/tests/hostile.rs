//! Files that lie: any answer will do, but it comes, and soon.

use super::build::{Built, Sym};
use super::{Mem, PROBED};
use crate::executable::notes::Notes;
use crate::executable::{Executable, arg_spec};
use crate::limits::MAX_USDT_NOTE;
use crate::pack::Arch;
use std::vec;
use std::vec::Vec;

/// Asks everything of the file; how many reads it took.
fn ask(bytes: &[u8]) -> u32 {
    let mut file = Mem { bytes, most: usize::MAX, reads: 0 };
    if let Ok(mut e) = Executable::new(&mut file) {
        for name in ["probed_add", "f", "copy@V_1", ""] {
            let _ = e.find(name);
        }
        let _ = e.matching("*f*", &mut |_| Ok(()));
        if let Ok(Some(mut notes)) = Notes::of(&mut e) {
            let mut text = [0; MAX_USDT_NOTE];
            while let Ok(Some(probe)) = notes.next(&mut e, &mut text) {
                let _ = arg_spec::spec(Arch::Aarch64, probe.args);
                let _ = probe.place(&mut e);
            }
        }
    }
    file.reads
}

fn sample() -> Vec<u8> {
    let built = Built {
        dynsym: vec![Sym { version: 2, ..Sym::function("copy", 0x40) }],
        symtab: vec![Sym::function("f", 0x10), Sym::function("gf", 0x20)],
        versions: vec![(2, "V_1"), (3, "V_2")],
        notes: vec![("p", "n", "8@x1 4@[sp, 8]", 0x40, 0, 0x50); 3],
        base: Some(0x100),
        ..Built::default()
    };
    built.file()
}

#[test]
fn every_cut_and_every_changed_byte() {
    let made = sample();
    for file in PROBED.into_iter().chain([&made[..]]) {
        for len in (0..file.len()).step_by(if file.len() > 4096 { 997 } else { 31 }) {
            ask(&file[..len]);
        }
        let mut changed = file.to_vec();
        // the headers, the tables; instructions matter to nobody
        for at in (0..file.len()).filter(|&at| at < 256 || file.len() - at < 2048 && at.is_multiple_of(13)) {
            for byte in [0xff, file[at] ^ 0x80] {
                changed[at] = byte;
                let reads = ask(&changed);
                assert!(reads < 200_000, "byte {at} as {byte}: {reads} reads");
            }
            changed[at] = file[at];
        }
    }
}
