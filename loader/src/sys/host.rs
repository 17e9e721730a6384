//! The kernel as a program has it that carries the loader inside itself ([`crate::api`]): words go to the program and not to its
//! standard error, a pack may lie in memory, and mappings end before the process does.
//!
//! [`Host`] is what differs. All of it does nothing for [`Linux`], the executable's, and costs that no byte.

use super::{Errno, Fd, Kernel, Linux, Sys};
use heapless::Vec;

/// What a program takes over of the kernel's part. [`Kernel`] comes with it.
pub trait Host {
    /// [`Kernel::inside`]
    #[inline(always)]
    fn inside(&self) -> bool {
        false
    }

    /// Takes what is written to `fd`, so that the kernel is not asked; whether it was taken.
    #[inline(always)]
    fn take_words(&mut self, fd: Fd, bytes: &[u8]) -> bool {
        let _ = (fd, bytes);
        false
    }

    /// [`Kernel::embedded`]
    #[inline(always)]
    fn embedded(&self) -> bool {
        false
    }

    /// Hears that bytes of the file in memory were copied.
    #[inline(always)]
    fn copied(&self) {}

    /// The BPF token that stands for what the process may not do itself.
    #[inline(always)]
    fn token(&self) -> Option<Fd> {
        None
    }

    /// Takes one.
    #[inline(always)]
    fn hold_token(&mut self, token: Fd) {
        let _ = token;
    }

    /// The file of that descriptor, where it lies in memory.
    #[inline(always)]
    fn in_memory(&self, fd: Fd) -> Option<&[u8]> {
        let _ = fd;
        None
    }

    /// Hears of `len` bytes that were mapped at `base`; whether it will unmap them, else the call fails.
    #[inline(always)]
    fn mapped(&mut self, base: usize, len: usize) -> bool {
        let _ = (base, len);
        true
    }

    /// [`Kernel::loaded`]
    #[inline(always)]
    fn held(&mut self, program: Held) -> bool {
        let _ = program;
        true
    }
}

impl Host for Linux {}

/// A loaded program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Place of its object among those loaded.
    pub object: u8,
    /// Its number in the object.
    pub number: u16,
    /// Its descriptor.
    pub fd: Fd,
}

/// A kernel for a program that carries the loader inside itself.
pub trait Carried: Kernel {
    /// Bytes of a page.
    fn page_size(&mut self) -> Sys<u32>;
    /// The last message that was said, without the loader's name in front of it: its first bytes, and its lines behind the first.
    fn said(&self) -> &[u8];
    /// The programs that were loaded.
    fn programs(&self) -> &[Held];
    /// How many mappings there are.
    fn mappings(&self) -> usize;
    /// Ends all mappings but the first `keep`. Nothing may be used that lies in the others.
    fn unmap(&mut self, keep: usize);
}

/// Mappings at once: one or two for each buffer of events, and some for each object.
const MAX_MAPPINGS: usize = 160;
/// Programs of one pack.
pub const MAX_PROGRAMS: usize = 256;
/// Bytes of a message that an error keeps.
pub const MAX_TEXT: usize = 480;
/// What stands in front of a message.
const NAME: &[u8] = b"corelet-loader: ";

/// Hears all that is said, in pieces of lines.
pub type Hear<'o> = &'o mut dyn FnMut(&[u8]);

/// [`Linux`] for a program that carries the loader inside itself.
pub struct Hosted<'o> {
    pack: &'o [u8],
    hear: Option<Hear<'o>>,
    text: Vec<u8, MAX_TEXT>,
    /// Whether what comes next begins a line.
    fresh: bool,
    mappings: Vec<(usize, usize), MAX_MAPPINGS>,
    programs: Vec<Held, MAX_PROGRAMS>,
}

impl<'o> Hosted<'o> {
    /// The descriptor of the pack in memory, which is no number that a kernel gives.
    pub const PACK: Fd = Fd(-2);

    /// Regions are promised to live until the process ends and live as long as this: whoever makes one drops it behind everything
    /// that lies in them, as [`crate::api::Loaded`] does.
    pub(crate) fn new(pack: &'o [u8], hear: Option<Hear<'o>>) -> Self {
        Hosted { pack, hear, text: Vec::new(), fresh: true, mappings: Vec::new(), programs: Vec::new() }
    }
}

impl Host for Hosted<'_> {
    fn inside(&self) -> bool {
        true
    }

    fn take_words(&mut self, fd: Fd, bytes: &[u8]) -> bool {
        if fd != Fd::STDERR && fd != Fd::STDOUT {
            return false;
        }
        if let Some(hear) = &mut self.hear {
            hear(bytes);
        }
        if fd == Fd::STDERR {
            let message = if self.fresh { crate::number::after(bytes, NAME) } else { None };
            if message.is_some() {
                self.text.clear();
            }
            for &b in message.unwrap_or(bytes) {
                // what is too long is cut
                let _ = self.text.push(b);
            }
            self.fresh = bytes.last() == Some(&b'\n');
        }
        true
    }

    fn in_memory(&self, fd: Fd) -> Option<&[u8]> {
        (fd == Self::PACK).then_some(self.pack)
    }

    fn mapped(&mut self, base: usize, len: usize) -> bool {
        self.mappings.push((base, len)).is_ok()
    }

    fn held(&mut self, program: Held) -> bool {
        self.programs.push(program).is_ok()
    }
}

impl Carried for Hosted<'_> {
    /// By the auxiliary vector, where its start-up code has put it away: `/proc/self/auxv`.
    fn page_size(&mut self) -> Sys<u32> {
        /// `AT_PAGESZ`
        const PAGE_SIZE: usize = 6;
        const WORD: usize = size_of::<usize>();
        let mut vector = [0; 64 * WORD];
        let vector = crate::identity::read_file(self, c"/proc/self/auxv", &mut vector)?;
        let mut words = vector.as_chunks::<WORD>().0.iter().map(|w| usize::from_ne_bytes(*w));
        while let (Some(tag), Some(value)) = (words.next(), words.next()) {
            if tag == PAGE_SIZE {
                return u32::try_from(value).map_err(|_| Errno::EINVAL);
            }
        }
        Err(Errno::EINVAL)
    }

    fn said(&self) -> &[u8] {
        let end = self.text.iter().rposition(|&b| b != b'\n').map_or(0, |last| last.saturating_add(1));
        self.text.get(..end).unwrap_or_default()
    }

    fn programs(&self) -> &[Held] {
        &self.programs
    }

    fn mappings(&self) -> usize {
        self.mappings.len()
    }

    fn unmap(&mut self, keep: usize) {
        while self.mappings.len() > keep
            && let Some((base, len)) = self.mappings.pop()
        {
            // SAFETY: mapped with this length, and by `Hosted::new` and `Carried::unmap` nothing in it is used any more.
            let _ = unsafe { rustix::mm::munmap(core::ptr::with_exposed_provenance_mut(base), len) };
        }
    }
}

impl Drop for Hosted<'_> {
    fn drop(&mut self) {
        self.unmap(0);
    }
}

/// Ends a mapping that [`Kernel::region`] made.
///
/// # Safety
/// `len` bytes were mapped at `base`, and nothing in them is used any more.
pub unsafe fn unmap(base: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { rustix::mm::munmap(base.cast(), len) };
}
