/* A member that only old kernels have. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct { unsigned int __state; long state; } CORE;
struct task_struct___old { long state; } CORE;

__u64 running;

SEC("raw_tracepoint/sched_switch") int switches(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];
	long state;

#ifndef RIGHT
	state = BPF_CORE_READ(task, state);
#else
	if (bpf_core_field_exists(task->__state))
		state = BPF_CORE_READ(task, __state);
	else
		state = BPF_CORE_READ((struct task_struct___old *)task, state);
#endif
	running += state == 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
