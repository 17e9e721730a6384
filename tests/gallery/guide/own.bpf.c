/* A read through a member of the program's own. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct { int pid; } CORE;
struct walk { __u64 steps; struct task_struct *task; };

__u64 sum;

static __noinline int step(struct walk *walk)
{
#ifndef RIGHT
	return BPF_CORE_READ(walk->task, pid);
#else
	struct task_struct *task = walk->task;

	return BPF_CORE_READ(task, pid);
#endif
}

SEC("raw_tracepoint/sched_process_exit") int ends(struct bpf_raw_tracepoint_args *ctx)
{
	struct walk walk = { .task = (struct task_struct *)ctx->args[0] };

	sum += step(&walk);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
