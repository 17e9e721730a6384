/*
 * A program for each section name that libbpf has, named like it behind `at_`, with `_` for what is no letter; each counts its runs, and returns what
 * the verifier wants of its kind. tests/names.rs packs them one by one. Of struct_ops, sched.bpf.c and hid.bpf.c.
 */
#include <linux/bpf.h>

typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

static long (*bpf_redirect_map)(void *map, u64 key, u64 flags) = (void *)51;
static long (*bpf_sock_hash_update)(void *skops, void *map, void *key, u64 flags) = (void *)70;
static long (*bpf_seq_write)(void *seq, const void *data, u32 len) = (void *)127;

u64 hits[1];

static __attribute__((always_inline)) int hit(int result)
{
	__sync_fetch_and_add(&hits[0], 1);
	return result;
}

#define PROGRAM(name, section, result) \
	SEC(section) int at_##name(void *ctx) { return hit(result); }

PROGRAM(tracepoint, "tracepoint/syscalls/sys_enter_read", 0)
PROGRAM(tracepoint_s, "tracepoint.s/syscalls/sys_enter_read", 0)
PROGRAM(tp, "tp/syscalls/sys_enter_read", 0)
PROGRAM(tp_s, "tp.s/syscalls/sys_enter_read", 0)
PROGRAM(raw_tracepoint_w, "raw_tracepoint.w/sys_enter", 0)
PROGRAM(raw_tp_w, "raw_tp.w/sys_enter", 0)
PROGRAM(raw_tracepoint, "raw_tracepoint/sys_enter", 0)
PROGRAM(raw_tracepoint_s, "raw_tracepoint.s/sys_enter", 0)
PROGRAM(raw_tp, "raw_tp/sys_enter", 0)
PROGRAM(raw_tp_s, "raw_tp.s/sys_enter", 0)
PROGRAM(kprobe, "kprobe/vfs_read", 0)
PROGRAM(kretprobe, "kretprobe/vfs_read", 0)
PROGRAM(kprobe_multi, "kprobe.multi/vfs_rea?", 0)
PROGRAM(kretprobe_multi, "kretprobe.multi/vfs_rea?", 0)
PROGRAM(kprobe_session, "kprobe.session/vfs_rea?", 0)
PROGRAM(ksyscall, "ksyscall/openat", 0)
PROGRAM(kretsyscall, "kretsyscall/openat", 0)
PROGRAM(uprobe, "uprobe//corelet/probed:probed_add", 0)
PROGRAM(uprobe_s, "uprobe.s//corelet/probed:probed_add", 0)
PROGRAM(uretprobe, "uretprobe//corelet/probed:probed_add", 0)
PROGRAM(uretprobe_s, "uretprobe.s//corelet/probed:probed_add", 0)
PROGRAM(uprobe_multi, "uprobe.multi//corelet/probed:many_*", 0)
PROGRAM(uprobe_multi_s, "uprobe.multi.s//corelet/probed:many_*", 0)
PROGRAM(uretprobe_multi, "uretprobe.multi//corelet/probed:many_*", 0)
PROGRAM(uretprobe_multi_s, "uretprobe.multi.s//corelet/probed:many_*", 0)
PROGRAM(uprobe_session, "uprobe.session//corelet/probed:many_*", 0)
PROGRAM(uprobe_session_s, "uprobe.session.s//corelet/probed:many_*", 0)
PROGRAM(usdt, "usdt//corelet/probed:corelet:tick", 0)
PROGRAM(usdt_s, "usdt.s//corelet/probed:corelet:tick", 0)
PROGRAM(tp_btf, "tp_btf/sys_enter", 0)
PROGRAM(tp_btf_s, "tp_btf.s/sys_enter", 0)
PROGRAM(fentry, "fentry/vfs_read", 0)
/* The only functions of kernels without CONFIG_FUNCTION_ERROR_INJECTION that programs may sleep in. */
PROGRAM(fentry_s, "fentry.s/bpf_fentry_test1", 0)
PROGRAM(fexit, "fexit/vfs_read", 0)
PROGRAM(fexit_s, "fexit.s/bpf_fentry_test1", 0)
PROGRAM(fmod_ret, "fmod_ret/security_file_open", 0)
PROGRAM(fmod_ret_s, "fmod_ret.s/bpf_fentry_test1", 0)
PROGRAM(fsession, "fsession/vfs_read", 0)
PROGRAM(fsession_s, "fsession.s/bpf_fentry_test1", 0)
PROGRAM(fentry_multi, "fentry.multi/vfs_read", 0)
PROGRAM(fentry_multi_s, "fentry.multi.s/bpf_fentry_test1", 0)
PROGRAM(fexit_multi, "fexit.multi/vfs_read", 0)
PROGRAM(fexit_multi_s, "fexit.multi.s/bpf_fentry_test1", 0)
PROGRAM(fsession_multi, "fsession.multi/vfs_read", 0)
PROGRAM(fsession_multi_s, "fsession.multi.s/bpf_fentry_test1", 0)

struct bpf_iter_meta {
	void *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	void *task;
};

/* Iterators are counted by what is read of them. */
SEC("iter/task") int at_iter(struct bpf_iter__task *ctx) { return !!bpf_seq_write(ctx->meta->seq, "ran\n", 4); }
SEC("iter.s/task") int at_iter_s(struct bpf_iter__task *ctx) { return !!bpf_seq_write(ctx->meta->seq, "ran\n", 4); }

PROGRAM(lsm, "lsm/file_open", 0)
PROGRAM(lsm_s, "lsm.s/file_open", 0)
PROGRAM(lsm_cgroup, "lsm_cgroup/socket_bind", 1)
PROGRAM(syscall, "syscall", 0)
PROGRAM(perf_event, "perf_event", 0)
PROGRAM(socket, "socket", 0)
PROGRAM(xdp, "xdp", XDP_PASS)
PROGRAM(xdp_frags, "xdp.frags", XDP_PASS)
PROGRAM(xdp_devmap, "xdp/devmap", XDP_PASS)
PROGRAM(xdp_frags_devmap, "xdp.frags/devmap", XDP_PASS)
PROGRAM(xdp_cpumap, "xdp/cpumap", XDP_PASS)
PROGRAM(xdp_frags_cpumap, "xdp.frags/cpumap", XDP_PASS)
PROGRAM(tc, "tc", 0)
PROGRAM(classifier, "classifier", 0)
PROGRAM(action, "action", 0)
PROGRAM(tc_ingress, "tc/ingress", 0)
PROGRAM(tc_egress, "tc/egress", 0)
PROGRAM(tcx_ingress, "tcx/ingress", 0)
PROGRAM(tcx_egress, "tcx/egress", 0)
PROGRAM(netkit_primary, "netkit/primary", 0)
PROGRAM(netkit_peer, "netkit/peer", 0)
PROGRAM(lwt_in, "lwt_in", BPF_OK)
PROGRAM(lwt_out, "lwt_out", BPF_OK)
PROGRAM(lwt_xmit, "lwt_xmit", BPF_OK)
PROGRAM(lwt_seg6local, "lwt_seg6local", BPF_OK)
PROGRAM(sk_reuseport_migrate, "sk_reuseport/migrate", SK_PASS)
PROGRAM(sk_reuseport, "sk_reuseport", SK_PASS)
PROGRAM(sockops, "sockops", 1)
PROGRAM(sk_skb_stream_verdict, "sk_skb/stream_verdict", SK_PASS)
PROGRAM(sk_skb_verdict, "sk_skb/verdict", SK_PASS)
PROGRAM(sk_skb, "sk_skb", SK_PASS)
PROGRAM(sk_msg, "sk_msg", SK_PASS)
PROGRAM(sk_lookup, "sk_lookup", SK_PASS)
PROGRAM(lirc_mode2, "lirc_mode2", 0)
/* BPF_FLOW_DISSECTOR_CONTINUE (6.0): the kernel's own goes on. */
PROGRAM(flow_dissector, "flow_dissector", 129)
PROGRAM(cgroup_skb_ingress, "cgroup_skb/ingress", 1)
PROGRAM(cgroup_skb_egress, "cgroup_skb/egress", 1)
PROGRAM(cgroup_skb, "cgroup/skb", 1)
PROGRAM(cgroup_sock_create, "cgroup/sock_create", 1)
PROGRAM(cgroup_sock_release, "cgroup/sock_release", 1)
PROGRAM(cgroup_sock, "cgroup/sock", 1)
PROGRAM(cgroup_post_bind4, "cgroup/post_bind4", 1)
PROGRAM(cgroup_post_bind6, "cgroup/post_bind6", 1)
PROGRAM(cgroup_bind4, "cgroup/bind4", 1)
PROGRAM(cgroup_bind6, "cgroup/bind6", 1)
PROGRAM(cgroup_connect4, "cgroup/connect4", 1)
PROGRAM(cgroup_connect6, "cgroup/connect6", 1)
PROGRAM(cgroup_connect_unix, "cgroup/connect_unix", 1)
PROGRAM(cgroup_sendmsg4, "cgroup/sendmsg4", 1)
PROGRAM(cgroup_sendmsg6, "cgroup/sendmsg6", 1)
PROGRAM(cgroup_sendmsg_unix, "cgroup/sendmsg_unix", 1)
PROGRAM(cgroup_recvmsg4, "cgroup/recvmsg4", 1)
PROGRAM(cgroup_recvmsg6, "cgroup/recvmsg6", 1)
PROGRAM(cgroup_recvmsg_unix, "cgroup/recvmsg_unix", 1)
PROGRAM(cgroup_getpeername4, "cgroup/getpeername4", 1)
PROGRAM(cgroup_getpeername6, "cgroup/getpeername6", 1)
PROGRAM(cgroup_getpeername_unix, "cgroup/getpeername_unix", 1)
PROGRAM(cgroup_getsockname4, "cgroup/getsockname4", 1)
PROGRAM(cgroup_getsockname6, "cgroup/getsockname6", 1)
PROGRAM(cgroup_getsockname_unix, "cgroup/getsockname_unix", 1)
PROGRAM(cgroup_sysctl, "cgroup/sysctl", 1)
PROGRAM(cgroup_getsockopt, "cgroup/getsockopt", 1)
PROGRAM(cgroup_setsockopt, "cgroup/setsockopt", 1)
PROGRAM(cgroup_dev, "cgroup/dev", 1)
PROGRAM(netfilter, "netfilter", 1)

/* Maps that hold programs of theirs, and programs that send packets there; all or none of them take fragments. */
#define HOLDER(name, number)                                                                                              \
	struct {                                                                                                          \
		__uint(type, number);                                                                                     \
		__uint(max_entries, 1);                                                                                   \
		__uint(key_size, 4);                                                                                      \
		__uint(value_size, 8);                                                                                    \
	} name SEC(".maps")

HOLDER(devices, BPF_MAP_TYPE_DEVMAP);
HOLDER(cpus, BPF_MAP_TYPE_CPUMAP);

SEC("xdp") int to_device(void *ctx) { return bpf_redirect_map(&devices, 0, 0); }
SEC("xdp.frags") int to_device_frags(void *ctx) { return bpf_redirect_map(&devices, 0, 0); }
SEC("xdp") int to_cpu(void *ctx) { return bpf_redirect_map(&cpus, 0, 0); }
SEC("xdp.frags") int to_cpu_frags(void *ctx) { return bpf_redirect_map(&cpus, 0, 0); }

/* Run by BPF_PROG_TEST_RUN, calls all functions bpf_fentry_test*. */
SEC("fentry/bpf_fentry_test2") int trigger(void *ctx) { return 0; }

/* What a program replaces, in one that runs at each read. */
__attribute__((noinline)) int callee(int number)
{
	asm volatile("" : "+r"(number));
	return number;
}

SEC("kprobe/vfs_read") int caller(void *ctx) { return callee(1) - 1; }
SEC("freplace/caller:callee") int at_freplace(int number) { return hit(number); }

/* The sockets whose streams programs of sk_skb and sk_msg see. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} sockets SEC(".maps");

SEC("sockops") int keep(struct bpf_sock_ops *ops)
{
	u32 key = ops->local_port << 8 | ops->family;
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		bpf_sock_hash_update(ops, &sockets, &key, BPF_ANY);
	return 1;
}

SEC("sk_skb/stream_parser") int at_sk_skb_stream_parser(struct __sk_buff *skb) { return hit(skb->len); }

/* A parser is asked beside a verdict alone. */
SEC("sk_skb/stream_verdict") int pass(struct __sk_buff *skb) { return SK_PASS; }

char LICENSE[] SEC("license") = "GPL";
