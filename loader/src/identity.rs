//! Which kernel and machine this is.

use crate::exit::{Done, Exit};
use crate::number;
use crate::say::{
    Arg::{E, S},
    fail, failed, text,
};
use crate::sys::{Errno, Fd, Kernel, Open, Sys, Uname};
use core::ffi::CStr;
use heapless::Vec;

/// `NT_GNU_BUILD_ID`
const BUILD_ID: u32 = 3;
const NOTES: &CStr = c"/sys/kernel/notes";
const POSSIBLE_CPUS: &CStr = c"/sys/devices/system/cpu/possible";
/// Longest build id: SHA-1 has 20 bytes.
pub const MAX_BUILD_ID: usize = 32;

/// The running kernel and machine.
pub struct Identity {
    /// `uname(2)`
    pub uname: Uname,
    /// Build id of the kernel's ELF note; empty where it has none.
    pub build_id: Vec<u8, MAX_BUILD_ID>,
    /// Possible CPUs.
    pub cpus: u32,
    /// Bytes of a page.
    pub page_size: u32,
}

impl Identity {
    /// Asks the kernel.
    ///
    /// # Errors
    /// [`Exit::Missing`] where sysfs is not there.
    #[inline(never)] // its frame is gone when the work begins
    pub fn read<K: Kernel>(kernel: &mut K, page_size: u32) -> Done<Identity> {
        let uname = kernel.uname();
        let build_id = match build_id(kernel, NOTES) {
            Ok(id) => id,
            Err(e) => return Err(no_sysfs(kernel, NOTES, e)),
        };
        let mut list = [0; 128];
        let cpus = read_file(kernel, POSSIBLE_CPUS, &mut list);
        match cpus.and_then(|list| number::cpus(list).ok_or(Errno::EINVAL)) {
            Ok(cpus) => Ok(Identity { uname, build_id, cpus, page_size }),
            Err(e) => Err(no_sysfs(kernel, POSSIBLE_CPUS, e)),
        }
    }

    /// Becomes that of another kernel on this machine, of which the build id is all that is known.
    #[cold]
    #[inline(never)]
    pub fn becomes(&mut self, build_id: &Vec<u8, MAX_BUILD_ID>) {
        self.build_id = build_id.clone();
        self.uname.release.clear();
        self.uname.version.clear();
    }

    /// Whether the kernel's release is `major.minor` or later.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.uname.release.as_bytes().split(|&b| b == b'.').map(number::first);
        let mut next = || parts.next().flatten().unwrap_or(0);
        (next(), next()) >= (major, minor)
    }
}

#[cold]
#[inline(never)]
fn no_sysfs<K: Kernel>(kernel: &mut K, path: &CStr, e: Errno) -> Exit {
    let path = path.to_str().unwrap_or("");
    if e.exit() == Exit::Again {
        return failed(kernel, path, e);
    }
    fail(kernel, Exit::Missing, text!("cannot read %: %; mount sysfs on /sys"), &[S(path), E(e)])
}

/// What one read gives of the start of a file.
#[inline(never)]
pub fn read_file<'b, K: Kernel>(kernel: &mut K, path: &CStr, buffer: &'b mut [u8]) -> Sys<&'b [u8]> {
    let fd = kernel.open(path, Open::Read)?;
    let read = kernel.read(fd, buffer);
    kernel.close(fd);
    Ok(buffer.get(..read?).unwrap_or(&[]))
}

/// The first number in a file, as of `6` or `config:0`.
#[inline(never)]
pub fn number_in<K: Kernel>(kernel: &mut K, path: &CStr) -> Sys<u32> {
    let mut text = [0; 32];
    number::first(read_file(kernel, path, &mut text)?).ok_or(Errno::EINVAL)
}

/// The build id in a file of ELF notes; empty where they have none.
pub fn build_id<K: Kernel>(kernel: &mut K, path: &CStr) -> Sys<Vec<u8, MAX_BUILD_ID>> {
    let notes = kernel.open(path, Open::Read)?;
    let found = build_id_in(kernel, notes);
    kernel.close(notes);
    found
}

/// The build id in a sequence of ELF notes: namesz, descsz, type, then name and descriptor, each padded to four bytes.
fn build_id_in<K: Kernel>(kernel: &mut K, notes: Fd) -> Sys<Vec<u8, MAX_BUILD_ID>> {
    const HEAD: usize = 12;
    let mut at = 0u32;
    loop {
        let mut note = [0u8; HEAD + 4 + MAX_BUILD_ID];
        let n = kernel.read_at(notes, at, &mut note)?;
        if n < HEAD {
            return Ok(Vec::new());
        }
        let word = |i: usize| note.as_chunks::<4>().0.get(i).map_or(0, |w| u32::from_ne_bytes(*w));
        let (name_len, len) = (word(0), word(1));
        if word(2) == BUILD_ID && note.get(HEAD..HEAD + 4) == Some(b"GNU\0") {
            let id = note.get(HEAD + 4..).and_then(|d| d.get(..len as usize)).filter(|_| n >= HEAD + 4);
            return id.and_then(|id| Vec::from_slice(id).ok()).ok_or(Errno::EINVAL);
        }
        let padded = |n: u32| n.checked_add(3).map(|n| n & !3);
        at = padded(name_len)
            .zip(padded(len))
            .and_then(|(a, b)| a.checked_add(b)?.checked_add(HEAD as u32)?.checked_add(at))
            .ok_or(Errno::EINVAL)?;
    }
}
