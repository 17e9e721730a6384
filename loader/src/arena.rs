//! Memory for one object, handed out from a region whose size the pack said in advance.

use crate::exit::{Done, Exit};
use crate::say::{Arg::N, fail, text};
use crate::sys::Kernel;

/// What is left of a region. Pieces start on multiples of 8.
pub struct Arena<'a> {
    rest: &'a mut [u8],
}

impl<'a> Arena<'a> {
    /// All of `memory`, which starts on a multiple of 8.
    pub fn new(memory: &'a mut [u8]) -> Arena<'a> {
        Arena { rest: memory }
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`Exit::BadInput`] where the pack's formula gave less than is needed.
    pub fn take<K: Kernel>(&mut self, kernel: &mut K, len: usize) -> Done<&'a mut [u8]> {
        let rest = core::mem::take(&mut self.rest);
        let room = rest.len();
        let padded = len.checked_next_multiple_of(8).unwrap_or(usize::MAX);
        if let Some((piece, rest)) = rest.split_at_mut_checked(padded) {
            self.rest = rest;
            return Ok(piece.get_mut(..len).unwrap_or_default());
        }
        let short = len.saturating_sub(room);
        let form = text!(
            "the pack's memory formula is % bytes too small; pack again with the corelet of this loader's version"
        );
        Err(fail(kernel, Exit::BadInput, form, &[N(short as u64)]))
    }

    /// The same memory for a while: what is taken of it is free again afterwards.
    pub fn scope(&mut self) -> Arena<'_> {
        Arena { rest: self.rest }
    }

    /// Everything that is left.
    pub fn into_rest(self) -> &'a mut [u8] {
        self.rest
    }
}
