//! The kernel itself: rustix for ordinary calls, raw calls for `bpf(2)` and perf events.

use super::attr::{Attr, cmd};
use super::raw::syscall;
use super::{
    Address, Errno, Fd, Held, Host, Kernel, Kind, LinkSpec, MapFd, MapSpec, MultiSpec, Open, PerfCommand,
    PerfSpec, ProgSpec, Region, Shared, Sys, Uname, linux_names, linux_net, linux_place,
};
use core::ffi::CStr;
use core::ptr::NonNull;
use linux_raw_sys::general as nr;
use rustix::event::epoll;
use rustix::fd::BorrowedFd;
use rustix::fs::OFlags;
use rustix::mm::{MapFlags, ProtFlags};

/// `PERF_EVENT_IOC_ENABLE`
const IOC_ENABLE: usize = 0x2400;
/// `PERF_EVENT_IOC_SET_BPF`: `_IOW('$', 8, __u32)`
const IOC_SET_BPF: usize = 0x4004_2408;
/// `PERF_FLAG_FD_CLOEXEC`
const PERF_CLOEXEC: usize = 8;
/// `openat(2)` and its kin: relative to the working directory.
const AT_FDCWD: usize = -100isize as usize;
/// `SFD_CLOEXEC` and `EPOLL_CLOEXEC`, which are `O_CLOEXEC` and the same on our architectures.
const CLOEXEC: usize = 0o2000000;

/// The set of one signal: 64 bits, the lowest for signal 1.
const fn signal(number: u32) -> u64 {
    1 << number.saturating_sub(1)
}

/// SIGHUP, SIGINT and SIGTERM.
const STOP: u64 = signal(1) | signal(2) | signal(15);
const SIGPIPE: u64 = signal(13);

/// The running kernel.
pub struct Linux;

impl From<rustix::io::Errno> for Errno {
    fn from(e: rustix::io::Errno) -> Errno {
        Errno(e.raw_os_error() as u16)
    }
}

fn borrowed<'a>(fd: Fd) -> BorrowedFd<'a> {
    // No descriptor is negative; saying so leaves out the panic for -1.
    let number = fd.0 & i32::MAX;
    // SAFETY: not -1; a number that is not open makes the call fail with EBADF and nothing else.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// `bpf(2)`
///
/// # Safety
/// The addresses in `attr` must be valid for `command`.
pub(super) unsafe fn bpf(command: usize, attr: &Attr) -> Sys<u32> {
    // SAFETY: `attr` has its length; the caller vouches for the addresses in it.
    unsafe { syscall(nr::__NR_bpf, command, attr.as_ptr() as usize, attr.len(), 0, 0) }
}

fn fd(number: u32) -> Fd {
    Fd(number as i32)
}

/// The time of `CLOCK_REALTIME` (0) or `CLOCK_MONOTONIC` (1) in nanoseconds.
fn clock(id: usize) -> u64 {
    #[cfg(target_pointer_width = "32")]
    const CLOCK_GETTIME: u32 = nr::__NR_clock_gettime64;
    #[cfg(target_pointer_width = "64")]
    const CLOCK_GETTIME: u32 = nr::__NR_clock_gettime;
    let mut t = [0u64; 2];
    // SAFETY: the kernel writes a timespec of two 64-bit fields.
    let _ = unsafe { syscall(CLOCK_GETTIME, id, t.as_mut_ptr() as usize, 0, 0, 0) };
    t[0].wrapping_mul(1_000_000_000).wrapping_add(t[1])
}

/// Copies what a file in memory has from `offset` on, and gives its length.
#[cold]
#[inline(never)]
fn copy(file: &[u8], offset: u32, buf: &mut [u8]) -> usize {
    let rest = file.get(offset as usize..).unwrap_or_default();
    buf.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
    rest.len().min(buf.len())
}

/// Has the host remember a mapping, or ends it.
#[inline(always)]
fn kept<H: Host>(host: &mut H, base: *mut core::ffi::c_void, len: usize) -> Sys<()> {
    if host.mapped(base.expose_provenance(), len) {
        return Ok(());
    }
    // SAFETY: just mapped with this length, and nothing has used it yet.
    let _ = unsafe { rustix::mm::munmap(base, len) };
    Err(Errno::ENOMEM)
}

impl<H: Host> Kernel for H {
    #[inline(always)]
    fn inside(&self) -> bool {
        Host::inside(self)
    }

    #[inline(always)]
    fn embedded(&self) -> bool {
        Host::embedded(self)
    }

    #[cfg(feature = "privileges")]
    #[cold]
    fn take_token(&mut self, bpffs: Fd) -> Sys<Fd> {
        // SAFETY: no addresses in it.
        let token = unsafe { bpf(cmd::TOKEN_CREATE, &Attr::token_create(bpffs.0)) }.map(fd)?;
        self.hold_token(token);
        Ok(token)
    }

    #[inline(always)]
    fn has_token(&self) -> bool {
        self.token().is_some()
    }

    #[cfg(feature = "privileges")]
    #[cold]
    fn keep_capabilities(&mut self, keep: u64) -> Sys<()> {
        super::confine::keep_capabilities(keep)
    }

    #[cfg(feature = "privileges")]
    #[cold]
    fn confine(&mut self, groups: u32) -> Sys<()> {
        super::confine::confine(groups)
    }

    #[inline(always)]
    fn loaded(&mut self, program: Held) -> bool {
        self.held(program)
    }

    fn open(&mut self, path: &CStr, how: Open) -> Sys<Fd> {
        let flags = match how {
            Open::Read => OFlags::RDONLY,
            Open::Append => OFlags::WRONLY | OFlags::APPEND,
            Open::Create => OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE,
        };
        // not rustix's, whose owned descriptors bring a panic for -1
        const MODE: usize = 0o644;
        let flags = (flags | OFlags::CLOEXEC | OFlags::LARGEFILE).bits() as usize;
        // SAFETY: the path is NUL-terminated.
        unsafe { syscall(nr::__NR_openat, AT_FDCWD, path.as_ptr() as usize, flags, MODE, 0) }.map(fd)
    }

    fn read(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize> {
        Ok(rustix::io::read(borrowed(fd), buf)?)
    }

    fn read_at(&mut self, fd: Fd, offset: u32, buf: &mut [u8]) -> Sys<usize> {
        if let Some(file) = self.in_memory(fd) {
            let len = copy(file, offset, buf);
            self.copied();
            return Ok(len);
        }
        Ok(rustix::io::pread(borrowed(fd), buf, offset.into())?)
    }

    fn read_dir(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize> {
        let (at, len) = (buf.as_mut_ptr() as usize, buf.len());
        // SAFETY: the kernel writes at most the buffer's length.
        unsafe { syscall(nr::__NR_getdents64, fd.0 as usize, at, len, 0, 0) }.map(|n| n as usize)
    }

    fn write(&mut self, fd: Fd, bytes: &[u8]) -> Sys<usize> {
        if self.take_words(fd, bytes) {
            return Ok(bytes.len());
        }
        Ok(rustix::io::write(borrowed(fd), bytes)?)
    }

    fn netlink(&mut self, groups: u32) -> Sys<Fd> {
        linux_net::netlink(groups)
    }

    fn connect(&mut self, to: &Address) -> Sys<Fd> {
        // SOCK_STREAM or SOCK_DGRAM with SOCK_CLOEXEC and SOCK_NONBLOCK, which are O_CLOEXEC and O_NONBLOCK
        const NONBLOCK: usize = 0o4000;
        let kind = CLOEXEC | NONBLOCK | if to.packets() { 2 } else { 1 };
        // SAFETY: no addresses in it.
        let fd = unsafe { syscall(nr::__NR_socket, to.family().into(), kind, 0, 0, 0) }.map(fd)?;
        let bytes = to.bytes();
        // SAFETY: the kernel reads the address by its length.
        let done =
            unsafe { syscall(nr::__NR_connect, fd.0 as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0) };
        if done.is_err() {
            self.close(fd);
        }
        done.map(|_| fd)
    }

    fn close(&mut self, fd: Fd) {
        // SAFETY: the ledger closes a descriptor once.
        unsafe { rustix::io::close(fd.0) };
    }

    fn file_len(&mut self, fd: Fd) -> Sys<u64> {
        if let Some(file) = self.in_memory(fd) {
            return Ok(file.len() as u64);
        }
        // not fstat, whose 32-bit form brings statx(2) and a variable along; files are read by position anyway
        Ok(rustix::fs::seek(borrowed(fd), rustix::fs::SeekFrom::End(0))?)
    }

    fn mkdir(&mut self, path: &CStr) -> Sys<()> {
        linux_names::mkdir(path)
    }

    fn remove(&mut self, path: &CStr, folder: bool) -> Sys<()> {
        linux_names::remove(path, folder)
    }

    fn rename(&mut self, from: &CStr, to: &CStr) -> Sys<()> {
        linux_names::rename(from, to)
    }

    fn lock(&mut self, fd: Fd) -> Sys<()> {
        linux_names::lock(fd)
    }

    fn uname(&mut self) -> Uname {
        let u = rustix::system::uname();
        let copy = |s: &CStr| s.to_str().ok().and_then(|s| s.try_into().ok()).unwrap_or_default();
        let machine = copy(u.machine());
        // what needs neither takes a target by the build id alone
        if cfg!(not(any(feature = "targets", feature = "old-kernels", feature = "explain"))) {
            return Uname { machine, ..Uname::default() };
        }
        Uname { release: copy(u.release()), version: copy(u.version()), machine }
    }

    fn pid(&mut self) -> u32 {
        // SAFETY: getpid takes nothing.
        unsafe { syscall(nr::__NR_getpid, 0, 0, 0, 0, 0) }.unwrap_or(0)
    }

    fn region(&mut self, len: usize) -> Sys<Region> {
        let (prot, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new private mapping at a place of the kernel's choice aliases nothing.
        let base = unsafe { rustix::mm::mmap_anonymous(core::ptr::null_mut(), len, prot, flags) }?;
        kept(self, base, len)?;
        // SAFETY: `len` bytes from `base` are mapped, zeroed, ours alone and not unmapped before their last use (`Hosted::new`).
        Ok(unsafe { core::slice::from_raw_parts_mut(base.cast(), len) })
    }

    fn map_shared(&mut self, fd: Fd, offset: u32, len: usize, writable: bool) -> Sys<Shared> {
        let prot = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        let fd = borrowed(fd);
        // SAFETY: a new mapping at a place of the kernel's choice aliases nothing of ours.
        let base = unsafe {
            rustix::mm::mmap(core::ptr::null_mut(), len, prot, MapFlags::SHARED, fd, offset.into())
        }?;
        kept(self, base, len)?;
        let base = NonNull::new(base.cast()).ok_or(Errno::EFAULT)?;
        // SAFETY: mapped with `len` bytes and not unmapped before its last use (`Hosted::new`).
        Ok(unsafe { Shared::new(base, len) })
    }

    fn raise_memlock(&mut self) -> Sys<()> {
        const RLIMIT_MEMLOCK: usize = 8;
        let unlimited = [u64::MAX; 2];
        let limit = unlimited.as_ptr() as usize;
        // SAFETY: prlimit64 reads two u64 and writes nothing, as the last pointer is null.
        unsafe { syscall(nr::__NR_prlimit64, 0, RLIMIT_MEMLOCK, limit, 0, 0) }.map(drop)
    }

    fn btf_load(&mut self, btf: &[u8]) -> Sys<Fd> {
        // SAFETY: the kernel reads `btf` by its length.
        unsafe { bpf(cmd::BTF_LOAD, &Attr::btf_load(btf).by_token(self.token(), 32, 36)) }.map(fd)
    }

    fn map_create(&mut self, spec: &MapSpec, cpus: u32) -> Sys<MapFd> {
        // SAFETY: no addresses in it.
        let number = unsafe { bpf(cmd::MAP_CREATE, &Attr::map_create(spec).by_token(self.token(), 16, 76)) }?;
        Ok(MapFd::new(fd(number), spec, cpus))
    }

    fn map_update(&mut self, map: &MapFd, key: &[u8], value: &[u8]) -> Sys<()> {
        map.check(key, value)?;
        let attr = Attr::map_elem(map.fd().0, key.as_ptr(), value.as_ptr());
        // SAFETY: the kernel reads key and value by the map's sizes, which `check` compared.
        unsafe { bpf(cmd::MAP_UPDATE_ELEM, &attr) }.map(drop)
    }

    fn map_lookup(&mut self, map: &MapFd, key: &[u8], value: &mut [u8]) -> Sys<()> {
        map.check(key, value)?;
        let attr = Attr::map_elem(map.fd().0, key.as_ptr(), value.as_mut_ptr());
        // SAFETY: the kernel reads the key and writes the value by the map's sizes, which `check` compared.
        unsafe { bpf(cmd::MAP_LOOKUP_ELEM, &attr) }.map(drop)
    }

    fn map_next_key(&mut self, map: &MapFd, key: Option<&[u8]>, next: &mut [u8]) -> Sys<()> {
        let wrong = |k: &[u8]| k.len() != map.key_len();
        if wrong(next) || key.is_some_and(wrong) {
            return Err(Errno::EINVAL);
        }
        let key = key.map_or(core::ptr::null(), <[u8]>::as_ptr);
        let attr = Attr::map_elem(map.fd().0, key, next.as_mut_ptr());
        // SAFETY: the kernel reads and writes a key's bytes; a null key asks for the first.
        unsafe { bpf(cmd::MAP_GET_NEXT_KEY, &attr) }.map(drop)
    }

    fn map_delete(&mut self, map: &MapFd, key: &[u8]) -> Sys<()> {
        if key.len() != map.key_len() {
            return Err(Errno::EINVAL);
        }
        let attr = Attr::map_elem(map.fd().0, key.as_ptr(), core::ptr::null());
        // SAFETY: the kernel reads a key's bytes.
        unsafe { bpf(cmd::MAP_DELETE_ELEM, &attr) }.map(drop)
    }

    fn map_freeze(&mut self, map: Fd) -> Sys<()> {
        // SAFETY: no addresses in it.
        unsafe { bpf(cmd::MAP_FREEZE, &Attr::map_freeze(map.0)) }.map(drop)
    }

    fn prog_load(&mut self, spec: &ProgSpec<'_>, log: Option<&mut [u8]>) -> Sys<Fd> {
        let log = log.map(|l| (l.as_mut_ptr(), l.len()));
        // SAFETY: instructions, license, infos and log are passed with their lengths; the license is NUL-terminated.
        unsafe { bpf(cmd::PROG_LOAD, &Attr::prog_load(spec, log).by_token(self.token(), 44, 144)) }.map(fd)
    }

    fn raw_tracepoint_open(&mut self, name: Option<&CStr>, prog: Fd) -> Sys<Fd> {
        let name = name.map_or(core::ptr::null(), CStr::as_ptr);
        // SAFETY: the name is NUL-terminated, or null.
        unsafe { bpf(cmd::RAW_TRACEPOINT_OPEN, &Attr::raw_tracepoint(name, prog.0)) }.map(fd)
    }

    #[cold]
    fn link_kprobe_multi(
        &mut self,
        prog: Fd,
        attach_type: u32,
        ret: bool,
        names: &[u8],
        places: &mut [u64],
    ) -> Sys<Fd> {
        let mut count = 0usize;
        let mut all = places.iter_mut();
        for name in names.split_inclusive(|&b| b == 0) {
            if name.last() != Some(&0) {
                return Err(Errno::EINVAL);
            }
            *all.next().ok_or(Errno::EINVAL)? = name.as_ptr().expose_provenance() as u64;
            count = count.saturating_add(1);
        }
        let places = places.get(..count).unwrap_or_default();
        // SAFETY: each place is the address of a text in `names` that ends with a NUL.
        unsafe { bpf(cmd::LINK_CREATE, &Attr::link_kprobe_multi(prog.0, attach_type, ret, places)) }.map(fd)
    }

    #[cold]
    fn link_iter(&mut self, prog: Fd) -> Sys<Fd> {
        // SAFETY: no addresses in it.
        unsafe { bpf(cmd::LINK_CREATE, &Attr::link_iter(prog.0)) }.map(fd)
    }

    #[cold]
    fn link_tracing_multi(&mut self, prog: Fd, attach_type: u32, function: u32) -> Sys<Fd> {
        let ids = [function];
        // SAFETY: the kernel reads the ids, as many as it is told.
        unsafe { bpf(cmd::LINK_CREATE, &Attr::link_tracing_multi(prog.0, attach_type, &ids)) }.map(fd)
    }

    #[cold]
    fn iter_create(&mut self, link: Fd) -> Sys<Fd> {
        // SAFETY: no addresses in it.
        unsafe { bpf(cmd::ITER_CREATE, &Attr::iter_create(link.0)) }.map(fd)
    }

    #[cold]
    fn prog_run(&mut self, prog: Fd, context: &mut u64) -> Sys<()> {
        // SAFETY: the kernel reads and writes the eight bytes of the context.
        unsafe { bpf(cmd::PROG_TEST_RUN, &Attr::prog_run(prog.0, context)) }.map(drop)
    }

    fn link_perf(&mut self, prog: Fd, event: Fd, cookie: u64) -> Sys<Fd> {
        // SAFETY: no addresses in it.
        unsafe { bpf(cmd::LINK_CREATE, &Attr::link_perf(prog.0, event.0, cookie)) }.map(fd)
    }

    #[cold]
    fn link_create(&mut self, prog: Fd, spec: &LinkSpec) -> Sys<Fd> {
        // SAFETY: no addresses in it.
        unsafe { bpf(cmd::LINK_CREATE, &Attr::link_create(prog.0, spec)) }.map(fd)
    }

    #[cold]
    fn link_uprobe_multi(&mut self, prog: Fd, spec: &MultiSpec<'_>) -> Sys<Fd> {
        // SAFETY: the path is NUL-terminated, and the offsets are passed with their number.
        unsafe { bpf(cmd::LINK_CREATE, &Attr::link_uprobe_multi(prog.0, spec)) }.map(fd)
    }

    fn link_place(&mut self, prog: Fd, target: Fd, attach_type: u32) -> Sys<Fd> {
        linux_place::link(prog, target, attach_type)
    }

    fn prog_attach(&mut self, prog: Fd, target: Fd, attach_type: u32, multi: bool) -> Sys<()> {
        linux_place::attach(prog, target, attach_type, multi)
    }

    fn prog_detach(&mut self, prog: Fd, target: Fd, attach_type: u32) -> Sys<()> {
        linux_place::detach(prog, target, attach_type)
    }

    fn packet_socket(&mut self, interface: u32) -> Sys<Fd> {
        linux_place::packet_socket(interface)
    }

    fn fd_of_process(&mut self, pid: u32, number: u32) -> Sys<Fd> {
        linux_place::fd_of_process(pid, number)
    }

    fn socket_option(&mut self, socket: Fd, option: u32, value: Fd) -> Sys<()> {
        linux_place::socket_option(socket, option, value)
    }

    fn obj_get(&mut self, path: &CStr) -> Sys<Fd> {
        // SAFETY: the path is NUL-terminated.
        unsafe { bpf(cmd::OBJ_GET, &Attr::obj(path.as_ptr(), 0)) }.map(fd)
    }

    fn map_info(&mut self, map: Fd) -> Sys<MapSpec> {
        // `struct bpf_map_info` up to and with `map_extra`
        let mut info = [0u32; 22];
        let attr = Attr::obj_info(map.0, info.as_mut_ptr(), size_of_val(&info));
        // SAFETY: the kernel writes at most the bytes that the attribute says, which are all of `info`.
        unsafe { bpf(cmd::OBJ_GET_INFO_BY_FD, &attr) }?;
        let [map_type, _, key_size, value_size, max_entries, map_flags, ..] = info;
        let [.., low, high] = info;
        let map_extra = u64::from(low) | u64::from(high) << 32;
        Ok(MapSpec {
            map_type,
            key_size,
            value_size,
            max_entries,
            map_flags,
            map_extra,
            ..MapSpec::default()
        })
    }

    fn obj_pin(&mut self, fd: Fd, path: &CStr) -> Sys<()> {
        linux_names::obj_pin(fd, path)
    }

    fn obj_get_map(&mut self, path: &CStr, cpus: u32) -> Sys<MapFd> {
        linux_names::obj_get_map(path, cpus)
    }

    fn obj_by_id(&mut self, kind: Kind, id: u32) -> Sys<(Fd, [u8; 16])> {
        linux_names::obj_by_id(kind, id)
    }

    fn perf_event_open(&mut self, spec: &PerfSpec<'_>, cpu: u32) -> Sys<Fd> {
        let attr = Attr::perf_event(spec);
        const ALL: usize = -1isize as usize;
        let (pid, cpu) = spec.pid.map_or((ALL, cpu as usize), |pid| (pid as usize, ALL));
        let (attr, no_group) = (attr.as_ptr() as usize, ALL);
        // SAFETY: the attribute has its size in it, and the symbol is NUL-terminated.
        unsafe { syscall(nr::__NR_perf_event_open, attr, pid, cpu, no_group, PERF_CLOEXEC) }.map(fd)
    }

    fn perf_ioctl(&mut self, event: Fd, command: PerfCommand) -> Sys<()> {
        let (request, arg) = match command {
            PerfCommand::Enable => (IOC_ENABLE, 0),
            PerfCommand::SetBpf(prog) => (IOC_SET_BPF, prog.0 as usize),
        };
        // SAFETY: both requests take a number.
        unsafe { syscall(nr::__NR_ioctl, event.0 as usize, request, arg, 0, 0) }.map(drop)
    }

    fn stop_fd(&mut self) -> Sys<Fd> {
        const SIG_BLOCK: usize = 0;
        let (blocked, stop) = (STOP | SIGPIPE, STOP);
        let (new_fd, blocked, stop) =
            (-1isize as usize, &raw const blocked as usize, &raw const stop as usize);
        // SAFETY: the kernel reads a set of 8 bytes.
        unsafe { syscall(nr::__NR_rt_sigprocmask, SIG_BLOCK, blocked, 0, 8, 0) }?;
        // SAFETY: the kernel reads a set of 8 bytes.
        unsafe { syscall(nr::__NR_signalfd4, new_fd, stop, 8, CLOEXEC, 0) }.map(fd)
    }

    fn now(&mut self) -> u64 {
        clock(1)
    }

    fn real_time(&mut self) -> u64 {
        clock(0)
    }

    fn epoll_create(&mut self) -> Sys<Fd> {
        // SAFETY: no addresses in it.
        unsafe { syscall(nr::__NR_epoll_create1, CLOEXEC, 0, 0, 0, 0) }.map(fd)
    }

    fn epoll_add(&mut self, epoll: Fd, fd: Fd, token: u32) -> Sys<()> {
        let data = epoll::EventData::new_u64(token.into());
        Ok(epoll::add(borrowed(epoll), borrowed(fd), data, epoll::EventFlags::IN)?)
    }

    fn epoll_wait(&mut self, epoll: Fd, timeout_ms: Option<u32>) -> Sys<heapless::Vec<u32, 16>> {
        let none = epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) };
        let mut events = [none; 16];
        let timeout = timeout_ms.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX));
        let (first, most) = (events.as_mut_ptr() as usize, events.len());
        // SAFETY: the kernel writes as many `struct epoll_event` as there are places for; there is no signal mask.
        let n = unsafe { syscall(nr::__NR_epoll_pwait, epoll.0 as usize, first, most, timeout as usize, 0) };
        let n = match n {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        let mut tokens = heapless::Vec::new();
        for event in events.iter().take(n as usize) {
            // as many as there are events; collecting would bring the panic for more
            let _ = tokens.push(event.data.u64() as u32);
        }
        Ok(tokens)
    }

    fn writable(&mut self, fd: Fd) -> bool {
        // rustix takes the call with 32-bit times, which a 32-bit kernel need not have (`COMPAT_32BIT_TIME`).
        #[cfg(target_pointer_width = "32")]
        const PPOLL: u32 = nr::__NR_ppoll_time64;
        #[cfg(target_pointer_width = "64")]
        const PPOLL: u32 = nr::__NR_ppoll;
        let mut file = nr::pollfd { fd: fd.0, events: nr::POLLOUT as i16, revents: 0 };
        let mut now = [0u64; 2];
        // A closed pipe is writable too: the write then says EPIPE.
        // SAFETY: the kernel reads and writes one pollfd and a timespec of two 64-bit fields.
        unsafe { syscall(PPOLL, &raw mut file as usize, 1, now.as_mut_ptr() as usize, 0, 0) }
            .is_ok_and(|n| n > 0)
    }
}
