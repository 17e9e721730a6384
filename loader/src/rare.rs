//! Room for what most runs have none of: memory of its own, taken for the first, so that it costs no stack.

use crate::sys::{Kernel, slots};

/// Up to `N` things, the last first out.
pub struct Rare<T: 'static, const N: usize> {
    slots: &'static mut [Option<T>],
    len: usize,
}

impl<T, const N: usize> Default for Rare<T, N> {
    fn default() -> Self {
        Rare { slots: &mut [], len: 0 }
    }
}

impl<T, const N: usize> Rare<T, N> {
    /// Takes `thing`.
    ///
    /// # Errors
    /// `thing`, where there are `N`, or no memory.
    #[cold]
    #[inline(never)]
    pub fn push<K: Kernel>(&mut self, kernel: &mut K, thing: T) -> Result<(), T> {
        if self.slots.is_empty()
            && let Ok(region) = kernel.region(N.saturating_mul(size_of::<Option<T>>()))
        {
            self.slots = slots(region, || None);
        }
        let Some(slot) = self.slots.get_mut(self.len) else { return Err(thing) };
        *slot = Some(thing);
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Gives the last.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        self.len = last;
        self.slots.get_mut(last)?.take()
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The one of number `index`, from the first.
    #[cold]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.slots.get_mut(index)?.as_mut()
    }
}
