//! The ledger of what the kernel was given, so that everything can be taken back: law 5, all or nothing.

use crate::device::{self, Attached};
use crate::exit::{Done, Exit};
use crate::place::{self, Held};
use crate::rare::Rare;
use crate::say::{Arg::N, fail, text};
use crate::sys::{Fd, Kernel};
use crate::{kprobe, uprobe};
use heapless::Vec;

/// Descriptors that are open at once: BTF, maps, programs, and two for each attachment.
const MAX_OPEN: usize = 512;

/// What must be undone, in reverse order.
#[derive(Default)]
pub struct Ledger {
    /// The numbers of descriptors, which are the lowest that are free.
    open: Vec<u16, MAX_OPEN, u16>,
    /// Probes made in tracefs, numbered from 0 ([`kprobe::remove`]).
    pub tracefs_probes: u32,
    /// The same of probes in user space ([`uprobe::remove`]).
    pub tracefs_uprobes: u32,
    /// Attachments that last until they are undone ([`place::release`]).
    pub held: Rare<Held, { place::MAX_HELD }>,
    /// What is attached to interfaces.
    pub device: Attached,
}

impl Ledger {
    /// Takes a descriptor, to close it at the end.
    ///
    /// # Errors
    /// [`Exit::NotPortable`] where there are too many; the descriptor is closed.
    pub fn keep<K: Kernel>(&mut self, kernel: &mut K, fd: Fd) -> Done<Fd> {
        if u16::try_from(fd.0).ok().is_none_or(|number| self.open.push(number).is_err()) {
            kernel.close(fd);
            return Err(fail(
                kernel,
                Exit::NotPortable,
                text!("more than % descriptors"),
                &[N(MAX_OPEN as u64)],
            ));
        }
        Ok(fd)
    }

    /// Number of descriptors that are kept.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The descriptor that was kept as the one of number `index`.
    pub fn get(&self, index: usize) -> Option<Fd> {
        self.open.get(index).map(|&number| Fd(number.into()))
    }

    /// Closes one descriptor before its time.
    #[cold]
    #[inline(never)]
    pub fn release<K: Kernel>(&mut self, kernel: &mut K, fd: Fd) {
        let before = self.open.len();
        self.open.retain(|&number| i32::from(number) != fd.0);
        if self.open.len() < before {
            kernel.close(fd);
        }
    }

    /// Closes what was kept after there were `len`, the last first.
    #[cold]
    pub fn undo_to<K: Kernel>(&mut self, kernel: &mut K, len: usize) {
        while self.open.len() > len
            && let Some(fd) = self.open.pop()
        {
            kernel.close(Fd(fd.into()));
        }
    }

    /// Closes everything, the last first, and removes the probes in tracefs.
    pub fn undo<K: Kernel>(&mut self, kernel: &mut K) {
        self.undo_from(kernel, 0);
    }

    /// The same of what was kept as number `first` and later, with all probes: those are only made by attaching.
    pub fn undo_from<K: Kernel>(&mut self, kernel: &mut K, first: usize) {
        // while the descriptors are open by which they are named
        while place::BUILT
            && let Some(held) = self.held.pop()
        {
            place::release(kernel, held);
        }
        // while the programs are open
        if device::BUILT && !self.device.is_empty() {
            self.device.undo(kernel);
        }
        while self.open.len() > first
            && let Some(fd) = self.open.pop()
        {
            kernel.close(Fd(fd.into()));
        }
        while cfg!(feature = "old-kernels")
            && let Some(probe) = self.tracefs_probes.checked_sub(1)
        {
            self.tracefs_probes = probe;
            kprobe::remove(kernel, probe);
        }
        while cfg!(feature = "uprobe")
            && let Some(probe) = self.tracefs_uprobes.checked_sub(1)
        {
            self.tracefs_uprobes = probe;
            uprobe::remove(kernel, probe);
        }
    }
}
