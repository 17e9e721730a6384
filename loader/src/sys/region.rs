//! The loader's memory as typed slices, without an allocator.

use core::mem::MaybeUninit;

/// Zeroed memory of the process's own.
pub type Region = &'static mut [u8];

/// The same bytes as 32-bit words of the machine's order; up to three bytes at either end are left out.
pub fn words(bytes: &mut [u8]) -> &mut [u32] {
    // SAFETY: any four bytes are a u32, and any u32 is four bytes.
    let (_, words, _) = unsafe { bytes.align_to_mut::<u32>() };
    words
}

/// As many `T` as fit into `bytes`, each set to `value()`. They are never dropped.
pub fn slots<T>(bytes: &mut [u8], mut value: impl FnMut() -> T) -> &mut [T] {
    // SAFETY: any byte is a `MaybeUninit`; the old bytes are not read again, as the borrow lasts as long as the result.
    let (_, slots, _) = unsafe { bytes.align_to_mut::<MaybeUninit<T>>() };
    for slot in slots.iter_mut() {
        slot.write(value());
    }
    // SAFETY: every element was just written, and `MaybeUninit<T>` has the layout of `T`.
    unsafe { &mut *(core::ptr::from_mut(slots) as *mut [T]) }
}

/// The bytes of words.
pub fn bytes(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: any u64 is eight bytes, and any eight bytes are a u64.
    let (_, bytes, _) = unsafe { words.align_to_mut::<u8>() };
    bytes
}
