//! System calls and the entry point of the boards' architectures.
//!
//! # Safety
//! The rest of this program has no unsafe code but the call of [`bpf`], whose attribute the host made.

use core::ffi::CStr;
use linux_raw_sys::general as nr;

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start", "_start:", "mov x29, #0", "mov x30, #0", "mov x0, sp", "b {entry}",
    entry = sym crate::entry
);
#[cfg(target_arch = "riscv64")]
core::arch::global_asm!(
    ".globl _start", "_start:", "mv a0, sp", "andi sp, sp, -16", "tail {entry}",
    entry = sym crate::entry
);

/// A system call.
///
/// # Safety
/// The arguments must be what the call of this number wants.
pub(crate) unsafe fn call(number: u32, a: [usize; 6]) -> Result<usize, i32> {
    let result: usize;
    // SAFETY: the caller vouches for the arguments; the kernel keeps all registers but the result's.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("svc 0", in("x8") number as usize, inlateout("x0") a[0] => result, in("x1") a[1],
            in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5], options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "riscv64")]
    unsafe {
        core::arch::asm!("ecall", in("a7") number as usize, inlateout("a0") a[0] => result, in("a1") a[1],
            in("a2") a[2], in("a3") a[3], in("a4") a[4], in("a5") a[5], options(nostack));
    }
    // -4095..=-1 are errors
    if result > usize::MAX - 4095 { Err(result.wrapping_neg() as i32) } else { Ok(result) }
}

/// `bpf(2)`: the descriptor, or the error number.
///
/// # Safety
/// The addresses in `attr` must be valid for what `command` does with them.
pub(crate) unsafe fn bpf(command: u32, attr: &[u8]) -> Result<i32, i32> {
    let args = [command as usize, attr.as_ptr().expose_provenance(), attr.len(), 0, 0, 0];
    // SAFETY: `attr` has its length; the caller vouches for the addresses in it.
    unsafe { call(nr::__NR_bpf, args) }.map(|fd| fd as i32)
}

/// `len` bytes of zeros, never given back.
pub(crate) fn memory(len: usize) -> Option<&'static mut [u8]> {
    let flags = nr::MAP_PRIVATE | nr::MAP_ANONYMOUS;
    let args = [0, len, (nr::PROT_READ | nr::PROT_WRITE) as usize, flags as usize, usize::MAX, 0];
    // SAFETY: a new mapping at a place of the kernel's choice aliases nothing.
    let base = unsafe { call(nr::__NR_mmap, args) }.ok()?;
    // SAFETY: `len` bytes are mapped there, zeroed, ours alone and never unmapped.
    Some(unsafe { core::slice::from_raw_parts_mut(core::ptr::with_exposed_provenance_mut(base), len) })
}

/// Reads a file to its end; `None` where there is none, or one longer than `into`.
pub(crate) fn read_file(path: &CStr, into: &mut [u8]) -> Option<usize> {
    let args = [nr::AT_FDCWD as usize, path.as_ptr().expose_provenance(), 0, 0, 0, 0];
    // SAFETY: the path ends with a NUL.
    let fd = unsafe { call(nr::__NR_openat, args) }.ok()?;
    let mut len = 0;
    loop {
        let rest = into.get_mut(len..).filter(|rest| !rest.is_empty())?;
        let args = [fd, rest.as_mut_ptr().expose_provenance(), rest.len(), 0, 0, 0];
        // SAFETY: `rest` is ours to write to, and has its length.
        match unsafe { call(nr::__NR_read, args) }.ok()? {
            0 => return Some(len),
            more => len += more,
        }
    }
}

/// Writes to standard output; what cannot be written is lost.
pub(crate) fn print(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let args = [1, bytes.as_ptr().expose_provenance(), bytes.len(), 0, 0, 0];
        // SAFETY: the bytes have their length.
        let Ok(written) = (unsafe { call(nr::__NR_write, args) }) else { return };
        bytes = bytes.get(written..).unwrap_or(&[]);
    }
}

/// Prints ` N` and ends the line.
pub(crate) fn print_number(number: u32) {
    let mut digits = [b' '; 12];
    let mut rest = number;
    let mut at = digits.len() - 1;
    digits[at] = b'\n';
    while at > 1 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    print(&digits[at - 1..]);
}

/// Ends the process.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: exit_group takes a number and does not return.
        let _ = unsafe { call(nr::__NR_exit_group, [code as usize, 0, 0, 0, 0, 0]) };
    }
}
