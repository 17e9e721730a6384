//! RV32: the start, the trap vector, semihosting's trap.

use super::{PAINT, fault, start};

core::arch::global_asm!(
    ".section .text._start, \"ax\"",
    ".globl _start",
    "_start:",
    "la t0, trap_entry",
    "csrw mtvec, t0",
    "la t0, __stack_bottom",
    "la t2, __work_end",
    "li t1, {paint}",
    "1:", "sw t1, 0(t0)", "addi t0, t0, 4", "bne t0, t2, 1b",
    "la sp, __stack_top",
    "call {start}",
    // a trap vector lies on a multiple of four; the stack may be what faulted, so it starts anew
    ".balign 4",
    "trap_entry:",
    "la sp, __stack_top",
    "call {fault}",
    paint = const PAINT, fault = sym fault, start = sym start,
);

/// Asks for operation `op` of what `block` points to, or is.
///
/// # Safety
/// `block` must be what the operation says.
pub(super) unsafe fn call(op: usize, block: usize) -> usize {
    let result;
    // SAFETY: the debugger knows the breakpoint by the two shifts around it, which do nothing, all three uncompressed and
    // in one page; it changes a0 and the memory that the caller answers for.
    unsafe {
        core::arch::asm!(
            ".option push", ".option norvc", ".balign 16",
            "slli x0, x0, 0x1f", "ebreak", "srai x0, x0, 7",
            ".option pop",
            inlateout("a0") op => result, in("a1") block, options(nostack),
        );
    }
    result
}

// What the compiler calls at the start and end of functions, which then share the code that saves and restores registers: with
// `save-restore` of .cargo/config.toml. Frames and registers are those of the calling convention of LLVM and GCC.
core::arch::global_asm!(
    ".section .text.__riscv_save, \"ax\"",
    ".globl __riscv_save_12, __riscv_save_11, __riscv_save_10, __riscv_save_9, __riscv_save_8",
    ".globl __riscv_save_7, __riscv_save_6, __riscv_save_5, __riscv_save_4",
    ".globl __riscv_save_3, __riscv_save_2, __riscv_save_1, __riscv_save_0",
    "__riscv_save_12:",
    "addi sp, sp, -64",
    "li t1, 0",
    "sw s11, 12(sp)",
    "j 1f",
    "__riscv_save_11:",
    "__riscv_save_10:",
    "__riscv_save_9:",
    "__riscv_save_8:",
    "addi sp, sp, -64",
    "li t1, 16",
    "1:",
    "sw s10, 16(sp)",
    "sw s9, 20(sp)",
    "sw s8, 24(sp)",
    "sw s7, 28(sp)",
    "j 2f",
    "__riscv_save_7:",
    "__riscv_save_6:",
    "__riscv_save_5:",
    "__riscv_save_4:",
    "addi sp, sp, -64",
    "li t1, 32",
    "2:",
    "sw s6, 32(sp)",
    "sw s5, 36(sp)",
    "sw s4, 40(sp)",
    "sw s3, 44(sp)",
    "sw s2, 48(sp)",
    "sw s1, 52(sp)",
    "sw s0, 56(sp)",
    "sw ra, 60(sp)",
    "add sp, sp, t1",
    "jr t0",
    "__riscv_save_3:",
    "__riscv_save_2:",
    "__riscv_save_1:",
    "__riscv_save_0:",
    "addi sp, sp, -16",
    "sw s2, 0(sp)",
    "sw s1, 4(sp)",
    "sw s0, 8(sp)",
    "sw ra, 12(sp)",
    "jr t0",
    ".section .text.__riscv_restore, \"ax\"",
    ".globl __riscv_restore_12, __riscv_restore_11, __riscv_restore_10, __riscv_restore_9, __riscv_restore_8",
    ".globl __riscv_restore_7, __riscv_restore_6, __riscv_restore_5, __riscv_restore_4",
    ".globl __riscv_restore_3, __riscv_restore_2, __riscv_restore_1, __riscv_restore_0",
    "__riscv_restore_12:",
    "lw s11, 12(sp)",
    "addi sp, sp, 16",
    "__riscv_restore_11:",
    "__riscv_restore_10:",
    "__riscv_restore_9:",
    "__riscv_restore_8:",
    "lw s10, 0(sp)",
    "lw s9, 4(sp)",
    "lw s8, 8(sp)",
    "lw s7, 12(sp)",
    "addi sp, sp, 16",
    "__riscv_restore_7:",
    "__riscv_restore_6:",
    "__riscv_restore_5:",
    "__riscv_restore_4:",
    "lw s6, 0(sp)",
    "lw s5, 4(sp)",
    "lw s4, 8(sp)",
    "lw s3, 12(sp)",
    "addi sp, sp, 16",
    "__riscv_restore_3:",
    "__riscv_restore_2:",
    "__riscv_restore_1:",
    "__riscv_restore_0:",
    "lw s2, 0(sp)",
    "lw s1, 4(sp)",
    "lw s0, 8(sp)",
    "lw ra, 12(sp)",
    "addi sp, sp, 16",
    "ret",
);
