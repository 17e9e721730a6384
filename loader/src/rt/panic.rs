//! The end by panic: one line without details, which would cost more than the rest of the error messages together.

use corelet_loader::sys::{Fd, Kernel, Linux, exit};

/// Exit code of a defect of the loader itself.
const DEFECT: i32 = 101;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    let _ = Linux.write(Fd::STDERR, b"corelet-loader: internal error\n");
    exit(DEFECT)
}

// The prebuilt `core` refers to these although nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr0() {}
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr1() {}
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr2() {}
