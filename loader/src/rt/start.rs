//! The entry point. The kernel leaves on the stack: argc, the arguments, a null, the environment, a null, the auxiliary vector.

use core::ffi::{CStr, c_char};
use corelet_loader::sys::{Image, exit};

/// `AT_PHDR`, `AT_PHNUM` and `AT_PAGESZ`
const HEADERS: usize = 3;
const HEADER_COUNT: usize = 5;
const PAGE_SIZE: usize = 6;

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {entry}", "ud2",
    entry = sym entry
);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start", "_start:", "mov x29, #0", "mov x30, #0", "mov x0, sp", "b {entry}",
    entry = sym entry
);
#[cfg(target_arch = "riscv64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mv a0, sp",
    "andi sp, sp, -16",
    "tail {entry}",
    entry = sym entry
);
#[cfg(target_arch = "arm")]
core::arch::global_asm!(
    ".globl _start", ".arm", "_start:", "mov r0, sp", "mov fp, #0", "mov lr, #0", "bic sp, sp, #7", "bl {entry}",
    entry = sym entry
);

/// The words at the start of the stack, up to and with a zero.
struct Words(*const usize);

impl Iterator for Words {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        // SAFETY: `entry` made it of the stack's start, and nobody reads on after the null that ends each part.
        let word = unsafe { self.0.read() };
        // SAFETY: the auxiliary vector's end lies behind every null that is read here.
        self.0 = unsafe { self.0.add(1) };
        (word != 0).then_some(word)
    }
}

/// First Rust code to run, with the stack pointer that the kernel set.
unsafe extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: the kernel put argc there and the arguments behind it.
    let mut words = Words(unsafe { stack.add(1) });
    let args = Words(words.0);
    words.by_ref().for_each(drop);
    words.by_ref().for_each(drop);
    let mut page_size = 4096;
    let (mut headers, mut count) = (0, 0);
    while let Some(tag) = words.next() {
        let value = words.next().unwrap_or(0);
        match tag {
            PAGE_SIZE => page_size = value as u32,
            HEADERS if cfg!(feature = "embed") => headers = value,
            HEADER_COUNT if cfg!(feature = "embed") => count = value,
            _ => {}
        }
    }
    super::stripes::cut(page_size);
    // SAFETY: each word is the address of a NUL-terminated argument that lives as long as the process.
    let args = args.map(|w| unsafe { CStr::from_ptr(w as *const c_char) });
    let mut kernel = Image::new();
    if cfg!(feature = "embed") {
        // SAFETY: the kernel said where it mapped the headers, and how many there are; `link.ld` has them mapped.
        kernel = unsafe { Image::find(headers, count) };
    }
    exit(corelet_loader::main(&mut kernel, args, page_size))
}
