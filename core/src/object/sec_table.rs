//! Which SEC() names there are, and what each makes of a program. New kinds of programs are new rows.
//! Source: `section_defs`, libbpf `src/libbpf.c`; numbers of `include/uapi/linux/bpf.h`.

/// `prog_flags`: the program may sleep.
pub const BPF_F_SLEEPABLE: u32 = 1 << 4;
/// `prog_flags`: the program takes packets in fragments.
pub const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

/// What stands behind the name, and what it is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing more; it is loaded only.
    Alone,
    /// Nothing more; attached by ways that are not modelled yet.
    Exact,
    /// Nothing or `/…`; attached by ways that are not modelled yet.
    Open,
    /// Nothing or `/SYMBOL`, with `+OFFSET` for entries.
    Kprobe { ret: bool },
    /// Nothing or `/CATEGORY/NAME`.
    Tracepoint,
    /// Nothing or `/NAME`.
    RawTracepoint,
}

/// A row: name, form, `enum bpf_prog_type`, `enum bpf_attach_type`, `prog_flags`.
pub(super) struct Row(
    pub(super) &'static str,
    pub(super) Form,
    pub(super) u32,
    pub(super) u32,
    pub(super) u32,
);

use Form::{Alone, Exact, Kprobe, Open, RawTracepoint, Tracepoint};
const SLEEP: u32 = BPF_F_SLEEPABLE;
const FRAGS: u32 = BPF_F_XDP_HAS_FRAGS;

/// The rows; the first that fits counts.
pub(super) const ROWS: &[Row] = &[
    Row("tracepoint", Tracepoint, 5, 0, 0),
    Row("tp", Tracepoint, 5, 0, 0),
    Row("raw_tracepoint.w", RawTracepoint, 24, 0, 0),
    Row("raw_tp.w", RawTracepoint, 24, 0, 0),
    Row("raw_tracepoint", RawTracepoint, 17, 0, 0),
    Row("raw_tp", RawTracepoint, 17, 0, 0),
    Row("kprobe", Kprobe { ret: false }, 2, 0, 0),
    Row("kretprobe", Kprobe { ret: true }, 2, 0, 0),
    Row("kprobe.multi", Open, 2, 42, 0),
    Row("kretprobe.multi", Open, 2, 42, 0),
    Row("kprobe.session", Open, 2, 56, 0),
    Row("ksyscall", Open, 2, 0, 0),
    Row("kretsyscall", Open, 2, 0, 0),
    Row("uprobe", Open, 2, 0, 0),
    Row("uprobe.s", Open, 2, 0, SLEEP),
    Row("uretprobe", Open, 2, 0, 0),
    Row("uretprobe.s", Open, 2, 0, SLEEP),
    Row("uprobe.multi", Open, 2, 48, 0),
    Row("uprobe.multi.s", Open, 2, 48, SLEEP),
    Row("uretprobe.multi", Open, 2, 48, 0),
    Row("uretprobe.multi.s", Open, 2, 48, SLEEP),
    Row("usdt", Open, 2, 0, 0),
    Row("usdt.s", Open, 2, 0, SLEEP),
    Row("tp_btf", Open, 26, 23, 0),
    Row("fentry", Open, 26, 24, 0),
    Row("fentry.s", Open, 26, 24, SLEEP),
    Row("fexit", Open, 26, 25, 0),
    Row("fexit.s", Open, 26, 25, SLEEP),
    Row("fmod_ret", Open, 26, 26, 0),
    Row("fmod_ret.s", Open, 26, 26, SLEEP),
    Row("iter", Open, 26, 28, 0),
    Row("iter.s", Open, 26, 28, SLEEP),
    Row("freplace", Open, 28, 0, 0),
    Row("lsm", Open, 29, 27, 0),
    Row("lsm.s", Open, 29, 27, SLEEP),
    Row("lsm_cgroup", Open, 29, 43, 0),
    Row("struct_ops", Open, 27, 0, 0),
    Row("struct_ops.s", Open, 27, 0, SLEEP),
    Row("syscall", Alone, 31, 0, SLEEP),
    Row("perf_event", Exact, 7, 0, 0),
    Row("socket", Exact, 1, 0, 0),
    Row("xdp", Exact, 6, 37, 0),
    Row("xdp.frags", Exact, 6, 37, FRAGS),
    Row("xdp/devmap", Exact, 6, 33, 0),
    Row("xdp.frags/devmap", Exact, 6, 33, FRAGS),
    Row("xdp/cpumap", Exact, 6, 35, 0),
    Row("xdp.frags/cpumap", Exact, 6, 35, FRAGS),
    Row("tc", Exact, 3, 0, 0),
    Row("classifier", Exact, 3, 0, 0),
    Row("tc/ingress", Exact, 3, 46, 0),
    Row("tc/egress", Exact, 3, 47, 0),
    Row("tcx/ingress", Exact, 3, 46, 0),
    Row("tcx/egress", Exact, 3, 47, 0),
    Row("action", Exact, 4, 0, 0),
    Row("cgroup_skb/ingress", Exact, 8, 0, 0),
    Row("cgroup_skb/egress", Exact, 8, 1, 0),
    Row("cgroup/skb", Exact, 8, 0, 0),
    Row("cgroup/sock_create", Exact, 9, 2, 0),
    Row("cgroup/sock_release", Exact, 9, 34, 0),
    Row("cgroup/dev", Exact, 15, 6, 0),
    Row("cgroup/sysctl", Exact, 23, 18, 0),
    Row("cgroup/bind4", Exact, 18, 8, 0),
    Row("cgroup/bind6", Exact, 18, 9, 0),
    Row("cgroup/connect4", Exact, 18, 10, 0),
    Row("cgroup/connect6", Exact, 18, 11, 0),
    Row("sockops", Exact, 13, 3, 0),
    Row("sk_skb/stream_parser", Exact, 14, 4, 0),
    Row("sk_skb/stream_verdict", Exact, 14, 5, 0),
    Row("sk_skb/verdict", Exact, 14, 38, 0),
    Row("sk_skb", Exact, 14, 0, 0),
    Row("sk_msg", Exact, 16, 7, 0),
    Row("sk_lookup", Exact, 30, 36, 0),
    Row("netfilter", Exact, 32, 45, 0),
];
