//! Linux on s390x: the start, and the three system calls that this takes.

use crate::start;

core::arch::global_asm!(
    // a frame for the register save area that every function may use
    ".globl _start", "_start:", "aghi %r15, -160", "brasl %r14, {start}", "j .",
    start = sym start,
);

/// Numbers of system calls: `arch/s390/kernel/syscalls/syscall.tbl`.
mod number {
    pub(super) const EXIT: usize = 1;
    pub(super) const READ: usize = 3;
    pub(super) const WRITE: usize = 4;
}

/// # Safety
/// The arguments must be what the call takes.
unsafe fn call(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result;
    // SAFETY: the caller's promise; the kernel changes r2 and what the arguments point to.
    unsafe {
        core::arch::asm!("svc 0", in("r1") number, inlateout("r2") a => result, in("r3") b, in("r4") c, options(nostack));
    }
    result
}

/// Reads standard input to its end or until `buffer` is full; how many bytes.
pub(crate) fn read(buffer: &mut [u8]) -> usize {
    let mut len = 0;
    while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
        // SAFETY: the call writes into `rest` and not past it.
        let got = unsafe { call(number::READ, 0, rest.as_mut_ptr().expose_provenance(), rest.len()) };
        match usize::try_from(got) {
            Ok(0) | Err(_) => break,
            Ok(got) => len += got,
        }
    }
    len
}

/// Writes to standard output.
pub(crate) fn write(bytes: &[u8]) {
    // SAFETY: the call reads `bytes` and not past it.
    unsafe { call(number::WRITE, 1, bytes.as_ptr().expose_provenance(), bytes.len()) };
}

/// Ends the process.
pub(crate) fn exit(code: usize) -> ! {
    loop {
        // SAFETY: it takes a number.
        unsafe { call(number::EXIT, code, 0, 0) };
    }
}
