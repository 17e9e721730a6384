//! NAME: processes that begin, and who began them. One object for every kernel and architecture.
//!
//! Change `Event` as you like: the manifest, NAME.toml, names that struct, and corelet prints its members. What the kernel's types
//! hold is read in kernel.c; GUIDE.md of corelet has the rules by which such a program survives kernels.
#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::btf_maps::RingBuf;
use aya_ebpf::helpers::bpf_get_current_comm;
use aya_ebpf::macros::{btf_map, raw_tracepoint};
use aya_ebpf::programs::RawTracePointContext;

#[repr(C)]
pub struct Event {
    pid: u32,
    parent: u32,
    comm: [u8; 16],
}

/// A `struct task_struct` of the kernel.
type Task = *const c_void;

// Functions of kernel.c. Any pointer serves: where nothing can be read they give 0.
unsafe extern "C" {
    safe fn task_pid(task: Task) -> u32;
    safe fn task_parent(task: Task) -> u32;
}

#[btf_map]
static EVENTS: RingBuf<Event, 16384> = RingBuf::new();

/// Set by `corelet-loader run NAME.pack --set ONLY=PID`: only children of this process; all if 0.
#[unsafe(no_mangle)]
static ONLY: u32 = 0;

#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn begins(context: RawTracePointContext) -> i32 {
    let task: Task = context.arg(0);
    let parent = task_parent(task);
    // SAFETY: a static; volatile, since what the compiler sees is not what is there when it runs.
    let only = unsafe { core::ptr::read_volatile(&raw const ONLY) };
    if only != 0 && parent != only {
        return 0;
    }
    let Some(mut event) = EVENTS.reserve(0) else { return 0 };
    let comm = bpf_get_current_comm().unwrap_or_default();
    event.write(Event { pid: task_pid(task), parent, comm });
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
