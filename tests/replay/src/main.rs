//! On a board: repeats the calls of bpf(2) that a file holds and prints what the kernel answers. A part of the tests, never
//! of what a device runs.
//!
//! The file (in the board's byte order) is a `u32` count and that many steps of six `u32`, then bytes that steps name by
//! their offset in the file:
//!
//! | step | does |
//! |---|---|
//! | 0, at, to | puts the address of byte `to` into the `u64` at byte `at` |
//! | 1, at, slot | puts the descriptor in slot `slot` into the `u32` at byte `at` |
//! | 2, command, attr, len, slot, label | calls bpf(2), keeps the descriptor in the slot, prints `= LABEL ERRNO` |
//! | 3, command, attr, len, slot, label | the same with a log of the verifier, whose lines follow as `. LINE` |
//! | 4, command, attr, len, slot, label | as 2, and where the kernel refuses once more as 3 |
//! | 5, command, attr, len, at, label | as 2 without a slot, and prints the `u32` at byte `at` then: `. returned WORD` |
//!
//! `label` is the offset of a text that ends with a NUL; slot 0 is of those that are not used again. Of a log those lines are
//! printed that say what became of a relocation, and the last two. Nothing is attached; all is closed with the process.

#![no_std]
#![no_main]

#[path = "../../../loader/src/rt/memory.rs"]
mod memory;
mod sys;

use core::ffi::CStr;

/// Bytes of a log: the kernel keeps its end where it is longer.
const LOG: usize = 8 << 20;
/// Largest file, in bytes.
const FILE: usize = 16 << 20;
/// Descriptors that are used again.
const SLOTS: usize = 512;
/// Offsets of `log_level`, `log_size` and `log_buf` in the attribute of `BPF_PROG_LOAD`.
const LOG_AT: [usize; 3] = [24, 28, 32];
/// `BPF_BTF_LOAD`, and the offsets of the same in its attribute.
const BTF_LOAD: u32 = 18;
const BTF_LOG_AT: [usize; 3] = [24, 20, 8];
/// Steps that a file can ask for.
const ADDRESS: u32 = 0;
const DESCRIPTOR: u32 = 1;
const CALL: u32 = 2;
const CALL_WITH_LOG: u32 = 3;
const CALL_AND_SAY_WHY: u32 = 4;
const CALL_AND_SAY_WORD: u32 = 5;

/// Why the file cannot be repeated.
enum Bad {
    /// No argument, or no such file.
    NoFile,
    /// No memory.
    NoMemory,
    /// It asks for what is not in it.
    Malformed,
}

/// What `_start` calls with the stack that the kernel made: argc, then the arguments.
unsafe extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: argc, the program's name and a first argument or null stand there in this order.
    let path = unsafe {
        let path = stack.add(2).read();
        (stack.read() > 1).then(|| CStr::from_ptr(path as *const core::ffi::c_char))
    };
    let (code, words): (i32, &[u8]) = match run(path) {
        Ok(()) => (0, b""),
        Err(Bad::NoFile) => (2, b"! no file\n"),
        Err(Bad::NoMemory) => (3, b"! no memory\n"),
        Err(Bad::Malformed) => (4, b"! malformed\n"),
    };
    sys::print(words);
    sys::exit(code)
}

fn run(path: Option<&CStr>) -> Result<(), Bad> {
    let file = sys::memory(FILE).ok_or(Bad::NoMemory)?;
    let log = sys::memory(LOG).ok_or(Bad::NoMemory)?;
    let len = sys::read_file(path.ok_or(Bad::NoFile)?, file).ok_or(Bad::NoFile)?;
    let file = file.get_mut(..len).ok_or(Bad::Malformed)?;
    let mut slots = [-1i32; SLOTS];
    for step in 0..word(file, 0)? as usize {
        let mut words = [0; 6];
        for (i, word_of_it) in words.iter_mut().enumerate() {
            *word_of_it = word(file, 4 + 24 * step + 4 * i)?;
        }
        let [kind, a, b, c, slot, label] = words;
        match kind {
            ADDRESS => {
                let to = file.get(b as usize..).ok_or(Bad::Malformed)?.as_ptr().expose_provenance();
                put(file, a as usize, &(to as u64).to_ne_bytes())?;
            }
            DESCRIPTOR => {
                let fd = slots.get(b as usize).ok_or(Bad::Malformed)?;
                put(file, a as usize, &fd.to_ne_bytes())?;
            }
            CALL | CALL_WITH_LOG | CALL_AND_SAY_WHY | CALL_AND_SAY_WORD => {
                let mut with_log = kind == CALL_WITH_LOG;
                let mut result = call(file, [a, b, c], with_log.then_some(&mut *log))?;
                if result.is_err() && kind == CALL_AND_SAY_WHY {
                    with_log = true;
                    result = call(file, [a, b, c], Some(log))?;
                }
                let says_word = kind == CALL_AND_SAY_WORD;
                if let Some(slot) = slots.get_mut(slot as usize).filter(|_| !says_word) {
                    *slot = result.unwrap_or(-1);
                }
                let label = file.get(label as usize..).and_then(|f| CStr::from_bytes_until_nul(f).ok());
                sys::print(b"= ");
                sys::print(label.ok_or(Bad::Malformed)?.to_bytes());
                sys::print_number(result.err().unwrap_or(0) as u32);
                if says_word {
                    sys::print(b". returned");
                    sys::print_number(word(file, slot as usize)?);
                }
                if with_log {
                    print_log(log);
                }
            }
            _ => return Err(Bad::Malformed),
        }
    }
    Ok(())
}

/// One call of bpf(2), `[command, attr, len]`.
fn call(
    file: &mut [u8],
    [command, attr, len]: [u32; 3],
    log: Option<&mut [u8]>,
) -> Result<Result<i32, i32>, Bad> {
    let (attr, len) = (attr as usize, len as usize);
    if let Some(log) = log {
        // the kernel leaves it as it was where it does not get to the verifier
        put(log, 0, &[0])?;
        let address = log.as_mut_ptr().expose_provenance() as u64;
        let at = if command == BTF_LOAD { BTF_LOG_AT } else { LOG_AT };
        put(file, attr + at[0], &1u32.to_ne_bytes())?;
        put(file, attr + at[1], &(log.len() as u32).to_ne_bytes())?;
        put(file, attr + at[2], &address.to_ne_bytes())?;
    }
    let attr = file.get(attr..).and_then(|f| f.get(..len)).ok_or(Bad::Malformed)?;
    // SAFETY: the host made the addresses in it by ADDRESS, for this command.
    Ok(unsafe { sys::bpf(command, attr) })
}

fn word(file: &[u8], at: usize) -> Result<u32, Bad> {
    let bytes = file.get(at..).and_then(|f| f.first_chunk::<4>());
    bytes.map(|b| u32::from_ne_bytes(*b)).ok_or(Bad::Malformed)
}

fn put(into: &mut [u8], at: usize, bytes: &[u8]) -> Result<(), Bad> {
    let place = into.get_mut(at..).and_then(|f| f.get_mut(..bytes.len())).ok_or(Bad::Malformed)?;
    place.copy_from_slice(bytes);
    Ok(())
}

/// Prints the lines about relocations that changed an instruction, and the last two of all.
fn print_log(log: &[u8]) {
    let text = log.split(|b| *b == 0).next().unwrap_or(&[]);
    let lines = || text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let last = lines().count().saturating_sub(2);
    let has = |line: &[u8], words: &[u8]| line.windows(words.len()).any(|w| w == words);
    for (i, line) in lines().enumerate() {
        if i >= last || has(line, b": relo #") && has(line, b" insn #") {
            sys::print(b". ");
            sys::print(line);
            sys::print(b"\n");
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::print(b"! panic\n");
    sys::exit(101)
}

// The prebuilt `core` refers to it although nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
