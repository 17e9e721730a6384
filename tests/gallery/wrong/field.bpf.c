/* Wrong: a member that only old kernels have, and nothing asks. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
struct task_struct { long state; } CORE;
__u64 running;
SEC("raw_tracepoint/sched_switch") int switches(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];
	running += BPF_CORE_READ(task, state) == 0;
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
