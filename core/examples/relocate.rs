//! Relocates objects against BTF files, as a program that embeds this crate does: `relocate OBJECT BTF [OBJECT BTF]…`.
//!
//! Says how many relocations there were, how many instructions are poisoned, and a checksum of all instructions.
//! `cargo verify --only engine` counts the instructions that it executes.

use corelet_core::btf::Btf;
use corelet_core::object::Object;
use corelet_core::pack::crc32;
use corelet_core::relo::{CandList, Cands, CoreRelo, Known, Outcome, ReloKind, Relocator, Scratch};
use corelet_core::{Endian, Result, TypeId};
use std::error::Error;

/// What became of the objects.
#[derive(Default)]
struct Tally {
    relocations: usize,
    poisoned: usize,
    checksum: u32,
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut tally = Tally::default();
    for pair in args.chunks(2) {
        let [object, btf] = pair else { return Err("usage: relocate [OBJECT BTF]…".into()) };
        let (file, btf) = (std::fs::read(object)?, std::fs::read(btf)?);
        let mut index = vec![0; Object::type_count(&file)?];
        let object = Object::parse(&file, &mut index)?;
        let mut functions = Vec::new();
        for f in object.functions() {
            functions.push(f.insns.to_vec());
        }
        let mut relos = Vec::new();
        for r in object.core_relos() {
            let r = r?;
            let kind = ReloKind::from_number(r.record.kind)?;
            let (type_id, access_str_off) = (r.record.type_id, r.record.access_str_off);
            relos.push((r.function as usize, CoreRelo { insn: r.insn, type_id, access_str_off, kind }));
        }
        // no record of a type is shorter than 12 bytes, and a type is a candidate of a few local types at most
        let types = btf.len() / 12;
        let (mut index, mut lists) = (vec![0; types], vec![CandList::default(); relos.len()]);
        let (mut pool, mut scratch) = (vec![TypeId::VOID; types * 4], Scratch::default());
        let target = Target { bytes: &btf, index: &mut index };
        let cands = Cands::new(&mut lists, &mut pool);
        let mut known = vec![Known::default(); relos.len() * 2];
        let (local, endian) = (object.btf(), object.endian());
        relocate(local, target, cands, &mut scratch, &mut known, &relos, &mut functions, endian, &mut tally)?;
        functions.iter().for_each(|insns| tally.checksum = tally.checksum.rotate_left(1) ^ crc32(insns));
    }
    println!("{} relocations, {} poisoned, {:08x}", tally.relocations, tally.poisoned, tally.checksum);
    Ok(())
}

/// The kernel's types, not read yet, and memory for their index.
struct Target<'x> {
    bytes: &'x [u8],
    index: &'x mut [u32],
}

/// What is counted: reading the target's types and relocating all functions through them. Memory is the caller's.
#[inline(never)]
#[allow(clippy::too_many_arguments, reason = "nothing is made in here that could be counted too")]
fn relocate(
    local: &Btf<'_>,
    target: Target<'_>,
    cands: Cands<'_>,
    scratch: &mut Scratch,
    known: &mut [Known],
    relos: &[(usize, CoreRelo)],
    functions: &mut [Vec<u8>],
    endian: Endian,
    tally: &mut Tally,
) -> Result<()> {
    let target = Btf::parse(target.bytes, target.index)?;
    let mut relocator = Relocator { local, target: &target, cands, scratch };
    for (function, relo) in relos {
        let Some(insns) = functions.get_mut(*function) else { continue };
        let outcome = relocator.relocate_known(known, relo, insns, endian)?;
        tally.relocations += 1;
        tally.poisoned += usize::from(matches!(outcome, Outcome::Poisoned(_)));
    }
    Ok(())
}
