//! The loader's memory as typed slices, without an allocator.

use core::mem::MaybeUninit;

/// Zeroed memory of the process's own.
pub type Region = &'static mut [u8];

/// As many `T` as fit into `bytes`, each set to `value()`; none where `bytes` do not start on a multiple of its alignment,
/// as pieces of an [`crate::arena::Arena`] do. They are never dropped.
pub fn slots<T>(bytes: &mut [u8], mut value: impl FnMut() -> T) -> &mut [T] {
    let start = bytes.as_mut_ptr().cast::<MaybeUninit<T>>();
    let fit = bytes.len().checked_div(size_of::<T>()).unwrap_or(0);
    let count = if start.is_aligned() { fit } else { 0 };
    // SAFETY: aligned and inside `bytes`; any byte is a `MaybeUninit`, and the old bytes are not read again, as the borrow
    // lasts as long as the result.
    let slots = unsafe { core::slice::from_raw_parts_mut(start, count) };
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
