//! Words for options of the kernel's configuration whose lack a device can tell from what fails. The image builder's table of
//! all options says the same of these, so a person reads one text in both places.

use crate::text;

/// `CONFIG_BPF_SYSCALL`
pub static BPF_SYSCALL: &str = text!("CONFIG_BPF_SYSCALL, for the bpf(2) system call");
/// `CONFIG_BPF_EVENTS`
pub static BPF_EVENTS: &str = text!("CONFIG_BPF_EVENTS, for programs on events");
/// `CONFIG_PERF_EVENTS`
pub static PERF_EVENTS: &str = text!("CONFIG_PERF_EVENTS, for the perf event that a program is attached by");
/// `CONFIG_EVENT_TRACING`
pub static EVENT_TRACING: &str = text!("CONFIG_EVENT_TRACING, for tracepoints as events");
/// `CONFIG_FTRACE_SYSCALLS`
pub static FTRACE_SYSCALLS: &str = text!("CONFIG_FTRACE_SYSCALLS, for a tracepoint for each system call");
/// `CONFIG_KPROBE_EVENTS`
pub static KPROBE_EVENTS: &str = text!("CONFIG_KPROBE_EVENTS, for probes of kernel functions as events");
/// `CONFIG_BLOCK`
pub static BLOCK: &str = text!("CONFIG_BLOCK, for tracepoints of block devices");
/// `CONFIG_INET`
pub static INET: &str = text!("CONFIG_INET, for tracepoints of TCP/IP");
/// `CONFIG_EXT4_FS`
pub static EXT4_FS: &str =
    text!("CONFIG_EXT4_FS, for tracepoints of ext4, which a module has only while it is loaded");
/// `CONFIG_UPROBE_EVENTS`
pub static UPROBE_EVENTS: &str =
    text!("CONFIG_UPROBE_EVENTS, for probes of programs in user space as events");
/// `CONFIG_DEBUG_INFO_BTF`
pub static DEBUG_INFO_BTF: &str = text!("CONFIG_DEBUG_INFO_BTF, for the kernel's own types");
/// `CONFIG_FPROBE`
pub static FPROBE: &str = text!("CONFIG_FPROBE, for probes of many kernel functions at once");

/// All of them.
pub static ALL: [&str; 12] = [
    BPF_SYSCALL,
    BPF_EVENTS,
    PERF_EVENTS,
    EVENT_TRACING,
    FTRACE_SYSCALLS,
    KPROBE_EVENTS,
    BLOCK,
    INET,
    EXT4_FS,
    UPROBE_EVENTS,
    DEBUG_INFO_BTF,
    FPROBE,
];
