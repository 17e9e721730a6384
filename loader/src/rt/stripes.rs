//! The executable's mappings cut into stripes of a page, so that what is resident is what has been run.
//!
//! A kernel maps a file's pages around the one that is touched, 64 KiB in all (`fault_around_bytes`), whatever advice the mapping
//! has, but never beyond it. Mappings that differ in a flag stay apart: every other page is told not to be inherited by
//! `fork(2)`, which the loader never calls. A mapping costs the kernel a `vm_area_struct`, some 200 bytes: 9 KiB for all, where a
//! run had 60 to 100 KiB more of pages that it never looked at.

use core::ffi::c_void;
use rustix::mm::{Advice, madvise};

/// Bytes of one, a page of most kernels.
const STRIPE: usize = 4 << 10;

unsafe extern "C" {
    /// `link.ld`: where what is cut begins.
    static stripes_start: u8;
    /// `link.ld`: where it ends.
    static stripes_end: u8;
}

/// Cuts them. A kernel that refuses, or has larger pages, takes more memory and nothing else.
pub(super) fn cut(page_size: u32) {
    if page_size as usize > STRIPE {
        return;
    }
    let end = &raw const stripes_end as usize;
    let mut at = (&raw const stripes_start as usize) & !(STRIPE.wrapping_mul(2).wrapping_sub(1));
    while at < end {
        // SAFETY: nothing is written, read or unmapped, and nobody forks.
        let _ = unsafe { madvise(at as *mut c_void, STRIPE, Advice::LinuxDontFork) };
        at = at.wrapping_add(STRIPE.wrapping_mul(2));
    }
}
