//! Counts the programs that begin, without `std` and without a heap: `corelet-counters PACK SECONDS`, of `counters.bpf.c`'s pack.
//!
//! It sets a variable and an entry of a map before anything is attached, prints the events as they come, and what the map and the
//! variables hold after so many seconds without any. A C library starts it, here musl, static:
//!
//! ```text
//! cargo build -p corelet-counters --features device --profile device --target aarch64-unknown-linux-musl
//! ```

#![no_std]
#![no_main]

use core::ffi::{CStr, c_char, c_int};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use corelet_loader::api::{Loaded, Pack, Result};

/// What programs begin with, and the map's keys.
type Name = [u8; 16];

/// Counted as often as it was found before; a name that no program has.
const HELD: &Name = b"held\0\0\0\0\0\0\0\0\0\0\0\0";

#[link(name = "c", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {
    fn write(fd: c_int, bytes: *const u8, len: usize) -> isize;
    fn abort() -> !;
}

/// Standard output and standard error, by their descriptors.
struct Out(c_int);

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: it reads so many bytes there.
            let written = unsafe { write(self.0, rest.as_ptr(), rest.len()) };
            let written = usize::try_from(written).map_err(|_| fmt::Error)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: as C has it, `argv` has so many words, which live as long as the process.
    let word = |n: usize| (n < argc as usize).then(|| unsafe { CStr::from_ptr(*argv.add(n)) });
    let (Some(pack), Some(seconds)) = (word(1), word(2).and_then(|word| word.to_str().ok()?.parse().ok()))
    else {
        let _ = Out(2).write_str("counters PACK SECONDS\n");
        return 2;
    };
    match run(pack, seconds) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(Out(2), "{error}");
            error.kind() as c_int
        }
    }
}

#[allow(clippy::result_large_err, reason = "an error carries its words: it has no heap")]
fn run(pack: &CStr, seconds: u32) -> Result<()> {
    let mut loaded = Loaded::load(Pack::at(pack), &[], None)?;
    let was: u32 = loaded.global("step")?.get()?;
    loaded.global("step")?.set(&(was + 1))?;
    loaded.map("by_name")?.set(HELD, &40u64)?;
    loaded.attach()?;
    let _ = writeln!(Out(2), "ready");
    let mut quiet = 0;
    while quiet < seconds * 10 {
        let polled = loaded.poll(Some(100), &mut |event| {
            let _ = writeln!(Out(1), "first {}", text(event.bytes));
        })?;
        quiet += u32::from(polled.events == 0);
    }
    loaded.detach();
    let mut counts = loaded.map("by_name")?;
    let (mut before, mut name) = (None, Name::default());
    while counts.next_key(before.as_ref().map(Name::as_slice), &mut name)? {
        let count: u64 = counts.get(&name)?.unwrap_or_default();
        let _ = writeln!(Out(1), "count {} {count}", text(&name));
        before = Some(name);
    }
    let gone = (counts.delete(HELD)?, counts.delete(HELD)?);
    let total: u64 = loaded.global("total")?.get()?;
    let step: u32 = loaded.global("step")?.get()?;
    let _ = writeln!(Out(1), "total {total} step {step} gone {gone:?}");
    Ok(())
}

/// The name before its NUL.
fn text(name: &[u8]) -> &str {
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    core::str::from_utf8(name).unwrap_or("?")
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    let _ = Out(2).write_str("counters: a defect\n");
    // SAFETY: it only ends the process.
    unsafe { abort() }
}

// The prebuilt `core` refers to it although nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
