//! The one seam between the loader and the kernel: every system call goes through [`Kernel`].
//!
//! [`Linux`] is the real one (rustix, and raw calls for what rustix lacks). Tests put a fake in its place that can fail any
//! call, so that everything above this module is tested on the host without root.

mod attr;
#[cfg(feature = "privileges")]
mod confine;
mod errno;
mod fd;
mod host;
mod image;
mod linux;
mod linux_names;
mod linux_net;
mod linux_place;
mod map;
mod raw;
mod region;
mod shared;
mod socket;

#[cfg(feature = "privileges")]
pub use confine::calls;
pub use errno::Errno;
pub use fd::Fd;
pub use host::{Carried, Hear, Held, Host, Hosted, MAX_PROGRAMS, MAX_TEXT, unmap};
pub use image::{Image, ROOM};
pub use linux::Linux;
pub use map::{MapFd, MapSpec};
pub use raw::exit;
pub use region::{Region, bytes, slots, until_nul};
pub use shared::Shared;
pub use socket::Address;

use crate::btf_id::AttachTo;
use core::ffi::CStr;

/// What a system call gives.
pub type Sys<T> = Result<T, Errno>;

/// How a file is opened. All descriptors are close-on-exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// For reading.
    Read,
    /// For appending lines, as tracefs's `kprobe_events` wants.
    Append,
    /// For appending, made where it is not there, readable by everyone.
    Create,
}

/// Types of a program's functions and lines, as `BPF_PROG_LOAD` takes them.
#[derive(Clone, Copy, Debug)]
pub struct ProgBtf<'a> {
    /// The loaded BTF.
    pub fd: Fd,
    /// `struct bpf_func_info`, 8 bytes each.
    pub func_info: &'a [u8],
    /// `struct bpf_line_info`, 16 bytes each.
    pub line_info: &'a [u8],
}

/// A program to be loaded: the fields of `union bpf_attr` for `BPF_PROG_LOAD`.
#[derive(Clone, Copy, Debug)]
pub struct ProgSpec<'a> {
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`.
    pub expected_attach_type: u32,
    /// `BPF_F_*`.
    pub prog_flags: u32,
    /// Kernel version that old kernels ask of kprobe programs.
    pub kern_version: u32,
    /// Name, NUL-padded.
    pub name: [u8; 16],
    /// Linked instructions, 8 bytes each.
    pub insns: &'a [u8],
    /// License.
    pub license: &'a CStr,
    /// Types, where the kernel took the BTF.
    pub btf: Option<ProgBtf<'a>>,
    /// What it attaches to by its type.
    pub attach_to: AttachTo,
    /// Descriptors of modules' BTF that calls of their functions refer to by their place; empty where there are none.
    pub fd_array: &'a [i32],
}

/// A perf event: the fields of `struct perf_event_attr` that the loader uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct PerfSpec<'a> {
    /// `PERF_TYPE_*` or the number of a dynamic PMU.
    pub kind: u32,
    /// `config`.
    pub config: u64,
    /// `sample_period`, or `sample_freq` with `freq`.
    pub sample_period: u64,
    /// Whether that many samples are taken a second.
    pub freq: bool,
    /// `PERF_SAMPLE_*`.
    pub sample_type: u64,
    /// `PERF_FORMAT_*`.
    pub read_format: u64,
    /// `wakeup_events`.
    pub wakeup_events: u32,
    /// `kprobe_func` or `uprobe_path`: name of a kernel function for the kprobe PMU, a file for the uprobe PMU.
    pub symbol: Option<&'a CStr>,
    /// `probe_offset`: bytes behind the symbol, or in the file.
    pub offset: u64,
    /// The one process that it is for, on every CPU.
    pub pid: Option<u32>,
}

/// A link to many places of a file: the fields of `union bpf_attr` for `BPF_LINK_CREATE` of `uprobe_multi`.
#[derive(Clone, Copy, Debug)]
pub struct MultiSpec<'a> {
    /// The file.
    pub path: &'a CStr,
    /// Of the instructions in the file.
    pub offsets: &'a [u64],
    /// At the returns (`BPF_F_UPROBE_MULTI_RETURN`).
    pub ret: bool,
    /// The one process that it is for.
    pub pid: Option<u32>,
    /// `BPF_TRACE_UPROBE_MULTI` or `BPF_TRACE_UPROBE_SESSION`.
    pub attach_type: u32,
}

/// A link to what is neither an event nor a place in code: the fields of `union bpf_attr` for `BPF_LINK_CREATE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkSpec {
    /// `target_ifindex` or `target_fd`.
    pub target: u32,
    /// `enum bpf_attach_type`.
    pub attach_type: u32,
    /// `flags`.
    pub flags: u32,
    /// The four words behind the flags, which are another thing for each type.
    pub rest: [u32; 4],
}

/// What is done to a perf event by `ioctl(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerfCommand {
    /// `PERF_EVENT_IOC_ENABLE`
    Enable,
    /// `PERF_EVENT_IOC_SET_BPF` with a program.
    SetBpf(Fd),
}

/// What an id of `bpf(2)` is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program.
    Prog,
    /// A map.
    Map,
}

/// Which kernel runs, as `uname(2)` says; each is cut at 64 bytes.
#[derive(Clone, Debug, Default)]
pub struct Uname {
    /// `uname -r`
    pub release: heapless::String<64>,
    /// `uname -v`
    pub version: heapless::String<64>,
    /// `uname -m`
    pub machine: heapless::String<64>,
}

/// Everything the loader asks of a kernel. Methods are named after the system call or the `bpf(2)` command.
pub trait Kernel {
    /// Whether a program carries the loader inside itself and will ask for variables ([`crate::api`]).
    #[inline(always)]
    fn inside(&self) -> bool {
        false
    }

    /// Whether a pack lies in the executable's own image: the file of [`Image::PACK`].
    #[inline(always)]
    fn embedded(&self) -> bool {
        false
    }

    /// `BPF_TOKEN_CREATE` (6.9) from the bpffs that `bpffs` is the root of; types, maps and programs are made with the token from then on.
    /// A kernel without the feature `privileges` has none.
    #[cold]
    fn take_token(&mut self, bpffs: Fd) -> Sys<Fd> {
        let _ = bpffs;
        Err(Errno::ENOSYS)
    }
    /// Whether there is one.
    #[inline(always)]
    fn has_token(&self) -> bool {
        false
    }
    /// `capset(2)` and `prctl(2)`: leaves none of the process's capabilities but those of `keep`, a bit each, and has no program that it
    /// starts get more.
    #[cold]
    fn keep_capabilities(&mut self, keep: u64) -> Sys<()> {
        let _ = keep;
        Err(Errno::ENOSYS)
    }
    /// `PR_SET_SECCOMP`: leaves the system calls of these groups (`sys::calls`).
    #[cold]
    fn confine(&mut self, groups: u32) -> Sys<()> {
        let _ = groups;
        Err(Errno::ENOSYS)
    }

    /// Hears of a loaded program; whether there is room to remember it.
    #[inline(always)]
    fn loaded(&mut self, program: Held) -> bool {
        let _ = program;
        true
    }

    /// `openat(2)`
    fn open(&mut self, path: &CStr, how: Open) -> Sys<Fd>;
    /// `read(2)`; 0 at the end.
    fn read(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize>;
    /// `pread(2)`; 0 at the end.
    fn read_at(&mut self, fd: Fd, offset: u32, buf: &mut [u8]) -> Sys<usize>;
    /// `getdents64(2)`: whole entries of a directory, 0 at the end.
    fn read_dir(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize>;
    /// `write(2)`, which may write less.
    fn write(&mut self, fd: Fd, bytes: &[u8]) -> Sys<usize>;
    /// `renameat(2)`
    fn rename(&mut self, from: &CStr, to: &CStr) -> Sys<()>;
    /// `socket(2)` and `bind(2)`: rtnetlink, with `RTMGRP_*` as `groups`, which answers with words of its own. Requests are written to
    /// it and answers read.
    fn netlink(&mut self, groups: u32) -> Sys<Fd>;
    /// `socket(2)` and `connect(2)`: one that does not block.
    fn connect(&mut self, to: &Address) -> Sys<Fd>;
    /// `close(2)`. For a link, perf event or program this is what detaches and frees it.
    fn close(&mut self, fd: Fd);
    /// Length of a file, by `lseek(2)` to its end.
    fn file_len(&mut self, fd: Fd) -> Sys<u64>;
    /// `mkdirat(2)`: a folder that only its owner may enter.
    fn mkdir(&mut self, path: &CStr) -> Sys<()>;
    /// `unlinkat(2)` of a file, or of an empty folder.
    fn remove(&mut self, path: &CStr, folder: bool) -> Sys<()>;
    /// `flock(2)` for this open file alone, without waiting: `EAGAIN` where another has it. Ends when the file is closed,
    /// and so with the process, however it ends.
    fn lock(&mut self, fd: Fd) -> Sys<()>;
    /// `uname(2)`
    fn uname(&mut self) -> Uname;
    /// `getpid(2)`
    fn pid(&mut self) -> u32;

    /// Private anonymous zeroed memory; lives until the process ends.
    fn region(&mut self, len: usize) -> Sys<Region>;
    /// Maps `len` bytes of a descriptor from `offset`, shared with the kernel. Lives until the process ends.
    fn map_shared(&mut self, fd: Fd, offset: u32, len: usize, writable: bool) -> Sys<Shared>;
    /// Raises `RLIMIT_MEMLOCK`, which kernels before 5.11 charge maps to.
    fn raise_memlock(&mut self) -> Sys<()>;

    /// `BPF_BTF_LOAD`
    fn btf_load(&mut self, btf: &[u8]) -> Sys<Fd>;
    /// `BPF_MAP_CREATE` on a machine of `cpus` possible CPUs.
    fn map_create(&mut self, spec: &MapSpec, cpus: u32) -> Sys<MapFd>;
    /// `BPF_MAP_UPDATE_ELEM`; `EINVAL` for a key or value that has not the length that [`MapFd`] says.
    fn map_update(&mut self, map: &MapFd, key: &[u8], value: &[u8]) -> Sys<()>;
    /// `BPF_MAP_LOOKUP_ELEM` into `value`; `ENOENT` where there is no entry. Lengths as for `map_update`.
    fn map_lookup(&mut self, map: &MapFd, key: &[u8], value: &mut [u8]) -> Sys<()>;
    /// `BPF_MAP_GET_NEXT_KEY` into `next`: the first key without `key`; `ENOENT` behind the last.
    fn map_next_key(&mut self, map: &MapFd, key: Option<&[u8]>, next: &mut [u8]) -> Sys<()>;
    /// `BPF_MAP_DELETE_ELEM`; `ENOENT` where there is no entry.
    fn map_delete(&mut self, map: &MapFd, key: &[u8]) -> Sys<()>;
    /// `BPF_MAP_FREEZE`: no more changes from user space.
    fn map_freeze(&mut self, map: Fd) -> Sys<()>;
    /// `BPF_PROG_LOAD`, with the verifier's log in `log` where one is given.
    fn prog_load(&mut self, spec: &ProgSpec<'_>, log: Option<&mut [u8]>) -> Sys<Fd>;
    /// `BPF_RAW_TRACEPOINT_OPEN`; without a name for programs that were loaded with what they attach to.
    fn raw_tracepoint_open(&mut self, name: Option<&CStr>, prog: Fd) -> Sys<Fd>;
    /// `BPF_LINK_CREATE` of many kernel functions (5.18), whose names are in `names`, each with a NUL. `places` is memory for as
    /// many addresses; `EINVAL` where it is less.
    fn link_kprobe_multi(
        &mut self,
        prog: Fd,
        attach_type: u32,
        ret: bool,
        names: &[u8],
        places: &mut [u64],
    ) -> Sys<Fd>;
    /// `BPF_LINK_CREATE` of an iterator (5.8).
    fn link_iter(&mut self, prog: Fd) -> Sys<Fd>;
    /// `BPF_LINK_CREATE` of a function by its id in the kernel's BTF (7.2): `BPF_TRACE_FENTRY_MULTI` and its like.
    fn link_tracing_multi(&mut self, prog: Fd, attach_type: u32, function: u32) -> Sys<Fd>;
    /// `BPF_ITER_CREATE`: what reads the iterator's text.
    fn iter_create(&mut self, link: Fd) -> Sys<Fd>;
    /// `BPF_PROG_TEST_RUN` of a `BPF_PROG_TYPE_SYSCALL` program with a context of eight bytes, which it may change.
    fn prog_run(&mut self, prog: Fd, context: &mut u64) -> Sys<()>;
    /// `BPF_LINK_CREATE` of a perf event (5.15), with what `bpf_get_attach_cookie` gives the program.
    fn link_perf(&mut self, prog: Fd, event: Fd, cookie: u64) -> Sys<Fd>;
    /// `BPF_LINK_CREATE` of other kinds.
    fn link_create(&mut self, prog: Fd, spec: &LinkSpec) -> Sys<Fd>;
    /// `BPF_LINK_CREATE` of `uprobe_multi` (6.6).
    fn link_uprobe_multi(&mut self, prog: Fd, spec: &MultiSpec<'_>) -> Sys<Fd>;

    /// `BPF_LINK_CREATE` to a cgroup (5.7), a network namespace (5.8) or a sockmap (6.10), whose descriptor is `target`.
    fn link_place(&mut self, prog: Fd, target: Fd, attach_type: u32) -> Sys<Fd>;
    /// `BPF_PROG_ATTACH`, which lasts until it is undone; of a cgroup beside others (`BPF_F_ALLOW_MULTI`) where `multi` says so.
    fn prog_attach(&mut self, prog: Fd, target: Fd, attach_type: u32, multi: bool) -> Sys<()>;
    /// `BPF_PROG_DETACH`
    fn prog_detach(&mut self, prog: Fd, target: Fd, attach_type: u32) -> Sys<()>;
    /// A packet socket (`packet(7)`) of all protocols, on the interface of this number or, for 0, on all.
    fn packet_socket(&mut self, interface: u32) -> Sys<Fd>;
    /// `pidfd_open(2)` and `pidfd_getfd(2)` (5.6): what a process has under one of its descriptors.
    fn fd_of_process(&mut self, pid: u32, number: u32) -> Sys<Fd>;
    /// `setsockopt(2)` of an option of `SOL_SOCKET` to a descriptor.
    fn socket_option(&mut self, socket: Fd, option: u32, value: Fd) -> Sys<()>;

    /// `BPF_OBJ_PIN` of a map, program or link (5.7) in a bpffs. `EINVAL` for what is none of them, `EPERM` for another file
    /// system.
    fn obj_pin(&mut self, fd: Fd, path: &CStr) -> Sys<()>;
    /// `BPF_OBJ_GET`: what is pinned there. `EACCES` for a file that is no pin.
    fn obj_get(&mut self, path: &CStr) -> Sys<Fd>;
    /// `BPF_OBJ_GET_INFO_BY_FD` of a map: what it was created of, without types and name.
    fn map_info(&mut self, map: Fd) -> Sys<MapSpec>;
    /// `BPF_OBJ_GET` of a pinned map, on a machine of `cpus` possible CPUs.
    fn obj_get_map(&mut self, path: &CStr, cpus: u32) -> Sys<MapFd>;
    /// `BPF_PROG_GET_FD_BY_ID` or `BPF_MAP_GET_FD_BY_ID`, with its name, NUL-padded.
    fn obj_by_id(&mut self, kind: Kind, id: u32) -> Sys<(Fd, [u8; 16])>;

    /// `perf_event_open(2)` of all processes on one CPU, or of one process.
    fn perf_event_open(&mut self, spec: &PerfSpec<'_>, cpu: u32) -> Sys<Fd>;
    /// `ioctl(2)` on a perf event.
    fn perf_ioctl(&mut self, event: Fd, command: PerfCommand) -> Sys<()>;

    /// Blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE; gives a `signalfd(2)` that the first three make readable.
    fn stop_fd(&mut self) -> Sys<Fd>;
    /// `CLOCK_MONOTONIC` in nanoseconds.
    fn now(&mut self) -> u64;
    /// `CLOCK_REALTIME` in nanoseconds since 1970.
    fn real_time(&mut self) -> u64;
    /// `epoll_create1(2)`
    fn epoll_create(&mut self) -> Sys<Fd>;
    /// Adds `fd` for reading; [`Kernel::epoll_wait`] gives `token` back.
    fn epoll_add(&mut self, epoll: Fd, fd: Fd, token: u32) -> Sys<()>;
    /// Waits for what becomes readable, up to `timeout_ms` (`None` for ever), and gives the tokens. Empty after the time
    /// and after a signal.
    fn epoll_wait(&mut self, epoll: Fd, timeout_ms: Option<u32>) -> Sys<heapless::Vec<u32, 16>>;
    /// Whether a write to `fd` of 4096 bytes or less would not block: `poll(2)` without waiting.
    fn writable(&mut self, fd: Fd) -> bool;
}
