//! The files of `/sys/kernel/btf`: the kernel's own, and one for each loaded module that has types.

use crate::directory::Names;
use crate::sys::{Errno, Fd, Kernel, Open};
use crate::tracefs::Path;
use core::ffi::CStr;
use corelet_core::kernel_btf::Source;
use corelet_core::limits::MAX_CANDIDATE_MODULES;
use corelet_core::{Error, Part};
use heapless::Vec;

/// Open files, by their number as [`Source`] gives it.
pub(super) struct Files<'k, K: Kernel> {
    kernel: &'k mut K,
    fds: Vec<Fd, { MAX_CANDIDATE_MODULES + 2 }>,
    directory: Option<Names>,
    /// Why a call failed.
    failure: Option<Errno>,
}

impl<'k, K: Kernel> Files<'k, K> {
    /// Nothing open.
    pub(super) fn new(kernel: &'k mut K) -> Self {
        Files { kernel, fds: Vec::new(), directory: None, failure: None }
    }

    /// Opens file 0.
    pub(super) fn open_kernel(&mut self, path: &CStr) -> Result<(), Error> {
        let fd = self.kernel.open(path, Open::Read).map_err(|e| self.failed(e, 0))?;
        self.put(0, fd);
        Ok(())
    }

    /// Closes all; gives the error number of the call that failed, if one did.
    pub(super) fn close(self) -> Option<Errno> {
        for fd in self.fds {
            self.kernel.close(fd);
        }
        if let Some(names) = self.directory {
            names.close(self.kernel);
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
        if self.directory.is_none() {
            let names = Names::open(self.kernel, c"/sys/kernel/btf").map_err(|e| self.failed(e, 0))?;
            self.directory = Some(names);
        }
        let Some(names) = &mut self.directory else { return Ok(None) };
        loop {
            let name = match names.next(self.kernel) {
                Ok(Some("vmlinux")) => continue,
                Ok(Some(name)) => name,
                Ok(None) => return Ok(None),
                Err(e) => return Err(self.failed(e, 0)),
            };
            let mut path = Path::new();
            path.text("/sys/kernel/btf/").text(name);
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
