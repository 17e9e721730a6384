//! What programs are attached to.

use serde::{Deserialize, Serialize};

/// What a program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attach<'a> {
    /// Nothing: it is loaded only (tail-call targets, `syscall`).
    None,
    /// A kernel function's entry, or its return.
    Kprobe {
        /// Function name.
        symbol: &'a str,
        /// Bytes behind its start.
        offset: u32,
        /// At the return instead.
        ret: bool,
    },
    /// `events/CATEGORY/NAME` of tracefs.
    Tracepoint {
        /// Its folder.
        category: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A tracepoint's arguments as they are passed.
    RawTracepoint {
        /// Its name.
        name: &'a str,
    },
    /// Attachments that this version's loader cannot make, by section name.
    Other {
        /// The SEC() name.
        section: &'a str,
    },
    /// Every kernel function that fits a pattern, at once (`BPF_TRACE_KPROBE_MULTI`, `BPF_TRACE_KPROBE_SESSION`).
    KprobeMulti {
        /// Name in which `*` stands for any text and `?` for any character.
        pattern: &'a str,
        /// At the returns instead.
        ret: bool,
    },
    /// The kernel's function of a system call, whose name the architecture and configuration decide.
    Ksyscall {
        /// The system call, as `openat`.
        name: &'a str,
        /// At the return instead.
        ret: bool,
    },
    /// A function or tracepoint by its type in the kernel's BTF, as `tp_btf`, `fentry`, `fexit`, `fmod_ret`, `lsm` and `iter`
    /// programs: `expected_attach_type` says which.
    Trace {
        /// The module whose BTF has it; empty for any.
        module: &'a str,
        /// Name, without the prefix that its kind has in BTF (`btf_trace_`, `bpf_lsm_`, `bpf_iter_`).
        name: &'a str,
    },
    /// Instructions of a file in user space.
    Uprobe {
        /// The file, or a name that is looked for as the dynamic linker and the shell do; empty where only the device's
        /// command line says.
        path: &'a str,
        /// Symbol, or for several (`BPF_TRACE_UPROBE_MULTI`) a pattern as of [`Attach::KprobeMulti`]; empty for an offset in the
        /// file.
        symbol: &'a str,
        /// Bytes behind the symbol's start.
        offset: u64,
        /// At the return instead.
        ret: bool,
    },
    /// A probe that a program's author put there (`.note.stapsdt`).
    Usdt {
        /// The file, as of [`Attach::Uprobe`].
        path: &'a str,
        /// The probe's provider.
        provider: &'a str,
        /// The probe.
        name: &'a str,
    },
    /// Samples of a counter, on every CPU.
    PerfEvent {
        /// `PERF_TYPE_*`.
        kind: u32,
        /// `config` of `struct perf_event_attr`.
        config: u64,
        /// Events to a sample, or samples a second.
        sample: u64,
        /// Whether `sample` is samples a second.
        freq: bool,
    },
    /// Something that takes programs by its name or number, such as a cgroup.
    Place {
        /// What it is.
        kind: Place,
        /// Which one: a path, a map's name, an interface, a process and its descriptor; empty where only the device's command line says,
        /// or the kind has one that is meant without a word.
        path: &'a str,
        /// Of programs that attach by a hook too (`lsm_cgroup`), its name without `bpf_lsm_`; else empty.
        hook: &'a str,
    },
    /// A network device or a hook of netfilter: [`crate::device::Kind`] says which by the types.
    Device {
        /// The place, as [`crate::device::Place`] reads it; empty where only the device's command line says.
        place: &'a str,
    },
}

/// What a program is attached to by a name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// A cgroup of version 2: its folder.
    Cgroup,
    /// A network namespace: its file; empty for the loader's own.
    Netns,
    /// A sockmap or sockhash of the object, by its name.
    SockMap,
    /// A packet socket that the loader opens on an interface, or on all where that is empty; or a process's socket, as `PID/FD`.
    Socket,
    /// The group of sockets (`SO_REUSEPORT`) that a process's socket is of, as `PID/FD`.
    Reuseport,
    /// A device of infrared remote controls: its file.
    Lirc,
}
