//! The files of `/sys/kernel/btf`: the kernel's own, and one for each loaded module that has types.

use crate::sys::{Errno, Fd, Kernel, Open};
use crate::tracefs::Path;
use core::ffi::CStr;
use corelet_core::kernel_btf::Source;
use corelet_core::limits::MAX_CANDIDATE_MODULES;
use corelet_core::{Error, Part};
use heapless::Vec;

/// Bytes of directory entries that are read at once: one entry has 24 and a name, which of a module has 56 at most.
const ENTRIES: usize = 256;
/// Bytes of `struct linux_dirent64` before the name: inode, offset, length of the entry, type.
const ENTRY_HEAD: usize = 19;

/// Open files, by their number as [`Source`] gives it.
pub(super) struct Files<'k, K: Kernel> {
    kernel: &'k mut K,
    fds: Vec<Fd, { MAX_CANDIDATE_MODULES + 2 }>,
    directory: Option<Fd>,
    entries: [u8; ENTRIES],
    /// The entries that are not looked at yet are those from `next` to `end`.
    next: usize,
    end: usize,
    /// Why a call failed.
    failure: Option<Errno>,
}

impl<'k, K: Kernel> Files<'k, K> {
    /// Nothing open.
    pub(super) fn new(kernel: &'k mut K) -> Self {
        let (fds, entries) = (Vec::new(), [0; ENTRIES]);
        Files { kernel, fds, directory: None, entries, next: 0, end: 0, failure: None }
    }

    /// Opens file 0.
    pub(super) fn open_kernel(&mut self, path: &CStr) -> Result<(), Error> {
        let fd = self.kernel.open(path, Open::Read).map_err(|e| self.failed(e, 0))?;
        self.put(0, fd);
        Ok(())
    }

    /// Closes all; gives the error number of the call that failed, if one did.
    pub(super) fn close(self) -> Option<Errno> {
        for &fd in self.fds.iter().chain(&self.directory) {
            self.kernel.close(fd);
        }
        self.failure
    }

    /// Makes `fd` the file of number `file`, in the place of another.
    fn put(&mut self, file: u8, fd: Fd) {
        match self.fds.get_mut(usize::from(file)) {
            Some(old) => self.kernel.close(core::mem::replace(old, fd)),
            None => {
                if self.fds.push(fd).is_err() {
                    self.kernel.close(fd);
                }
            }
        }
    }

    /// Keeps the error number, and gives core an error that ends the work.
    #[cold]
    fn failed(&mut self, e: Errno, at: u32) -> Error {
        self.failure = Some(e);
        Error::Truncated { part: Part::BtfTypes, at }
    }

    /// The path of the next module; `None` after the last.
    fn entry(&mut self) -> Result<Option<Path>, Error> {
        let directory = match self.directory {
            Some(fd) => fd,
            None => {
                let fd = self.kernel.open(c"/sys/kernel/btf", Open::Read).map_err(|e| self.failed(e, 0))?;
                *self.directory.insert(fd)
            }
        };
        loop {
            if self.next >= self.end {
                let read = self.kernel.read_dir(directory, &mut self.entries);
                (self.next, self.end) = (0, read.map_err(|e| self.failed(e, 0))?);
            }
            let entry = self.entries.get(self.next..self.end).unwrap_or_default();
            let Some(name) = entry.get(ENTRY_HEAD..) else { return Ok(None) };
            let len = entry.get(16..).and_then(|e| e.first_chunk()).map_or(0, |b| u16::from_ne_bytes(*b));
            // never 0, so that this comes to an end
            self.next = self.next.saturating_add(usize::from(len).max(ENTRY_HEAD));
            let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
            let name = name.get(..end).unwrap_or_default();
            if name.starts_with(b".") || name == b"vmlinux" {
                continue;
            }
            let mut path = Path::new();
            path.text("/sys/kernel/btf/").text(core::str::from_utf8(name).unwrap_or(""));
            return Ok(Some(path));
        }
    }
}

impl<K: Kernel> Source for Files<'_, K> {
    fn read_at(&mut self, file: u8, at: u32, into: &mut [u8]) -> Result<usize, Error> {
        let Some(&fd) = self.fds.get(usize::from(file)) else { return Ok(0) };
        loop {
            match self.kernel.read_at(fd, at, into) {
                Err(Errno::EINTR) => {}
                other => return other.map_err(|e| self.failed(e, at)),
            }
        }
    }

    fn next_module(&mut self, file: u8) -> Result<bool, Error> {
        while let Some(path) = self.entry()? {
            let Ok(path) = path.as_cstr() else { continue };
            match self.kernel.open(path, Open::Read) {
                Ok(fd) => {
                    self.put(file, fd);
                    return Ok(true);
                }
                // the module is gone meanwhile
                Err(Errno::ENOENT) => {}
                Err(e) => return Err(self.failed(e, 0)),
            }
        }
        Ok(false)
    }
}
