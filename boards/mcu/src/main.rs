//! Firmware for a microcontroller: relocates the programs of a pack in flash for the kernel whose build id it is given, and
//! says by semihosting a digest of their instructions, and the RAM and stack that it touched.
//!
//! The pack lies where the linker script says, so one firmware serves every pack, as a flasher has it; the build id is the
//! command line's last word. Exit codes are the loader's: 0 done, 1 not portable, 2 usage, 3 bad input.

#![no_std]
#![no_main]

mod console;
// What the compiler calls by name: smaller than what comes with it.
#[path = "../../../loader/src/rt/memory.rs"]
mod functions;
mod machine;
mod memory;
mod relocate;

use console::Console;
use corelet_core::pack::{Object, section};
use corelet_core::{Error, Words};
use relocate::Pack;

/// Exit code of a defect of the firmware itself.
pub(crate) const DEFECT: u32 = 101;

/// Longest build id, in bytes: that of a SHA-256. The kernel's has 20.
const MAX_BUILD_ID: usize = 32;

/// Why the firmware does not go on.
pub(crate) enum Stop {
    /// The pack is damaged, or its programs cannot be relocated.
    Bad(Error),
    /// No target has the build id.
    NoTarget,
    /// The pack takes more RAM than there is.
    NoMemory {
        /// Bytes that are missing.
        short: usize,
    },
    /// The command line names no build id.
    NoBuildId,
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Stop::Bad(e)
    }
}

impl Stop {
    /// Says why, and what to do.
    fn say(self) -> u32 {
        match self {
            Stop::Bad(e) => {
                e.brief(&mut Console);
                Console.text("\n");
                3
            }
            Stop::NoTarget => {
                Console.text(
                    "the pack has no target of this build id: pack again with this kernel as --target\n",
                );
                1
            }
            Stop::NoMemory { short } => {
                Console.text("the pack takes ");
                Console.number(short as u64);
                Console.text(" bytes of RAM more than there are\n");
                1
            }
            Stop::NoBuildId => {
                Console.text("the command line must end with the kernel's build id, in hexadecimal digits\n");
                2
            }
        }
    }
}

/// The kernel's build id.
struct BuildId {
    bytes: [u8; MAX_BUILD_ID],
    len: usize,
}

impl BuildId {
    /// Reads the last word of the command line.
    #[inline(never)] // its frame is gone when the work begins
    fn given() -> Option<BuildId> {
        let mut buffer = [0; 96];
        let line = machine::command_line(&mut buffer);
        let word = line.rsplit(|&b| b == b' ').next()?;
        let (pairs, odd) = word.as_chunks::<2>();
        let mut id = BuildId { bytes: [0; MAX_BUILD_ID], len: pairs.len() };
        if pairs.is_empty() || pairs.len() > MAX_BUILD_ID || !odd.is_empty() {
            return None;
        }
        for (byte, &[high, low]) in id.bytes.iter_mut().zip(pairs) {
            let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Some(id)
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// Relocates every object of the pack; the exit code.
fn main() -> u32 {
    // SAFETY: here alone, and `main` is called once.
    let work = unsafe { machine::work() };
    let code = match BuildId::given().ok_or(Stop::NoBuildId).and_then(|id| objects(&id, work)) {
        Ok(()) => 0,
        Err(stop) => stop.say(),
    };
    for (word, n) in [("RAM touched: work ", machine::touched_work()), (", stack ", machine::deepest_stack())]
    {
        Console.text(word);
        Console.number(n as u64);
    }
    Console.text("\n");
    code
}

fn objects(build_id: &BuildId, work: &mut [u8]) -> Result<(), Stop> {
    let pack = Pack::open(machine::pack())?;
    for owner in pack.owners(section::OBJECT) {
        let object: Object<'_> = pack.record(section::OBJECT, owner)?;
        let done = pack.relocate(owner, &object, build_id.bytes(), work, &mut |function, relo, what| {
            Console.text(object.name);
            Console.text(": ");
            Console.text(function);
            Console.text(" insn ");
            Console.number(relo.insn.into());
            Console.text(", line ");
            Console.number(relo.line.into());
            Console.text(what);
        })?;
        Console.text(object.name);
        for (word, n) in [
            (": patched ", done.patched),
            (", poisoned ", done.poisoned),
            (", instructions ", done.insns),
            (", digest ", done.digest),
            (", work ", done.work as u32),
        ] {
            Console.text(word);
            Console.number(n.into());
        }
        Console.text("\n");
    }
    Ok(())
}

unsafe extern "C" {
    /// Defined nowhere: a firmware with a panic path does not link.
    fn there_is_a_panic_path() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never called, as nothing that calls it is linked.
    unsafe { there_is_a_panic_path() }
}
