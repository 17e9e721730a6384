//! The file that is probed: found as libbpf's `resolve_full_path` finds it, and read piece by piece.

use crate::sys::{Errno, Fd, Kernel, Open, Sys};
use crate::tracefs::Path;
use corelet_core::Error;
use corelet_core::Part;
use corelet_core::executable::{Executable, File};
use corelet_core::words::{bytes, nth};

/// Where Debian and its like have the libraries of one architecture.
const MULTIARCH: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-linux-gnu"
} else if cfg!(target_arch = "arm") {
    "arm-linux-gnueabihf"
} else if cfg!(target_arch = "riscv64") {
    "riscv64-linux-gnu"
} else {
    "x86_64-linux-gnu"
};

/// Where libraries are looked for, and where programs are: what the environment would say is not asked, so that a service finds
/// the same as a shell. Behind those of libraries, the same of one architecture.
static LIBRARIES: [u8; LIBRARY_TEXT.len()] = bytes(LIBRARY_TEXT);
const LIBRARY_TEXT: &str = "/usr/lib64/ /usr/lib/ /lib64/ /lib/";
static PROGRAMS: [u8; PROGRAM_TEXT.len()] = bytes(PROGRAM_TEXT);
const PROGRAM_TEXT: &str = "/usr/bin/ /usr/sbin/ /usr/local/bin/ /usr/local/sbin/ /bin/ /sbin/";

/// Opens the file `name`, or where that is no path, what it names; puts its path into `path`.
///
/// # Errors
/// `ENOENT` where it is nowhere.
#[cold]
#[inline(never)]
pub(super) fn open<K: Kernel>(kernel: &mut K, name: &str, path: &mut Path) -> Sys<Fd> {
    if name.bytes().any(|b| b == b'/') {
        return at(kernel, path, ["", "", "", name]);
    }
    let is_library = name.ends_with(".so") || name.as_bytes().windows(4).any(|part| part == b".so.");
    let folders: &'static [u8] = if is_library { &LIBRARIES } else { &PROGRAMS };
    for n in 0.. {
        let Some(folder) = nth(folders, b' ', n) else { break };
        let mut found = at(kernel, path, [folder, "", "", name]);
        if found == Err(Errno::ENOENT) && is_library {
            found = at(kernel, path, [folder, MULTIARCH, "/", name]);
        }
        if found != Err(Errno::ENOENT) {
            return found;
        }
    }
    Err(Errno::ENOENT)
}

#[cold]
#[inline(never)]
fn at<K: Kernel>(kernel: &mut K, path: &mut Path, parts: [&str; 4]) -> Sys<Fd> {
    *path = Path::new();
    for part in parts {
        path.text(part);
    }
    kernel.open(path.as_cstr()?, Open::Read)
}

/// Why a file gives nothing.
pub(super) enum Trouble {
    /// A call failed.
    Call(Errno),
    /// What is in it.
    Bytes(Error),
}

/// An open file.
pub(super) struct Handle<'k, K: Kernel> {
    kernel: &'k mut K,
    fd: Fd,
    failure: Option<Errno>,
}

impl<K: Kernel> File for Handle<'_, K> {
    #[cold]
    #[inline(never)]
    fn read_at(&mut self, at: u32, into: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.kernel.read_at(self.fd, at, into) {
                Err(Errno::EINTR) => {}
                Err(e) => {
                    self.failure = Some(e);
                    return Err(Error::Truncated { part: Part::SectionData, at });
                }
                Ok(n) => return Ok(n),
            }
        }
    }
}

/// Does `work` with the executable `fd`.
pub(super) fn with<K: Kernel, T>(
    kernel: &mut K,
    fd: Fd,
    work: impl FnOnce(&mut Executable<'_, Handle<'_, K>>) -> Result<T, Error>,
) -> Result<T, Trouble> {
    let mut handle = Handle { kernel, fd, failure: None };
    let done = Executable::new(&mut handle).and_then(|mut executable| work(&mut executable));
    done.map_err(|error| handle.failure.map_or(Trouble::Bytes(error), Trouble::Call))
}
