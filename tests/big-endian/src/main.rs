//! Relocates the object that comes in by standard input against the types behind it, on s390x, and prints what came of it.
//! The PC does the same and compares: core computes alike whatever the byte order of the machine that it runs on.
//!
//! Input: two little-endian lengths of four bytes, an object, a BTF blob. Output: `patched N, poisoned N, failed N, digest
//! N`, the digest a CRC-32 (as a pack's) of the instructions of all functions. Exit codes: 0 done, 3 bad input.

#![no_std]
#![no_main]

mod linux;
// What the compiler calls by name; this needs a libc as little as the loader does.
#[path = "../../../loader/src/rt/memory.rs"]
mod memory;

use core::cell::UnsafeCell;
use corelet_core::btf::Btf;
use corelet_core::bytes::{Bytes, Endian};
use corelet_core::insn::INSN_SIZE;
use corelet_core::object::Object;
use corelet_core::pack::Crc;
use corelet_core::relo::{CandList, Cands, CoreRelo, Outcome, ReloKind, Relocator, Scratch};
use corelet_core::{Error, Part, Result, TypeId};
use linux::{exit, read, write};

/// Bytes of input that there is room for, and bytes of instructions.
const INPUT: usize = 64 << 10;
/// Types and candidates that there is room for.
const TYPES: usize = 1 << 10;
/// Root types of relocations.
const ROOTS: usize = 64;

/// Memory for everything.
struct Room {
    input: [u8; INPUT],
    insns: [u8; INPUT],
    local: [u32; TYPES],
    target: [u32; TYPES],
    pool: [TypeId; TYPES],
    scratch: Scratch,
}

struct Shared(UnsafeCell<Room>);

// SAFETY: there is one thread.
unsafe impl Sync for Shared {}

static ROOM: Shared = Shared(UnsafeCell::new(Room {
    input: [0; INPUT],
    insns: [0; INPUT],
    local: [0; TYPES],
    target: [0; TYPES],
    pool: [TypeId::VOID; TYPES],
    scratch: Scratch::new(),
}));

/// First Rust code to run, once.
extern "C" fn start() -> ! {
    // SAFETY: `start` runs once, and nobody else takes it.
    let room = unsafe { &mut *ROOM.0.get() };
    match relocate(room) {
        Ok(numbers) => {
            for (word, n) in ["patched ", ", poisoned ", ", failed ", ", digest "].into_iter().zip(numbers) {
                write(word.as_bytes());
                decimal(n);
            }
            write(b"\n");
            exit(0)
        }
        Err(_) => {
            write(b"bad input\n");
            exit(3)
        }
    }
}

fn decimal(n: u32) {
    let mut place = 1_000_000_000;
    while place > 1 && n < place {
        place /= 10;
    }
    while place > 0 {
        write(&[b'0' + (n / place % 10) as u8]);
        place /= 10;
    }
}

fn relocate(room: &mut Room) -> Result<[u32; 4]> {
    let len = read(&mut room.input);
    let input = Bytes::new(room.input.get(..len).unwrap_or(&[]), Endian::Little, Part::SectionData);
    let (object, types) = (input.u32(0)? as usize, input.u32(4)? as usize);
    let target = Btf::parse(input.slice(object.saturating_add(8), types)?, &mut room.target)?;
    let object = Object::parse(input.slice(8, object)?, &mut room.local)?;
    let mut free = room.insns.iter_mut();
    for f in object.functions() {
        free.by_ref().zip(f.insns).for_each(|(to, from)| *to = *from);
    }
    let mut lists = [CandList::default(); ROOTS];
    let mut relocator = Relocator {
        local: object.btf(),
        target: &target,
        cands: Cands::new(&mut lists, &mut room.pool),
        scratch: &mut room.scratch,
    };
    let [mut patched, mut poisoned, mut failed] = [0; 3];
    for relo in object.core_relos() {
        let relo = relo?;
        let record = CoreRelo {
            insn: relo.insn,
            type_id: relo.record.type_id,
            access_str_off: relo.record.access_str_off,
            kind: ReloKind::from_number(relo.record.kind)?,
        };
        let before = object.functions().take(relo.function as usize);
        let start = before.fold(0usize, |sum, f| sum.saturating_add(f.insns.len()));
        let len = object.function(relo.function).map_or(0, |f| f.insns.len());
        let insns = room.insns.get_mut(start..).and_then(|i| i.get_mut(..len));
        let insns = insns.ok_or(Error::NoSuchInsn { insn: (start / INSN_SIZE) as u32 })?;
        match relocator.relocate(&record, insns, object.endian(), &mut ()) {
            Ok(Outcome::Patched { .. }) => patched += 1,
            Ok(Outcome::Poisoned(_)) => poisoned += 1,
            Err(_) => failed += 1,
        }
    }
    let mut digest = Crc::new();
    let all = object.functions().fold(0usize, |sum, f| sum.saturating_add(f.insns.len()));
    digest.update(room.insns.get(..all).unwrap_or(&[]));
    Ok([patched, poisoned, failed, digest.finish()])
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(101)
}
