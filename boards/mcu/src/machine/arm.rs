//! Cortex-M: the vector table, the start, semihosting's trap.

use super::{PAINT, fault, start};

core::arch::global_asm!(
    // the stack's top and the start; every fault has the same end, and there are no interrupts
    ".section .vectors, \"a\"",
    ".word __stack_top, _start, {fault}, {fault}, {fault}, {fault}, {fault}",
    ".section .text._start, \"ax\"",
    ".globl _start", ".type _start, %function", ".thumb_func",
    "_start:",
    "ldr r0, =__stack_bottom",
    "ldr r1, =__work_end",
    "ldr r2, ={paint}",
    "1:", "str r2, [r0]", "adds r0, #4", "cmp r0, r1", "bne 1b",
    "bl {start}",
    paint = const PAINT, fault = sym fault, start = sym start,
);

/// Asks for operation `op` of what `block` points to, or is.
///
/// # Safety
/// `block` must be what the operation says.
pub(super) unsafe fn call(op: usize, block: usize) -> usize {
    let result;
    // SAFETY: the debugger takes the breakpoint; it changes r0 and the memory that the caller answers for.
    unsafe { core::arch::asm!("bkpt #0xab", inlateout("r0") op => result, in("r1") block, options(nostack)) };
    result
}
