/* A program with the vmlinux.h of several kernels: what is the same everywhere, what has moved, and a flavor. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

__u64 failed, running, parents, ports;

SEC("tracepoint/raw_syscalls/sys_exit") int leaves(struct trace_event_raw_sys_exit *ctx)
{
	/* 32-bit ARM's has 4 bytes, with a sign: a flavor of vmlinux.h */
	failed += CORELET_LONG_SIZE == 4 ? ((struct ARM(trace_event_raw_sys_exit) *)ctx)->ret < 0 : ctx->ret < 0;
	return 0;
}

SEC("raw_tracepoint/sched_switch") int switches(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];

	running += BPF_CORE_READ(task, __state) == 0;
	parents += BPF_CORE_READ(task, real_parent, tgid);
	return 0;
}

SEC("kprobe/tcp_connect") int BPF_KPROBE(connects, struct sock *sk)
{
	ports += bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
