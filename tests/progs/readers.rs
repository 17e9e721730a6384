//! readers: who reads how much, of which file system. A program in Rust, one object for every kernel and architecture.
//!
//! Maps and events are aya-ebpf's. What the kernel has, wherever it has it, is read by functions of kernel.c: members, registers (those
//! of aya-ebpf's contexts are of one architecture), configuration, and a kernel function that only some kernels have.
#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use aya_ebpf::btf_maps::{HashMap, RingBuf};
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task};
use aya_ebpf::macros::{btf_map, kprobe};
use aya_ebpf::programs::ProbeContext;

/// How the parent was read.
#[repr(u32)]
pub enum Way {
    Probed,
    Cast,
}

#[repr(C)]
pub struct Event {
    pid: u32,
    parent: u32,
    /// `s_magic` of the file system.
    file_system: u64,
    bytes: u64,
    /// Of this process's reads the how manieth.
    nth: u32,
    version: u32,
    hz: u32,
    way: Way,
    preempts: bool,
    comm: [u8; 16],
}

unsafe extern "C" {
    safe fn first_argument(registers: *const c_void) -> u64;
    safe fn third_argument(registers: *const c_void) -> u64;
    safe fn file_system(file: u64) -> u64;
    safe fn can_cast() -> bool;
    safe fn parent_of(task: u64) -> u32;
    safe fn kernel_version() -> u32;
    safe fn kernel_hz() -> u32;
    safe fn kernel_preempts() -> bool;
}

#[btf_map]
static EVENTS: RingBuf<Event, 65536> = RingBuf::new();

/// Reads of each process.
#[btf_map]
static READS: HashMap<u32, u32, 1024> = HashMap::new();

/// Reads of fewer bytes are not shown.
#[unsafe(no_mangle)]
static LEAST: u64 = 0;

#[kprobe(function = "vfs_read")]
pub fn reads(context: ProbeContext) -> u32 {
    read(context)
}

/// Where the kernel refuses a probe at a function's first instruction (6.12 on RISC-V).
#[kprobe(function = "vfs_read", offset = "8")]
pub fn reads_later(context: ProbeContext) -> u32 {
    read(context)
}

#[inline(always)]
fn read(context: ProbeContext) -> u32 {
    let bytes = third_argument(context.as_ptr());
    // SAFETY: a static; volatile, since the loader sets it.
    if bytes < unsafe { core::ptr::read_volatile(&raw const LEAST) } {
        return 0;
    }
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: a copy of a number, whose entry nobody deletes.
    let nth = unsafe { READS.get(pid) }.map_or(1, |reads| reads + 1);
    if READS.insert(pid, nth, 0).is_err() {
        return 0;
    }
    let Some(mut event) = EVENTS.reserve(0) else { return 0 };
    event.write(Event {
        pid,
        // SAFETY: a helper without conditions.
        parent: parent_of(unsafe { bpf_get_current_task() }),
        file_system: file_system(first_argument(context.as_ptr())),
        bytes,
        nth,
        version: kernel_version(),
        hz: kernel_hz(),
        way: if can_cast() { Way::Cast } else { Way::Probed },
        preempts: kernel_preempts(),
        comm: bpf_get_current_comm().unwrap_or_default(),
    });
    event.submit(0);
    0
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0";

/// Nothing comes here: the kernel refuses a program that may loop for ever.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
