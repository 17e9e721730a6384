//! The machine: where its memories are, and its semihosting, by which an emulator or debugger lends it a console.
//!
//! Each architecture gives `call`, the trap that semihosting is asked by, and a start that paints all RAM and calls
//! [`start`]; a fault ends the firmware. Source: Arm's "Semihosting for AArch32 and AArch64" 2.0, which RISC-V's takes over.

#[cfg(target_arch = "arm")]
mod arm;
#[cfg(target_arch = "arm")]
use arm::call;
#[cfg(target_arch = "riscv32")]
mod riscv32;
#[cfg(target_arch = "riscv32")]
use riscv32::call;

use core::ptr::addr_of_mut;

/// What the start fills RAM with.
const PAINT: u32 = 0xa5a5_5a5a;

/// Semihosting's operations.
mod op {
    pub(super) const SYS_WRITEC: usize = 0x03;
    pub(super) const SYS_GET_CMDLINE: usize = 0x15;
    pub(super) const SYS_EXIT_EXTENDED: usize = 0x20;
}

/// `ADP_Stopped_ApplicationExit`: the end that has an exit code.
const APPLICATION_EXIT: usize = 0x20026;

unsafe extern "C" {
    // Places that sections.ld names; only their addresses mean something.
    static mut __stack_bottom: u32;
    static mut __stack_top: u32;
    static mut __work_start: u8;
    static mut __work_end: u8;
    static mut __pack_start: u8;
    static mut __pack_end: u8;
}

/// First Rust code to run, once, in painted RAM.
extern "C" fn start() -> ! {
    exit(crate::main())
}

/// Where a fault leads; nothing can be relied on any more, the stack least of all.
extern "C" fn fault() -> ! {
    exit(crate::DEFECT)
}

/// Puts a byte on the console.
pub(crate) fn write(byte: u8) {
    // SAFETY: the operation reads one byte at the address that it is given.
    unsafe { call(op::SYS_WRITEC, (&raw const byte).addr()) };
}

/// The command line, as much as `buffer` holds; empty where it does not fit or there is none.
pub(crate) fn command_line(buffer: &mut [u8]) -> &[u8] {
    let mut block = [buffer.as_mut_ptr().expose_provenance(), buffer.len()];
    // SAFETY: the block says where there is room and how much; the operation puts no more there.
    let failed = unsafe { call(op::SYS_GET_CMDLINE, block.as_mut_ptr().expose_provenance()) } != 0;
    // SAFETY: the operation wrote the line's length here.
    let len = unsafe { (&raw const block[1]).read_volatile() };
    if failed { &[] } else { buffer.get(..len).unwrap_or(&[]) }
}

/// Ends the firmware.
pub(crate) fn exit(code: u32) -> ! {
    let block = [APPLICATION_EXIT, code as usize];
    loop {
        // SAFETY: the operation reads the two words of the block.
        unsafe { call(op::SYS_EXIT_EXTENDED, block.as_ptr().expose_provenance()) };
    }
}

/// The flash that is a pack's.
pub(crate) fn pack() -> &'static [u8] {
    let (start, end) = (&raw const __pack_start, &raw const __pack_end);
    // SAFETY: both are ends of one stretch of flash that nobody writes while the firmware runs.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// The RAM that is neither stack nor anything else's.
///
/// # Safety
/// To be called once.
pub(crate) unsafe fn work() -> &'static mut [u8] {
    let (start, end) = (addr_of_mut!(__work_start), addr_of_mut!(__work_end));
    // SAFETY: both are ends of one stretch of RAM that nothing is linked to, and the caller promises that this is its only
    // borrow. Any bytes will do.
    unsafe { core::slice::from_raw_parts_mut(start, end.addr() - start.addr()) }
}

/// Bytes of stack that were in use at its deepest: from the first word that is not as it was painted.
pub(crate) fn deepest_stack() -> usize {
    let (mut at, top) = (&raw const __stack_bottom, &raw const __stack_top);
    // SAFETY: reads words between the stack's ends, which are memory; volatile, since the compiler knows nothing of them.
    while at < top && unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    top.addr() - at.addr()
}

/// Bytes of the work area up to the last word that is not as it was painted.
pub(crate) fn touched_work() -> usize {
    let (start, mut end) = ((&raw const __work_start).cast::<u32>(), (&raw const __work_end).cast::<u32>());
    // SAFETY: reads words between the area's ends, as above; who borrowed it is done.
    while end > start && unsafe { end.wrapping_sub(1).read_volatile() } == PAINT {
        end = end.wrapping_sub(1);
    }
    end.addr() - start.addr()
}
