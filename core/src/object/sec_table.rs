//! Which SEC() names there are, and what each makes of a program. New kinds of programs are new rows.
//! Source: `section_defs`, libbpf `src/libbpf.c`; numbers of `include/uapi/linux/bpf.h`.

/// `prog_flags`: the program may sleep.
pub const BPF_F_SLEEPABLE: u32 = 1 << 4;
/// `prog_flags`: the program takes packets in fragments.
pub const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

use crate::pack::Place;

/// What stands behind the name, and what it is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing more; it is loaded only.
    Alone,
    /// Nothing more; attached to a network device, or to a hook of netfilter.
    Device,
    /// Nothing more; attached by ways that are not modelled yet.
    Exact,
    /// Nothing more; attached to such a place, which others name.
    At(Place),
    /// Nothing or `/HOOK`; the same by a hook of LSM.
    Hook(Place),
    /// Nothing or `/MEMBER`; loaded only, for a map of struct_ops has it.
    Member,
    /// Nothing or `/SYMBOL`, with `+OFFSET` for entries.
    Kprobe { ret: bool },
    /// Nothing or `/PATTERN`.
    KprobeMulti { ret: bool },
    /// Nothing or `/SYSCALL`.
    Ksyscall { ret: bool },
    /// Nothing or `/PATH:SYMBOL`, with `+OFFSET`, or `/PATH:OFFSET`.
    Uprobe { ret: bool },
    /// Nothing or `/PATH:PATTERN`.
    UprobeMulti { ret: bool },
    /// Nothing or `/PATH:PROVIDER:NAME`.
    Usdt,
    /// Nothing or `/CATEGORY/NAME`.
    Tracepoint,
    /// Nothing or `/NAME`.
    RawTracepoint,
    /// Nothing or `/NAME`, or `/MODULE:NAME`.
    Trace,
    /// Nothing or `/NAME`; a pattern of several names is attached by ways that are not modelled yet.
    TraceMulti,
}

/// A row: name, form, `enum bpf_prog_type`, `enum bpf_attach_type`, `prog_flags`.
pub(super) struct Row(
    pub(super) &'static str,
    pub(super) Form,
    pub(super) u32,
    pub(super) u32,
    pub(super) u32,
);

use Form::{Alone, Device, Exact, Hook, Member, RawTracepoint, Trace, TraceMulti, Tracepoint, Usdt};
const ENTRY: Form = Form::Kprobe { ret: false };
const RETURN: Form = Form::Kprobe { ret: true };
const MULTI: Form = Form::KprobeMulti { ret: false };
const MULTI_RETURN: Form = Form::KprobeMulti { ret: true };
const SYSCALL: Form = Form::Ksyscall { ret: false };
const SYSCALL_RETURN: Form = Form::Ksyscall { ret: true };
const UENTRY: Form = Form::Uprobe { ret: false };
const URETURN: Form = Form::Uprobe { ret: true };
const UMULTI: Form = Form::UprobeMulti { ret: false };
const UMULTI_RETURN: Form = Form::UprobeMulti { ret: true };
const CGROUP: Form = Form::At(Place::Cgroup);
const NETNS: Form = Form::At(Place::Netns);
const SOCKMAP: Form = Form::At(Place::SockMap);
const SOCKET: Form = Form::At(Place::Socket);
const REUSEPORT: Form = Form::At(Place::Reuseport);
const LIRC: Form = Form::At(Place::Lirc);
const SLEEP: u32 = BPF_F_SLEEPABLE;
const FRAGS: u32 = BPF_F_XDP_HAS_FRAGS;

/// The rows, all 116 of libbpf 1.8; the first that fits counts.
pub(super) const ROWS: &[Row] = &[
    Row("tracepoint", Tracepoint, 5, 0, 0),
    Row("tracepoint.s", Tracepoint, 5, 0, SLEEP),
    Row("tp", Tracepoint, 5, 0, 0),
    Row("tp.s", Tracepoint, 5, 0, SLEEP),
    Row("raw_tracepoint.w", RawTracepoint, 24, 0, 0),
    Row("raw_tp.w", RawTracepoint, 24, 0, 0),
    Row("raw_tracepoint", RawTracepoint, 17, 0, 0),
    Row("raw_tracepoint.s", RawTracepoint, 17, 0, SLEEP),
    Row("raw_tp", RawTracepoint, 17, 0, 0),
    Row("raw_tp.s", RawTracepoint, 17, 0, SLEEP),
    Row("kprobe", ENTRY, 2, 0, 0),
    Row("kretprobe", RETURN, 2, 0, 0),
    Row("kprobe.multi", MULTI, 2, 42, 0),
    Row("kretprobe.multi", MULTI_RETURN, 2, 42, 0),
    Row("kprobe.session", MULTI, 2, 56, 0),
    Row("ksyscall", SYSCALL, 2, 0, 0),
    Row("kretsyscall", SYSCALL_RETURN, 2, 0, 0),
    Row("uprobe", UENTRY, 2, 0, 0),
    Row("uprobe.s", UENTRY, 2, 0, SLEEP),
    Row("uretprobe", URETURN, 2, 0, 0),
    Row("uretprobe.s", URETURN, 2, 0, SLEEP),
    Row("uprobe.multi", UMULTI, 2, 48, 0),
    Row("uprobe.multi.s", UMULTI, 2, 48, SLEEP),
    Row("uretprobe.multi", UMULTI_RETURN, 2, 48, 0),
    Row("uretprobe.multi.s", UMULTI_RETURN, 2, 48, SLEEP),
    Row("uprobe.session", UMULTI, 2, 57, 0),
    Row("uprobe.session.s", UMULTI, 2, 57, SLEEP),
    Row("usdt", Usdt, 2, 0, 0),
    Row("usdt.s", Usdt, 2, 0, SLEEP),
    Row("tp_btf", Trace, 26, 23, 0),
    Row("tp_btf.s", Trace, 26, 23, SLEEP),
    Row("fentry", Trace, 26, 24, 0),
    Row("fentry.s", Trace, 26, 24, SLEEP),
    Row("fexit", Trace, 26, 25, 0),
    Row("fexit.s", Trace, 26, 25, SLEEP),
    Row("fmod_ret", Trace, 26, 26, 0),
    Row("fmod_ret.s", Trace, 26, 26, SLEEP),
    Row("fsession", Trace, 26, 58, 0),
    Row("fsession.s", Trace, 26, 58, SLEEP),
    Row("fentry.multi", TraceMulti, 26, 59, 0),
    Row("fentry.multi.s", TraceMulti, 26, 59, SLEEP),
    Row("fexit.multi", TraceMulti, 26, 60, 0),
    Row("fexit.multi.s", TraceMulti, 26, 60, SLEEP),
    Row("fsession.multi", TraceMulti, 26, 61, 0),
    Row("fsession.multi.s", TraceMulti, 26, 61, SLEEP),
    Row("iter", Trace, 26, 28, 0),
    Row("iter.s", Trace, 26, 28, SLEEP),
    Row("freplace", Trace, 28, 0, 0),
    Row("lsm", Trace, 29, 27, 0),
    Row("lsm.s", Trace, 29, 27, SLEEP),
    Row("lsm_cgroup", Hook(Place::Cgroup), 29, 43, 0),
    Row("struct_ops", Member, 27, 0, 0),
    Row("struct_ops.s", Member, 27, 0, SLEEP),
    Row("syscall", Alone, 31, 0, SLEEP),
    Row("perf_event", Exact, 7, 0, 0),
    Row("socket", SOCKET, 1, 0, 0),
    Row("xdp", Device, 6, 37, 0),
    Row("xdp.frags", Device, 6, 37, FRAGS),
    Row("xdp/devmap", Alone, 6, 33, 0),
    Row("xdp.frags/devmap", Alone, 6, 33, FRAGS),
    Row("xdp/cpumap", Alone, 6, 35, 0),
    Row("xdp.frags/cpumap", Alone, 6, 35, FRAGS),
    Row("tc", Device, 3, 0, 0),
    Row("classifier", Device, 3, 0, 0),
    Row("action", Device, 4, 0, 0),
    Row("tc/ingress", Device, 3, 46, 0),
    Row("tc/egress", Device, 3, 47, 0),
    Row("tcx/ingress", Device, 3, 46, 0),
    Row("tcx/egress", Device, 3, 47, 0),
    Row("netkit/primary", Device, 3, 54, 0),
    Row("netkit/peer", Device, 3, 55, 0),
    Row("lwt_in", Alone, 10, 0, 0),
    Row("lwt_out", Alone, 11, 0, 0),
    Row("lwt_xmit", Alone, 12, 0, 0),
    Row("lwt_seg6local", Alone, 19, 0, 0),
    Row("sk_reuseport/migrate", REUSEPORT, 21, 40, 0),
    Row("sk_reuseport", REUSEPORT, 21, 39, 0),
    Row("sockops", CGROUP, 13, 3, 0),
    Row("sk_skb/stream_parser", SOCKMAP, 14, 4, 0),
    Row("sk_skb/stream_verdict", SOCKMAP, 14, 5, 0),
    Row("sk_skb/verdict", SOCKMAP, 14, 38, 0),
    Row("sk_skb", Exact, 14, 0, 0),
    Row("sk_msg", SOCKMAP, 16, 7, 0),
    Row("sk_lookup", NETNS, 30, 36, 0),
    Row("lirc_mode2", LIRC, 20, 16, 0),
    Row("flow_dissector", NETNS, 22, 17, 0),
    Row("cgroup_skb/ingress", CGROUP, 8, 0, 0),
    Row("cgroup_skb/egress", CGROUP, 8, 1, 0),
    Row("cgroup/skb", CGROUP, 8, 0, 0),
    Row("cgroup/sock_create", CGROUP, 9, 2, 0),
    Row("cgroup/sock_release", CGROUP, 9, 34, 0),
    Row("cgroup/sock", CGROUP, 9, 2, 0),
    Row("cgroup/post_bind4", CGROUP, 9, 12, 0),
    Row("cgroup/post_bind6", CGROUP, 9, 13, 0),
    Row("cgroup/bind4", CGROUP, 18, 8, 0),
    Row("cgroup/bind6", CGROUP, 18, 9, 0),
    Row("cgroup/connect4", CGROUP, 18, 10, 0),
    Row("cgroup/connect6", CGROUP, 18, 11, 0),
    Row("cgroup/connect_unix", CGROUP, 18, 49, 0),
    Row("cgroup/sendmsg4", CGROUP, 18, 14, 0),
    Row("cgroup/sendmsg6", CGROUP, 18, 15, 0),
    Row("cgroup/sendmsg_unix", CGROUP, 18, 50, 0),
    Row("cgroup/recvmsg4", CGROUP, 18, 19, 0),
    Row("cgroup/recvmsg6", CGROUP, 18, 20, 0),
    Row("cgroup/recvmsg_unix", CGROUP, 18, 51, 0),
    Row("cgroup/getpeername4", CGROUP, 18, 29, 0),
    Row("cgroup/getpeername6", CGROUP, 18, 30, 0),
    Row("cgroup/getpeername_unix", CGROUP, 18, 52, 0),
    Row("cgroup/getsockname4", CGROUP, 18, 31, 0),
    Row("cgroup/getsockname6", CGROUP, 18, 32, 0),
    Row("cgroup/getsockname_unix", CGROUP, 18, 53, 0),
    Row("cgroup/sysctl", CGROUP, 23, 18, 0),
    Row("cgroup/getsockopt", CGROUP, 25, 21, 0),
    Row("cgroup/setsockopt", CGROUP, 25, 22, 0),
    Row("cgroup/dev", CGROUP, 15, 6, 0),
    Row("netfilter", Device, 32, 45, 0),
];
