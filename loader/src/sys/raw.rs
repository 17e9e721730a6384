//! System calls that rustix does not have, by the instruction of each architecture.

use super::{Errno, Sys};

/// A system call of up to five arguments.
///
/// # Safety
/// The arguments must be what the call of number `nr` wants: pointers valid for what the kernel does with them.
#[cfg(target_arch = "x86_64")]
unsafe fn call(nr: usize, a: [usize; 5]) -> usize {
    let r;
    // SAFETY: the caller vouches for the arguments; the instruction clobbers rcx and r11 beside the result.
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") nr => r, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    r
}

/// As above.
///
/// # Safety
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn call(nr: usize, a: [usize; 5]) -> usize {
    let r;
    // SAFETY: the caller vouches for the arguments; the kernel keeps all registers but x0.
    unsafe {
        core::arch::asm!("svc 0", in("x8") nr, inlateout("x0") a[0] => r, in("x1") a[1], in("x2") a[2],
            in("x3") a[3], in("x4") a[4], options(nostack));
    }
    r
}

/// As above.
///
/// # Safety
/// As above.
#[cfg(target_arch = "riscv64")]
unsafe fn call(nr: usize, a: [usize; 5]) -> usize {
    let r;
    // SAFETY: the caller vouches for the arguments; the kernel keeps all registers but a0.
    unsafe {
        core::arch::asm!("ecall", in("a7") nr, inlateout("a0") a[0] => r, in("a1") a[1], in("a2") a[2],
            in("a3") a[3], in("a4") a[4], options(nostack));
    }
    r
}

/// As above.
///
/// # Safety
/// As above.
#[cfg(target_arch = "arm")]
unsafe fn call(nr: usize, a: [usize; 5]) -> usize {
    let r;
    // SAFETY: the caller vouches for the arguments; the kernel keeps all registers but r0. r7 is given back, since Thumb
    // code has its frame pointer there.
    unsafe {
        core::arch::asm!("mov {saved}, r7", "mov r7, {nr}", "svc 0", "mov r7, {saved}",
            nr = in(reg) nr, saved = out(reg) _, inlateout("r0") a[0] => r, in("r1") a[1], in("r2") a[2],
            in("r3") a[3], in("r4") a[4], options(nostack));
    }
    r
}

/// A system call with the kernel's way of returning errors made a `Result`. What our calls return fits into 32 bits, so that
/// the result is one register's.
///
/// # Safety
/// As of the call itself: pointers among the arguments must be valid for what the kernel does with them.
#[inline(never)]
pub(super) unsafe fn syscall(nr: u32, a: usize, b: usize, c: usize, d: usize, e: usize) -> Sys<u32> {
    // SAFETY: passed on to the caller.
    let r = unsafe { call(nr as usize, [a, b, c, d, e]) };
    // -4095..=-1 are errors on every architecture.
    if r > usize::MAX - 4095 { Err(Errno(r.wrapping_neg() as u16)) } else { Ok(r as u32) }
}

/// Ends the process with `code`.
pub fn exit(code: i32) -> ! {
    loop {
        // SAFETY: exit_group takes a number and does not return.
        let _ = unsafe { syscall(linux_raw_sys::general::__NR_exit_group, code as usize, 0, 0, 0, 0) };
    }
}
