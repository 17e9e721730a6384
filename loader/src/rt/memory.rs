//! `memcpy` and its family, which the compiler calls by name. Volatile accesses keep it from turning the loops into calls to
//! themselves; words are moved where both sides are aligned, as copies of pack sections and events are.

use core::ffi::{c_char, c_int};

const WORD: usize = size_of::<usize>();

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    let mut i = 0;
    // SAFETY: the caller's promise; `i` stays below `len`, and words are only used on aligned addresses.
    unsafe {
        if (to as usize | from as usize).is_multiple_of(WORD) {
            while len.wrapping_sub(i) >= WORD {
                let word = from.add(i).cast::<usize>().read_volatile();
                to.add(i).cast::<usize>().write_volatile(word);
                i = i.wrapping_add(WORD);
            }
        }
        while i < len {
            to.add(i).write_volatile(from.add(i).read_volatile());
            i = i.wrapping_add(1);
        }
    }
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: `to` is not inside `from`'s bytes, so copying upwards reads each byte before it is written.
        return unsafe { memcpy(to, from, len) };
    }
    let mut i = len;
    while i > 0 {
        i = i.wrapping_sub(1);
        // SAFETY: the caller's promise, below `len`.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, len: usize) -> *mut u8 {
    for i in 0..len {
        // SAFETY: the caller's promise, below `len`.
        unsafe { to.add(i).write_volatile(byte as u8) };
    }
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    for i in 0..len {
        // SAFETY: the caller's promise, below `len`.
        let (x, y) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if x != y {
            return c_int::from(x).wrapping_sub(y.into());
        }
    }
    0
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { memcmp(a, b, len) }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(s: *const c_char) -> usize {
    let mut n = 0;
    // SAFETY: the caller's promise of a NUL.
    while unsafe { s.add(n).read_volatile() } != 0 {
        n = n.wrapping_add(1);
    }
    n
}
