//! The kernel as the executable has it: a pack may lie in the executable's own image (`corelet embed`), and a token may stand for the
//! permissions that the process has not.
//!
//! `link.ld` leaves room for one more program header, of a type that no kernel knows ([`ROOM`]). `corelet embed` appends the pack to the
//! file and makes that header a `PT_LOAD` for reading alone, which no other is. The kernel says where the headers are (`AT_PHDR`), so
//! neither `/proc` nor the file's name is needed. Sections are copied out of the mapping as they are read from a file, and the
//! mapping's pages are given back at once.

use super::{Fd, Host};
use core::ffi::c_void;
use rustix::mm::{Advice, madvise};

/// `p_type` of the header that waits for a pack: `pack`, among those that systems may use as they like.
pub const ROOM: u32 = u32::from_le_bytes(*b"pack");
/// `PT_LOAD`
const LOAD: u32 = 1;
/// `PF_R`
const READ: u32 = 4;
/// Bytes of the largest page that a kernel of ours may have.
const LARGEST_PAGE: usize = 64 << 10;

/// `Elf64_Phdr` or `Elf32_Phdr`, of this machine.
#[repr(C)]
#[cfg(target_pointer_width = "64")]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: usize,
    address: usize,
    physical: usize,
    len: usize,
    memory: usize,
    align: usize,
}
#[repr(C)]
#[cfg(target_pointer_width = "32")]
struct ProgramHeader {
    kind: u32,
    offset: usize,
    address: usize,
    physical: usize,
    len: usize,
    memory: usize,
    flags: u32,
    align: usize,
}

/// The running kernel.
#[derive(Default)]
pub struct Image {
    pack: &'static [u8],
    token: Option<Fd>,
}

impl Image {
    /// The descriptor of the pack, which is no number that a kernel gives.
    pub const PACK: Fd = Fd(-2);

    /// Without a pack in the image.
    pub const fn new() -> Image {
        Image { pack: &[], token: None }
    }

    /// With the pack in the image, where there is one.
    ///
    /// # Safety
    /// `count` program headers of this executable lie at `headers`, as the kernel mapped them (`AT_PHDR`, `AT_PHNUM`).
    #[inline] // every run does it, and what is cold lies on pages of its own
    pub unsafe fn find(headers: usize, count: usize) -> Image {
        let mut image = Image::new();
        for number in 0..count {
            let at = headers.wrapping_add(number.wrapping_mul(size_of::<ProgramHeader>()));
            // SAFETY: the caller's promise.
            let header = unsafe { &*core::ptr::with_exposed_provenance::<ProgramHeader>(at) };
            if header.kind == LOAD && header.flags == READ {
                let start = core::ptr::with_exposed_provenance(header.address);
                // SAFETY: the kernel mapped so many bytes there, for reading alone, until the process ends.
                image.pack = unsafe { core::slice::from_raw_parts(start, header.len) };
            }
        }
        image
    }
}

impl Host for Image {
    #[inline(always)]
    fn embedded(&self) -> bool {
        cfg!(feature = "embed") && !self.pack.is_empty()
    }

    #[inline(always)]
    fn in_memory(&self, fd: Fd) -> Option<&[u8]> {
        (cfg!(feature = "embed") && fd == Self::PACK).then_some(self.pack)
    }

    #[inline(always)]
    fn copied(&self) {
        if cfg!(feature = "embed") {
            give_back(self.pack);
        }
    }

    #[inline(always)]
    fn token(&self) -> Option<Fd> {
        if cfg!(feature = "privileges") { self.token } else { None }
    }

    #[inline(always)]
    fn hold_token(&mut self, token: Fd) {
        self.token = Some(token);
    }
}

/// Gives back the pages of a mapping that the file has too.
#[cold]
#[inline(never)]
fn give_back(pack: &[u8]) {
    let at = pack.as_ptr().expose_provenance();
    // what is in front, up to a page of any size, is mapped for the pack alone, or not at all
    let start = at & !LARGEST_PAGE.wrapping_sub(1);
    let len = at.wrapping_sub(start).wrapping_add(pack.len());
    // SAFETY: the pages are of a file and nobody writes to them, so that reading them again gives the same bytes.
    let _ = unsafe {
        madvise(core::ptr::with_exposed_provenance_mut::<c_void>(start), len, Advice::LinuxDontNeed)
    };
}
