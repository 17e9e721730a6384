//! Memory that the kernel writes while we read it: ring buffers and perf buffers.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};

/// A shared mapping. Every access is checked against its length and is atomic or a copy, so no reference into memory that
/// another writes ever exists. Offsets are in bytes; accesses outside the mapping read 0 or do nothing.
#[derive(Clone, Debug)]
pub struct Shared {
    base: NonNull<u8>,
    len: usize,
}

impl Shared {
    /// A mapping of `len` bytes at `base`.
    ///
    /// # Safety
    /// The bytes stay mapped until the process ends, readable, and writable if anything is stored.
    pub(super) unsafe fn new(base: NonNull<u8>, len: usize) -> Shared {
        Shared { base, len }
    }

    /// Memory that stands for a mapping, for tests. Clones are the other side.
    pub fn over(words: &'static mut [u64]) -> Shared {
        let len = size_of_val(words);
        Shared { base: NonNull::from(words).cast(), len }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn place<T>(&self, at: usize) -> Option<NonNull<T>> {
        let end = at.checked_add(size_of::<T>())?;
        // SAFETY: `at` is inside the mapping, as `end` is.
        let place = (end <= self.len).then(|| unsafe { self.base.add(at) }.cast::<T>())?;
        place.is_aligned().then_some(place)
    }

    /// The 32-bit word at `at`, with acquire order.
    pub fn load_u32(&self, at: usize) -> u32 {
        // SAFETY: `place` checked bounds and alignment; the memory lives as long as the process.
        self.place::<AtomicU32>(at).map_or(0, |p| unsafe { p.as_ref() }.load(Ordering::Acquire))
    }

    /// The `unsigned long` at `at`, with acquire order: positions of ring buffers.
    pub fn load_long(&self, at: usize) -> usize {
        // SAFETY: as in `load_u32`.
        self.place::<AtomicUsize>(at).map_or(0, |p| unsafe { p.as_ref() }.load(Ordering::Acquire))
    }

    /// Stores an `unsigned long` with release order.
    pub fn store_long(&self, at: usize, value: usize) {
        if let Some(p) = self.place::<AtomicUsize>(at) {
            // SAFETY: as in `load_u32`; only positions in writable mappings are stored.
            unsafe { p.as_ref() }.store(value, Ordering::Release);
        }
    }

    /// Stores `bytes` at `at`, at once where they are an aligned 32-bit word or `unsigned long`, else byte by byte; whether they
    /// are all inside. The mapping is a writable one.
    #[cold]
    pub fn store(&self, at: usize, bytes: &[u8]) -> bool {
        if at.checked_add(bytes.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        if let Ok(long) = bytes.try_into()
            && let Some(p) = self.place::<AtomicUsize>(at)
        {
            // SAFETY: as in `load_u32`, in a writable mapping.
            unsafe { p.as_ref() }.store(usize::from_ne_bytes(long), Ordering::Release);
        } else if let Ok(word) = bytes.try_into()
            && let Some(p) = self.place::<AtomicU32>(at)
        {
            // SAFETY: as above.
            unsafe { p.as_ref() }.store(u32::from_ne_bytes(word), Ordering::Release);
        } else {
            for (i, &b) in (at..).zip(bytes) {
                if let Some(p) = self.place::<AtomicU8>(i) {
                    // SAFETY: as above.
                    unsafe { p.as_ref() }.store(b, Ordering::Relaxed);
                }
            }
        }
        true
    }

    /// Copies `out.len()` bytes from `at`; whether they are all inside.
    pub fn copy(&self, at: usize, out: &mut [u8]) -> bool {
        let inside = at.checked_add(out.len()).is_some_and(|end| end <= self.len);
        if inside {
            // SAFETY: both are valid for `out.len()` bytes; `out` is the process's own memory, so they do not overlap.
            unsafe {
                core::ptr::copy_nonoverlapping(self.base.add(at).as_ptr(), out.as_mut_ptr(), out.len())
            };
        }
        inside
    }
}
