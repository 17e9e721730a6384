//! The loader's memory as typed slices, without an allocator.

use core::ffi::CStr;

/// Zeroed memory of the process's own.
pub type Region = &'static mut [u8];

/// As many `T` as fit into `bytes`, each set to `value()`; none where `bytes` do not start on a multiple of its alignment,
/// as pieces of an [`crate::arena::Arena`] do. They are never dropped.
pub fn slots<T>(bytes: &mut [u8], mut value: impl FnMut() -> T) -> &mut [T] {
    let start = bytes.as_mut_ptr().cast::<T>();
    let (mut count, mut left) = (0, bytes.len());
    // counted and not divided, which small machines do by a function
    while let Some(less) = left.checked_sub(size_of::<T>().max(1))
        && start.is_aligned()
    {
        // SAFETY: `count` elements and this one are inside `bytes`, and aligned. The old bytes are not read again, as the borrow lasts
        // as long as the result.
        unsafe { start.add(count).write(value()) };
        left = less;
        count = count.wrapping_add(1);
    }
    // SAFETY: so many elements were just written.
    unsafe { core::slice::from_raw_parts_mut(start, count) }
}

/// The text up to the first NUL; none where there is no NUL.
#[inline(never)] // one copy of the search, byte by byte: the standard library's is for long texts
pub fn until_nul(bytes: &[u8]) -> &CStr {
    let end = bytes.iter().position(|&b| b == 0).and_then(|at| bytes.get(..=at));
    // SAFETY: the first NUL is the last byte.
    end.map_or(c"", |text| unsafe { CStr::from_bytes_with_nul_unchecked(text) })
}

/// The bytes of words.
pub fn bytes(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: any u64 is eight bytes, and any eight bytes are a u64.
    let (_, bytes, _) = unsafe { words.align_to_mut::<u8>() };
    bytes
}
