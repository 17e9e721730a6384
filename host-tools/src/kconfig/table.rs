//! Which options of the kernel's configuration BPF programs and maps need: the data, and nothing else.
//!
//! A row's options are alternatives: names that one option had in turn, or ways to the same thing. `since` is the version that
//! brought what needs them. A new kind of program or map is a new row.
//!
//! Sources: the Kconfig files that the rows name; `include/linux/bpf_types.h` (which types exist under which option);
//! `kernel/bpf/Makefile`; `#ifdef`s of the functions `*_func_proto` in `kernel/bpf/helpers.c`, `kernel/trace/bpf_trace.c` and
//! `net/core/filter.c` of Linux 6.12, and what the helpers return without the option; numbers of `include/uapi/linux/bpf.h`; names of sections as `section_defs`, libbpf `src/libbpf.c`.

/// What needs an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Every object.
    All,
    /// Programs whose SEC() begins with one of these names, up to its end or a `/`.
    Sec(&'static [&'static str]),
    /// Programs on tracepoints of these categories.
    Category(&'static [&'static str]),
    /// Maps of these `enum bpf_map_type`.
    Map(&'static [u32]),
    /// Calls of functions of the kernel.
    Kfunc,
    /// Calls of helpers of these `enum bpf_func_id`, which a kernel without the option refuses, or which do nothing there.
    Helper(&'static [u32]),
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What needs it.
    pub of: Of,
    /// Options without `CONFIG_`, one of which must be set.
    pub options: &'static [&'static str],
    /// What for, behind "for".
    pub why: &'static str,
    /// The version of Linux that first had what the row is of.
    pub since: &'static str,
    /// The Kconfig file that defines the first option.
    pub source: &'static str,
}

const fn row(
    of: Of,
    options: &'static [&'static str],
    why: &'static str,
    since: &'static str,
    source: &'static str,
) -> Row {
    Row { of, options, why, since, source }
}

use Of::{All, Category, Helper, Kfunc, Map, Sec};

const KPROBE: Of = Sec(&["kprobe", "kretprobe", "ksyscall", "kretsyscall"]);
const KPROBE_MULTI: Of = Sec(&["kprobe.multi", "kretprobe.multi", "kprobe.session"]);
const UPROBE: Of = Sec(&["uprobe", "uprobe.s", "uretprobe", "uretprobe.s", "usdt", "usdt.s"]);
const UPROBE_MULTI: Of =
    Sec(&["uprobe.multi", "uprobe.multi.s", "uretprobe.multi", "uretprobe.multi.s", "uprobe.session"]);
const TRACEPOINT: Of = Sec(&["tracepoint", "tp"]);
const RAW_TRACEPOINT: Of = Sec(&["raw_tracepoint", "raw_tp", "raw_tracepoint.w", "raw_tp.w"]);
const TP_BTF: Of = Sec(&["tp_btf"]);
const TRAMPOLINE: Of = Sec(&[
    "fentry",
    "fentry.s",
    "fentry.multi",
    "fentry.multi.s",
    "fexit",
    "fexit.s",
    "fexit.multi",
    "fexit.multi.s",
    "fmod_ret",
    "fmod_ret.s",
    "fsession",
    "fsession.s",
    "fsession.multi",
    "fsession.multi.s",
]);
const ITER: Of = Sec(&["iter", "iter.s"]);
const LSM: Of = Sec(&["lsm", "lsm.s", "lsm_cgroup"]);
const STRUCT_OPS: Of = Sec(&["struct_ops", "struct_ops.s"]);
const PERF_EVENT: Of = Sec(&["perf_event"]);
const CGROUP: Of = Sec(&["cgroup", "cgroup_skb", "sockops", "lsm_cgroup"]);
const LIRC: Of = Sec(&["lirc_mode2"]);

const BPF: &str = "kernel/bpf/Kconfig";
const TRACE: &str = "kernel/trace/Kconfig";
const ARCH: &str = "arch/Kconfig";
const INIT: &str = "init/Kconfig";
const NET: &str = "net/Kconfig";

/// The rows.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row(All, &["BPF_SYSCALL"], "the bpf(2) system call", "3.18", BPF),

    row(KPROBE, &["KPROBES"], "probes of kernel functions", "4.1", ARCH),
    row(KPROBE, &["KPROBE_EVENTS", "KPROBE_EVENT"], "probes of kernel functions as events", "4.1", TRACE),
    row(KPROBE, &["PERF_EVENTS"], "the perf event that a program is attached by", "4.1", INIT),
    row(KPROBE, &["BPF_EVENTS"], "programs on events", "4.1", TRACE),
    row(KPROBE_MULTI, &["FPROBE"], "probes of many kernel functions at once", "5.18", TRACE),
    row(KPROBE_MULTI, &["BPF_EVENTS"], "programs on events", "5.18", TRACE),
    row(UPROBE, &["UPROBES"], "probes of programs in user space", "4.1", ARCH),
    row(UPROBE, &["UPROBE_EVENTS", "UPROBE_EVENT"], "probes of programs in user space as events", "4.1", TRACE),
    row(UPROBE, &["PERF_EVENTS"], "the perf event that a program is attached by", "4.1", INIT),
    row(UPROBE, &["BPF_EVENTS"], "programs on events", "4.1", TRACE),
    row(UPROBE_MULTI, &["UPROBES"], "probes of programs in user space", "6.6", ARCH),
    row(UPROBE_MULTI, &["BPF_EVENTS"], "programs on events", "6.6", TRACE),
    row(TRACEPOINT, &["EVENT_TRACING"], "tracepoints as events", "4.7", TRACE),
    row(TRACEPOINT, &["PERF_EVENTS"], "the perf event that a program is attached by", "4.7", INIT),
    row(TRACEPOINT, &["BPF_EVENTS"], "programs on events", "4.7", TRACE),
    row(Category(&["syscalls"]), &["FTRACE_SYSCALLS"], "a tracepoint for each system call", "4.7", TRACE),
    row(Category(&["block"]), &["BLOCK"], "tracepoints of block devices", "4.7", "block/Kconfig"),
    row(Category(&["sock", "tcp", "udp", "fib"]), &["INET"], "tracepoints of TCP/IP", "4.7", NET),
    row(Category(&["skb", "net", "napi", "qdisc"]), &["NET"], "tracepoints of the network", "4.7", NET),
    row(Category(&["ext4"]), &["EXT4_FS"], "tracepoints of ext4, which a module has only while it is loaded", "4.7", "fs/ext4/Kconfig"),
    row(Category(&["kvm"]), &["KVM"], "tracepoints of KVM", "4.7", "virt/kvm/Kconfig"),
    row(RAW_TRACEPOINT, &["TRACEPOINTS"], "tracepoints", "4.17", INIT),
    row(RAW_TRACEPOINT, &["BPF_EVENTS"], "programs on events", "4.17", TRACE),
    row(TP_BTF, &["TRACEPOINTS"], "tracepoints", "5.5", INIT),
    row(TP_BTF, &["DEBUG_INFO_BTF"], "the kernel's own types", "5.5", "lib/Kconfig.debug"),
    row(TP_BTF, &["BPF_EVENTS"], "programs on events", "5.5", TRACE),
    row(TRAMPOLINE, &["FUNCTION_TRACER"], "places in functions to attach to", "5.5", TRACE),
    row(TRAMPOLINE, &["DYNAMIC_FTRACE"], "places in functions to attach to", "5.5", TRACE),
    row(TRAMPOLINE, &["DYNAMIC_FTRACE_WITH_DIRECT_CALLS"], "calls from functions into programs", "5.5", TRACE),
    row(TRAMPOLINE, &["DEBUG_INFO_BTF"], "the kernel's own types", "5.5", "lib/Kconfig.debug"),
    row(TRAMPOLINE, &["BPF_JIT"], "the trampoline, which is compiled", "5.5", BPF),
    row(TRAMPOLINE, &["BPF_EVENTS"], "programs on events", "5.5", TRACE),
    row(ITER, &["DEBUG_INFO_BTF"], "the kernel's own types", "5.8", "lib/Kconfig.debug"),
    row(ITER, &["BPF_EVENTS"], "programs on events", "5.8", TRACE),
    row(Sec(&["freplace"]), &["BPF_JIT"], "the trampoline, which is compiled", "5.6", BPF),
    row(LSM, &["BPF_LSM"], "programs on security hooks; `bpf` must be in CONFIG_LSM or lsm= too", "5.7", BPF),
    row(LSM, &["DEBUG_INFO_BTF"], "the kernel's own types", "5.7", "lib/Kconfig.debug"),
    row(STRUCT_OPS, &["BPF_JIT"], "the trampoline, which is compiled", "5.6", BPF),
    row(STRUCT_OPS, &["DEBUG_INFO_BTF"], "the kernel's own types", "5.6", "lib/Kconfig.debug"),
    row(PERF_EVENT, &["PERF_EVENTS"], "perf events", "4.9", INIT),
    row(PERF_EVENT, &["BPF_EVENTS"], "programs on events", "4.9", TRACE),

    row(Sec(&["socket", "xdp", "xdp.frags", "flow_dissector"]), &["NET"], "packets", "4.8", NET),
    row(Sec(&["tc", "classifier"]), &["NET_CLS_BPF", "NET_XGRESS"], "programs that classify packets", "4.1", "net/sched/Kconfig"),
    row(Sec(&["tcx"]), &["NET_XGRESS"], "programs at a device's ingress and egress", "6.6", NET),
    row(Sec(&["netkit"]), &["NETKIT"], "netkit devices", "6.7", "drivers/net/Kconfig"),
    row(Sec(&["action"]), &["NET_ACT_BPF"], "programs as actions on packets", "4.1", "net/sched/Kconfig"),
    row(CGROUP, &["CGROUP_BPF"], "programs of control groups", "4.10", INIT),
    row(Sec(&["lwt_in", "lwt_out", "lwt_xmit"]), &["LWTUNNEL_BPF"], "programs on routes", "4.10", NET),
    row(Sec(&["lwt_seg6local"]), &["IPV6_SEG6_BPF"], "programs on IPv6 segments", "4.18", "net/ipv6/Kconfig"),
    row(Sec(&["sk_skb"]), &["BPF_STREAM_PARSER", "NET_SOCK_MSG"], "programs on streams", "4.14", NET),
    row(Sec(&["sk_msg"]), &["NET_SOCK_MSG", "BPF_STREAM_PARSER"], "programs on messages of sockets", "4.17", NET),
    row(Sec(&["sk_reuseport", "sk_lookup"]), &["INET"], "programs that choose sockets", "4.19", NET),
    row(Sec(&["netfilter"]), &["NETFILTER_BPF_LINK"], "programs on netfilter hooks", "6.4", "net/netfilter/Kconfig"),
    row(LIRC, &["BPF_LIRC_MODE2"], "programs that decode infrared", "4.18", "drivers/media/rc/Kconfig"),
    row(LIRC, &["LIRC"], "raw infrared", "4.18", "drivers/media/rc/Kconfig"),

    row(Map(&[4]), &["PERF_EVENTS"], "a perf event array", "4.3", INIT),
    row(Map(&[7]), &["PERF_EVENTS"], "a map of stack traces", "4.6", INIT),
    row(Map(&[8]), &["CGROUPS"], "an array of control groups", "4.8", INIT),
    row(Map(&[14, 15, 16, 18, 25]), &["NET"], "a map of devices, CPUs or sockets", "4.14", NET),
    row(Map(&[17]), &["XDP_SOCKETS"], "a map of XDP sockets", "4.18", "net/xdp/Kconfig"),
    row(Map(&[19, 21]), &["CGROUP_BPF"], "storage of control groups", "4.19", INIT),
    row(Map(&[20]), &["INET"], "an array of sockets that share a port", "4.19", NET),
    row(Map(&[24]), &["NET"], "storage of sockets", "5.2", NET),
    row(Map(&[26]), &["BPF_JIT"], "a map of struct_ops", "5.6", BPF),
    row(Map(&[27]), &["BPF_SYSCALL"], "a ring buffer", "5.8", BPF),
    row(Map(&[28]), &["BPF_LSM"], "storage of inodes", "5.10", BPF),
    row(Map(&[29]), &["BPF_SYSCALL", "BPF_LSM"], "storage of tasks", "5.11", BPF),
    row(Map(&[31]), &["BPF_SYSCALL"], "a ring buffer from user space", "6.1", BPF),
    row(Map(&[32]), &["CGROUPS"], "storage of control groups", "6.2", INIT),
    row(Map(&[33]), &["MMU"], "an arena", "6.9", INIT),

    row(Kfunc, &["DEBUG_INFO_BTF"], "functions of the kernel by their types", "5.13", "lib/Kconfig.debug"),
    row(Kfunc, &["BPF_JIT"], "calls of functions of the kernel", "5.13", BPF),

    row(Helper(&[6, 177]), &["BPF_EVENTS"], "bpf_trace_printk() and its like", "4.1", TRACE),
    row(Helper(&[27, 67]), &["PERF_EVENTS"], "stack traces", "4.6", INIT),
    row(Helper(&[141]), &["STACKTRACE"], "bpf_get_task_stack()", "5.9", "lib/Kconfig.debug"),
    row(Helper(&[58]), &["BPF_KPROBE_OVERRIDE"], "bpf_override_return()", "4.16", TRACE),
    row(Helper(&[37, 80, 123, 210, 211]), &["CGROUPS"], "the control group of a task", "4.9", INIT),
    row(Helper(&[79, 83, 128, 129]), &["SOCK_CGROUP_DATA"], "the control group of a socket", "4.18", INIT),
    row(Helper(&[17, 151]), &["CGROUP_NET_CLASSID"], "the traffic class of a control group", "4.3", NET),
    row(Helper(&[84, 85, 86, 96, 97, 98, 99, 100, 110, 142, 143, 144]), &["INET"], "TCP/IP by helpers", "4.20", NET),
    row(Helper(&[204, 205, 206, 207]), &["SYN_COOKIES"], "SYN cookies", "6.0", "net/ipv4/Kconfig"),
    row(Helper(&[66]), &["XFRM"], "bpf_skb_get_xfrm_state()", "4.18", "net/xfrm/Kconfig"),
    row(Helper(&[73]), &["LWTUNNEL_BPF", "IPV6_SEG6_BPF"], "bpf_lwt_push_encap()", "4.18", NET),
    row(Helper(&[74, 75, 76]), &["IPV6_SEG6_BPF"], "IPv6 segments by helpers", "4.18", "net/ipv6/Kconfig"),
    row(Helper(&[126, 127, 149, 150, 158]), &["DEBUG_INFO_BTF"], "helpers that go by the kernel's own types", "5.7", "lib/Kconfig.debug"),
    row(Helper(&[136, 137, 138, 139, 140, 178, 196]), &["DEBUG_INFO_BTF"], "bpf_skc_to_tcp_sock() and its like", "5.9", "lib/Kconfig.debug"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::object::sec_name;

    #[test]
    fn names_of_sections_are_libbpfs() {
        for row in ROWS {
            let Of::Sec(names) = row.of else { continue };
            for name in names {
                let known = |section: &str| match sec_name::parse(section) {
                    Ok(_) => true,
                    Err(unknown) => unknown.kind_is_known,
                };
                let behind = ["", "/ingress", "/skb", "/connect4", "/primary", "/x"];
                assert!(behind.iter().any(|extra| known(&format!("{name}{extra}"))), "{name}");
            }
        }
    }

    /// The numbers by which rows name helpers are those of the names that they mean.
    #[test]
    fn helpers_have_the_numbers_of_their_names() {
        let helpers = crate::disasm::Helpers::default();
        let mut named = std::collections::BTreeMap::<_, Vec<_>>::new();
        for row in ROWS {
            let Of::Helper(numbers) = row.of else { continue };
            named
                .entry(row.options[0])
                .or_default()
                .extend(numbers.iter().map(|&n| helpers.name(n as i32).unwrap()));
        }
        for (option, names) in [
            ("BPF_EVENTS", "trace_printk trace_vprintk"),
            ("BPF_KPROBE_OVERRIDE", "override_return"),
            (
                "CGROUPS",
                "current_task_under_cgroup get_current_cgroup_id get_current_ancestor_cgroup_id cgrp_storage_get cgrp_storage_delete",
            ),
            ("CGROUP_NET_CLASSID", "get_cgroup_classid skb_cgroup_classid"),
            (
                "DEBUG_INFO_BTF",
                "seq_printf seq_write snprintf_btf seq_printf_btf get_current_task_btf skc_to_tcp6_sock skc_to_tcp_sock \
                 skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock",
            ),
            (
                "INET",
                "sk_lookup_tcp sk_lookup_udp sk_release tcp_sock skb_ecn_set_ce get_listener_sock skc_lookup_tcp \
                 tcp_check_syncookie tcp_gen_syncookie load_hdr_opt store_hdr_opt reserve_hdr_opt",
            ),
            ("IPV6_SEG6_BPF", "lwt_seg6_store_bytes lwt_seg6_adjust_srh lwt_seg6_action"),
            ("LWTUNNEL_BPF", "lwt_push_encap"),
            ("PERF_EVENTS", "get_stackid get_stack"),
            ("SOCK_CGROUP_DATA", "skb_cgroup_id skb_ancestor_cgroup_id sk_cgroup_id sk_ancestor_cgroup_id"),
            ("STACKTRACE", "get_task_stack"),
            (
                "SYN_COOKIES",
                "tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6",
            ),
            ("XFRM", "skb_get_xfrm_state"),
        ] {
            assert_eq!(named.remove(option).unwrap().join(" "), names, "{option}");
        }
        assert!(named.is_empty(), "{named:?}");
    }

    #[test]
    fn the_loader_says_the_same() {
        for words in corelet_core::kconfig::ALL {
            let says = |row: &Row| words == format!("CONFIG_{}, for {}", row.options[0], row.why);
            assert!(ROWS.iter().any(says), "{words}");
        }
    }

    #[test]
    fn rows_are_whole_and_differ() {
        for (i, row) in ROWS.iter().enumerate() {
            assert!(row.source.ends_with("Kconfig") || row.source.starts_with("lib/Kconfig"), "{row:?}");
            assert!(row.since.split('.').all(|n| n.parse::<u32>().is_ok()), "{row:?}");
            assert!(!row.options.is_empty() && row.options.iter().all(|o| !o.starts_with("CONFIG_")));
            assert!(!ROWS[..i].iter().any(|r| r.of == row.of && r.options == row.options), "{row:?}");
        }
    }
}
