//! Loads, attaches and reads a corelet pack on a device: static, without libc, heap or `std`.

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

pub mod exit;
pub mod job;
#[allow(unsafe_code, reason = "the one place that talks to the kernel")]
pub mod sys;

use sys::{Fd, Kernel};

/// Runs the command line `args`; gives the exit code.
pub fn main<'a, K: Kernel>(kernel: &mut K, args: impl Iterator<Item = &'a [u8]>, page_size: u32) -> i32 {
    for a in args {
        let _ = kernel.write(Fd::STDOUT, a);
    }
    (page_size >> 12) as i32
}
