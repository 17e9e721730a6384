//! The end by panic: one line without details, which would cost more than the rest of the error messages together.
//!
//! With the feature `panic-free` the handler calls a function that there is not, so that the executable links only if
//! nothing in it can panic: `cargo verify --only panic-free`.

/// Exit code of a defect of the loader itself.
#[cfg(not(feature = "panic-free"))]
const DEFECT: i32 = 101;

#[cfg(not(feature = "panic-free"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    use corelet_loader::sys::{Fd, Image, Kernel, exit};
    let _ = Image::new().write(Fd::STDERR, b"corelet-loader: internal error\n");
    exit(DEFECT)
}

#[cfg(feature = "panic-free")]
unsafe extern "C" {
    fn a_panic_is_possible() -> !;
}

#[cfg(feature = "panic-free")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it is never called, as it does not exist.
    unsafe { a_panic_is_possible() }
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
