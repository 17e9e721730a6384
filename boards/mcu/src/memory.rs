//! The work area, handed out piece by piece and typed.

use crate::Stop;
use core::mem::MaybeUninit;

/// What is left of the work area. Pieces start on multiples of 8.
pub(crate) struct Arena<'a> {
    rest: &'a mut [u8],
    taken: usize,
}

impl<'a> Arena<'a> {
    /// All of `memory`, which starts on a multiple of 8.
    pub(crate) fn new(memory: &'a mut [u8]) -> Self {
        Arena { rest: memory, taken: 0 }
    }

    /// Bytes that were taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// `count` times `T`, each set to `value`. They are never dropped.
    ///
    /// # Errors
    /// [`Stop::NoMemory`]
    pub(crate) fn take<T: Copy>(&mut self, count: usize, value: T) -> Result<&'a mut [T], Stop> {
        let slots = self.uninit(count)?;
        for slot in slots.iter_mut() {
            slot.write(value);
        }
        // SAFETY: every element was just written, and `MaybeUninit<T>` has the layout of `T`.
        Ok(unsafe { &mut *(core::ptr::from_mut(slots) as *mut [T]) })
    }

    /// One `T`, made in its place.
    ///
    /// # Errors
    /// [`Stop::NoMemory`]
    pub(crate) fn one<T>(&mut self, value: T) -> Result<&'a mut T, Stop> {
        let slots = self.uninit(1)?;
        let slot = slots.first_mut().ok_or(Stop::NoMemory { short: 0 })?;
        Ok(slot.write(value))
    }

    fn uninit<T>(&mut self, count: usize) -> Result<&'a mut [MaybeUninit<T>], Stop> {
        const { assert!(align_of::<T>() <= 8) };
        let rest = core::mem::take(&mut self.rest);
        let len = count.saturating_mul(size_of::<T>()).saturating_add(7) & !7;
        let short = len.saturating_sub(rest.len());
        let Some((piece, rest)) = rest.split_at_mut_checked(len) else {
            return Err(Stop::NoMemory { short });
        };
        self.rest = rest;
        self.taken = self.taken.saturating_add(len);
        // SAFETY: any byte is a `MaybeUninit`; the old bytes are not read again, as the borrow lasts as long as the result.
        let (_, slots, _) = unsafe { piece.align_to_mut::<MaybeUninit<T>>() };
        Ok(slots.get_mut(..count).unwrap_or_default())
    }
}
