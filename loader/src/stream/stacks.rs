//! Stacks and kernel addresses of results: collected, named by one pass over `/proc/kallsyms`, and given to the printer.
//!
//! Which stacks an entry has the printer knows, by the hints: the entry is printed to nowhere, and what it asks is written down.
//! Addresses of user space are named when the entry is printed, by `/proc/PID/maps` of a process that still lives.
//!
//! Memory: [`STACKS`], of packs that have stacks.

use super::results::cut;
use super::table::{ENTRY, Table};
use crate::job::Source;
use crate::sys::{Errno, Fd, Kernel, Open, Region, bytes, slots};
use crate::tracefs::Path;
use core::cell::Cell;
use corelet_core::event::{MAX_FRAMES, Stack, Symbols};
use corelet_core::pack::{Checked, Map, STACKS, section};

/// Addresses in the kernel that are named in one print.
const KERNEL: usize = 1024;
/// Bytes of their names.
const KERNEL_NAMES: usize = 24 << 10;
/// Bytes of the paths of the files that one stack of user space is in.
const USER_NAMES: usize = 2 << 10;
/// Bytes of a list that are read at once. A line that is longer is cut: of `/proc/PID/maps` it has a path, of 4096 at most.
const LINE: usize = 5 << 10;
/// Frames of the two stacks that an entry has at most.
const FRAMES: usize = 2 * MAX_FRAMES * 8;
/// Bytes of an entry as text, as far as it is looked at for stacks.
const NOWHERE: usize = 2 << 10;
const _: () = assert!(
    KERNEL * ENTRY + KERNEL_NAMES + MAX_FRAMES * ENTRY + USER_NAMES + FRAMES + LINE + NOWHERE <= STACKS
);

/// Everything that names addresses.
pub(super) struct Stacks {
    kernel: Table<'static>,
    user: Table<'static>,
    frames: [&'static mut [u64]; 2],
    line: &'static mut [u8],
    pub(super) nowhere: &'static mut [u8],
    /// Addresses that there was no room for.
    pub(super) left_out: u64,
}

impl Stacks {
    /// In [`STACKS`] bytes.
    pub(super) fn new(mut memory: Region) -> Stacks {
        let mut cut = |len| cut(&mut memory, len);
        let kernel = Table::new(cut(KERNEL * ENTRY), cut(KERNEL_NAMES));
        let user = Table::new(cut(MAX_FRAMES * ENTRY), cut(USER_NAMES));
        let frames = [(); 2].map(|()| slots(cut(FRAMES / 2), || 0));
        Stacks { kernel, user, frames, line: cut(LINE), nowhere: cut(NOWHERE), left_out: 0 }
    }

    /// Begins a print.
    pub(super) fn clear(&mut self) {
        self.kernel.clear();
        self.left_out = 0;
    }

    /// Collects the kernel's addresses of what an entry `asked` for.
    pub(super) fn collect<K: Kernel>(&mut self, kernel: &mut K, source: &Source<'_>, asked: &Asked) {
        self.fetch(kernel, source, asked);
        let frames = self.frames.first().map_or(&[][..], |f| &**f);
        let addresses = asked.addresses.get();
        for &address in frames.iter().chain(&addresses).filter(|&&address| address != 0) {
            self.left_out = self.left_out.saturating_add(u64::from(!self.kernel.insert(address)));
        }
    }

    /// Reads the stacks that an entry asked for; those of user space with their files.
    pub(super) fn fetch<K: Kernel>(&mut self, kernel: &mut K, source: &Source<'_>, asked: &Asked) {
        for (frames, stack) in self.frames.iter_mut().zip(asked.stacks.get()) {
            frames.fill(0);
            let Some(stack) = stack else { continue };
            let map = Checked::<Map<'_>>::new(source.maps, section::MAPS).at(stack.map);
            let open = source.open.get(usize::from(stack.map)).filter(|_| map.is_ok());
            if let Some(open) = open
                && let Some(value) = bytes(frames).get_mut(..open.map.value_len())
            {
                // one that is not there any more has no frames
                let _ = kernel.map_lookup(&open.map, &stack.id.to_ne_bytes(), value);
            }
        }
    }

    /// Names the frames of the stack of user space that was fetched.
    pub(super) fn name_user<K: Kernel>(&mut self, kernel: &mut K, asked: &Asked) {
        let [_, Some(Stack { pid: Some(pid), .. })] = asked.stacks.get() else { return };
        self.user.clear();
        let [_, frames] = &self.frames;
        frames.iter().take_while(|&&address| address != 0).for_each(|&address| {
            // as many as there are places
            self.user.insert(address);
        });
        let mut path = Path::new();
        path.text("/proc/").number(pid).text("/maps");
        let Ok(path) = path.as_cstr() else { return };
        let Ok(fd) = kernel.open(path, Open::Read) else { return };
        let user = &mut self.user;
        let _ = lines(kernel, fd, self.line, &mut |line| {
            // start-end perms offset dev inode path
            let mut words = line.split(|&b| b == b' ').filter(|w| !w.is_empty());
            let mut ends = words.next().unwrap_or_default().split(|&b| b == b'-').map(hex);
            let (start, end) = (ends.next().unwrap_or(0), ends.next().unwrap_or(0));
            let offset = words.nth(1).map_or(0, hex);
            if let Some(name) = words.nth(2) {
                user.cover(start, end, start.wrapping_sub(offset), name);
            }
        });
        kernel.close(fd);
    }

    /// Names the addresses that were collected: one pass over the kernel's symbols.
    pub(super) fn name_kernel<K: Kernel>(&mut self, kernel: &mut K) -> Result<(), Errno> {
        if self.kernel.address(0).is_none() {
            return Ok(());
        }
        let fd = kernel.open(c"/proc/kallsyms", Open::Read)?;
        let table = &mut self.kernel;
        let done = lines(kernel, fd, self.line, &mut |line| {
            // address type name [module]
            let mut words = line.split(|&b| matches!(b, b' ' | b'\t'));
            if let (Some(address), Some(b"t" | b"T" | b"w" | b"W"), Some(name)) =
                (words.next(), words.next(), words.next())
            {
                table.offer(hex(address), name);
            }
        });
        kernel.close(fd);
        self.kernel.finish();
        done
    }

    /// What the printer asks, for the entry that was fetched last.
    pub(super) fn of<'s>(&'s self, asked: &Asked) -> Fetched<'s> {
        Fetched { stacks: asked.stacks.get(), all: self }
    }

    /// Address number `index` of those that were collected.
    pub(super) fn address(&self, index: usize) -> Option<u64> {
        self.kernel.address(index)
    }

    /// The symbol of an address in the kernel and the offset in it.
    pub(super) fn symbol(&self, address: u64) -> Option<(&[u8], u64)> {
        self.kernel.name(address)
    }

    /// The frames of the kernel's stack that was fetched last, or of that of user space.
    pub(super) fn frames(&self, user: bool) -> &[u64] {
        self.frames.get(usize::from(user)).map_or(&[], |f| f)
    }
}

/// A hexadecimal number, up to what is no digit.
fn hex(digits: &[u8]) -> u64 {
    digits.iter().map_while(|&b| char::from(b).to_digit(16)).fold(0, |n, digit| n << 4 | u64::from(digit))
}

/// Gives each line of a file to `each`. What a line has behind the length of `buffer` is left out.
fn lines<K: Kernel>(
    kernel: &mut K,
    fd: Fd,
    buffer: &mut [u8],
    each: &mut dyn FnMut(&[u8]),
) -> Result<(), Errno> {
    let (mut start, mut end, mut long) = (0usize, 0usize, false);
    loop {
        let have = buffer.get(start..end).unwrap_or_default();
        if let Some(len) = have.iter().position(|&b| b == b'\n') {
            if !long {
                each(have.get(..len).unwrap_or_default());
            }
            long = false;
            start = start.saturating_add(len).saturating_add(1);
            continue;
        }
        if start == 0 && end == buffer.len() {
            // a full buffer without an end of line
            if !long {
                each(buffer);
            }
            (long, end) = (true, 0);
        }
        let waiting = end.saturating_sub(start);
        // byte by byte: `copy_within` would bring its panic
        for to in 0..waiting {
            let from = buffer.get(start.saturating_add(to)).copied().unwrap_or(0);
            if let Some(to) = buffer.get_mut(to) {
                *to = from;
            }
        }
        (start, end) = (0, waiting);
        match kernel.read(fd, buffer.get_mut(end..).unwrap_or_default()) {
            Ok(0) => return Ok(()),
            Ok(n) => end = end.saturating_add(n),
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// Writes down which stacks and addresses of the kernel the printer asks for.
#[derive(Default)]
pub(super) struct Asked {
    /// One of the kernel, one of user space.
    pub(super) stacks: Cell<[Option<Stack>; 2]>,
    addresses: Cell<[u64; ASKED]>,
    count: Cell<usize>,
}

/// Addresses of one entry that are in no stack: `MAX_STACK` of BCC's biostacks is 20.
const ASKED: usize = 24;

// Cold, like the rest of this module: by their mangled names link.ld could not tell them from what loading runs.
impl Symbols for Asked {
    #[cold]
    fn frame(&self, stack: Stack, _: usize) -> Option<u64> {
        let mut stacks = self.stacks.get();
        if let Some(place) = stacks.get_mut(usize::from(stack.pid.is_some())) {
            place.get_or_insert(stack);
        }
        self.stacks.set(stacks);
        None
    }

    #[cold]
    fn name(&self, pid: Option<u32>, address: u64) -> Option<(&[u8], u64)> {
        let mut addresses = self.addresses.get();
        if let (None, Some(place)) = (pid, addresses.get_mut(self.count.get())) {
            *place = address;
            self.addresses.set(addresses);
            self.count.set(self.count.get().saturating_add(1));
        }
        None
    }
}

/// The stacks of one entry and all names.
pub(super) struct Fetched<'s> {
    stacks: [Option<Stack>; 2],
    all: &'s Stacks,
}

impl Symbols for Fetched<'_> {
    #[cold]
    fn frame(&self, stack: Stack, frame: usize) -> Option<u64> {
        let place = usize::from(stack.pid.is_some());
        let fetched = self.stacks.get(place).is_some_and(|s| *s == Some(stack));
        self.all.frames.get(place).filter(|_| fetched)?.get(frame).copied()
    }

    #[cold]
    fn name(&self, pid: Option<u32>, address: u64) -> Option<(&[u8], u64)> {
        if pid.is_some() { self.all.user.name(address) } else { self.all.kernel.name(address) }
    }
}
