//! What a process gives up for good: capabilities, and system calls (a seccomp filter in classic BPF).
//!
//! The filter is made of a table of system calls, each with the groups that it belongs to ([`calls`]); a run turns on those groups that
//! it has a use for. What is not allowed fails with `EPERM`: were the loader killed, what it attached by name (probes in tracefs,
//! filters on interfaces) would stay behind. A call by another architecture's numbers, of which the loader makes none, ends the process.
//! Sources: `Documentation/userspace-api/seccomp_filter.rst`, `capabilities(7)`, `prctl(2)`.

use super::attr::cmd;
use super::raw::syscall;
use super::{Errno, Sys};
use heapless::Vec;
use linux_raw_sys::general as nr;

/// Groups of system calls, a bit each.
#[allow(missing_docs, reason = "the table below says what each allows")]
pub mod calls {
    pub const ALWAYS: u32 = 1;
    /// To read files, or to write to one again.
    pub const FILES: u32 = 2;
    /// To rename and remove files.
    pub const NAMES: u32 = 4;
    /// To connect a socket again.
    pub const SOCKETS: u32 = 8;
    /// To remove the folder of a service.
    pub const SERVICE: u32 = 16;
    /// To attach again to an interface.
    pub const FOLLOW: u32 = 32;
    /// To undo what has no link.
    pub const HELD: u32 = 64;
}
use calls::{ALWAYS, FILES, FOLLOW, HELD, NAMES, SERVICE, SOCKETS};

/// `AUDIT_ARCH_*`, `include/uapi/linux/audit.h`.
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const ARCH: u32 = 0xc000_00f3;
#[cfg(target_arch = "arm")]
const ARCH: u32 = 0x4000_0028;

/// What has another number where pointers have 32 bits.
#[cfg(target_pointer_width = "64")]
mod native {
    pub(super) use super::nr::{
        __NR_clock_gettime as CLOCK_GETTIME, __NR_lseek as LSEEK, __NR_mmap as MMAP, __NR_ppoll as PPOLL,
    };
}
#[cfg(target_pointer_width = "32")]
mod native {
    pub(super) use super::nr::{
        __NR__llseek as LSEEK, __NR_clock_gettime64 as CLOCK_GETTIME, __NR_mmap2 as MMAP,
        __NR_ppoll_time64 as PPOLL,
    };
}
use native::{CLOCK_GETTIME, LSEEK, MMAP, PPOLL};

/// The system calls, the most frequent first.
static CALLS: [(u16, u8); 23] = [
    (nr::__NR_epoll_pwait as u16, ALWAYS as u8),
    (PPOLL as u16, ALWAYS as u8),
    (nr::__NR_write as u16, ALWAYS as u8),
    (CLOCK_GETTIME as u16, ALWAYS as u8),
    (nr::__NR_read as u16, ALWAYS as u8),
    (nr::__NR_close as u16, ALWAYS as u8),
    // of a perf event or link that is closed, and of memory that is
    (nr::__NR_munmap as u16, ALWAYS as u8),
    (nr::__NR_getpid as u16, ALWAYS as u8),
    (nr::__NR_exit_group as u16, ALWAYS as u8),
    (nr::__NR_exit as u16, ALWAYS as u8),
    // after a stop (SIGSTOP, SIGCONT) the kernel has the process make it
    (nr::__NR_restart_syscall as u16, ALWAYS as u8),
    (nr::__NR_openat as u16, FILES as u8),
    (nr::__NR_pread64 as u16, FILES as u8),
    (LSEEK as u16, FILES as u8),
    (nr::__NR_renameat2 as u16, NAMES as u8),
    (nr::__NR_unlinkat as u16, NAMES as u8),
    (nr::__NR_getdents64 as u16, (SERVICE | FOLLOW) as u8),
    (nr::__NR_flock as u16, SERVICE as u8),
    (nr::__NR_epoll_create1 as u16, SERVICE as u8),
    (nr::__NR_socket as u16, (SOCKETS | FOLLOW) as u8),
    (nr::__NR_connect as u16, SOCKETS as u8),
    (nr::__NR_bind as u16, FOLLOW as u8),
    (nr::__NR_setsockopt as u16, (FOLLOW | HELD) as u8),
];

/// The commands of `bpf(2)`.
static COMMANDS: [(u8, u8); 10] = [
    (cmd::MAP_LOOKUP_ELEM as u8, ALWAYS as u8),
    (cmd::MAP_GET_NEXT_KEY as u8, ALWAYS as u8),
    (cmd::MAP_UPDATE_ELEM as u8, ALWAYS as u8),
    (cmd::MAP_DELETE_ELEM as u8, ALWAYS as u8),
    (cmd::PROG_DETACH as u8, HELD as u8),
    (cmd::OBJ_GET as u8, (SERVICE | FOLLOW) as u8),
    (cmd::OBJ_GET_INFO_BY_FD as u8, (SERVICE | FOLLOW) as u8),
    (cmd::PROG_GET_FD_BY_ID as u8, FOLLOW as u8),
    (cmd::OBJ_PIN as u8, FOLLOW as u8),
    (cmd::LINK_CREATE as u8, FOLLOW as u8),
];

/// `struct sock_filter`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Insn {
    code: u16,
    yes: u8,
    no: u8,
    k: u32,
}

/// Instructions of the longest filter, and some: two for each call and command, and ten.
const MAX_INSNS: usize = 80;
type Filter = Vec<Insn, MAX_INSNS>;

/// `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K`, `BPF_JMP | BPF_JSET | BPF_K`, `BPF_RET | BPF_K`
const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const ANY_OF: u16 = 0x45;
const RETURN: u16 = 0x06;
/// Offsets in `struct seccomp_data`; of arguments that of the lower half, as all our architectures are little-endian.
const AT_NUMBER: u32 = 0;
const AT_ARCH: u32 = 4;
const AT_FIRST: u32 = 16;
const AT_THIRD: u32 = 32;
/// `SECCOMP_RET_ALLOW`, `SECCOMP_RET_ERRNO` with `EPERM`, `SECCOMP_RET_KILL_PROCESS`
const ALLOW: u32 = 0x7fff_0000;
const REFUSE: u32 = 0x0005_0001;
const KILL: u32 = 0x8000_0000;
/// `PROT_EXEC`
const EXECUTABLE: u32 = 4;

/// The filter that allows these groups.
#[cold]
fn filter(groups: u32) -> Filter {
    let mut filter = Filter::new();
    // there is room for all of it, as a test shows; a filter that is cut short is none to the kernel
    let mut add = |code, k, yes, no| {
        let _ = filter.push(Insn { code, yes, no, k });
    };
    let groups = groups | ALWAYS;
    add(LOAD, AT_ARCH, 0, 0);
    add(EQUAL, ARCH, 1, 0);
    add(RETURN, KILL, 0, 0);
    add(LOAD, AT_NUMBER, 0, 0);
    for &(number, of) in &CALLS {
        if groups & u32::from(of) != 0 {
            add(EQUAL, number.into(), 0, 1);
            add(RETURN, ALLOW, 0, 0);
        }
    }
    // memory that is not to be run
    add(EQUAL, MMAP, 0, 4);
    add(LOAD, AT_THIRD, 0, 0);
    add(ANY_OF, EXECUTABLE, 1, 0);
    add(RETURN, ALLOW, 0, 0);
    add(RETURN, REFUSE, 0, 0);
    add(EQUAL, nr::__NR_bpf, 1, 0);
    add(RETURN, REFUSE, 0, 0);
    add(LOAD, AT_FIRST, 0, 0);
    for &(command, of) in &COMMANDS {
        if groups & u32::from(of) != 0 {
            add(EQUAL, command.into(), 0, 1);
            add(RETURN, ALLOW, 0, 0);
        }
    }
    add(RETURN, REFUSE, 0, 0);
    filter
}

const PR_SET_SECCOMP: usize = 22;
const SECCOMP_MODE_FILTER: usize = 2;
const PR_CAPBSET_DROP: usize = 24;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const PR_CAP_AMBIENT: usize = 47;
const PR_CAP_AMBIENT_CLEAR_ALL: usize = 4;
/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits.
const VERSION_3: u32 = 0x2008_0522;

#[cold]
fn prctl(option: usize, a: usize, b: usize) -> Sys<u32> {
    // SAFETY: whoever hands over an address says why it is valid.
    unsafe { syscall(nr::__NR_prctl, option, a, b, 0, 0) }
}

/// Installs the filter, for all that the process still does.
#[cold]
#[inline(never)]
pub(super) fn confine(groups: u32) -> Sys<()> {
    let filter = filter(groups);
    // `struct sock_fprog`: a length of 16 bits, then an address
    let program = [filter.len(), filter.as_ptr().expose_provenance()];
    // the kernel reads the program and the instructions before it returns
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (&raw const program).expose_provenance()).map(drop)
}

/// Gives up all capabilities but `keep`, of those that the process has; and that any program that it might start has more.
#[cold]
#[inline(never)]
pub(super) fn keep_capabilities(keep: u64) -> Sys<()> {
    for number in 0..64u32 {
        if keep >> number & 1 == 0 {
            match prctl(PR_CAPBSET_DROP, number as usize, 0) {
                // without CAP_SETPCAP; what follows is as good
                Ok(_) | Err(Errno::EPERM) => {}
                // the kernel has no more
                Err(_) => break,
            }
        }
    }
    // before 4.3 there are none
    let _ = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0)?;
    let header = [VERSION_3, 0];
    let at = (&raw const header).expose_provenance();
    // effective, permitted and inheritable of the lower 32, then of the upper
    let mut sets = [0u32; 6];
    let data = (&raw mut sets).expose_provenance();
    // SAFETY: the kernel reads the header and writes two structures of three words.
    unsafe { syscall(nr::__NR_capget, at, data, 0, 0, 0) }?;
    let halves = [keep as u32, (keep >> 32) as u32];
    for (set, keep) in sets.as_chunks_mut::<3>().0.iter_mut().zip(halves) {
        let left = set[1] & keep;
        *set = [left, left, 0];
    }
    // SAFETY: the kernel reads the header and two structures of three words.
    unsafe { syscall(nr::__NR_capset, at, data, 0, 0, 0) }.map(drop)
}

#[cfg(test)]
mod tests;
