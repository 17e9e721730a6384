/*
 * NAME: processes that begin, and who began them. One object for every kernel and architecture.
 *
 * Change what is read in `begins`, and `struct event` with it: the manifest, NAME.toml, names that struct, and corelet prints its
 * members. GUIDE.md of corelet has the rules by which such a program survives kernels.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Of the kernel's types only what is read, in any order: relocation finds where each kernel has it. */
struct task_struct {
	int tgid;
	struct task_struct *real_parent;
} CORE;

struct event {
	__u32 pid;
	__u32 parent;
	char comm[16];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

/* Set by `corelet-loader run NAME.pack --set only=PID`: only children of this process; all if 0. */
const volatile __u32 only = 0;

SEC("raw_tracepoint/sched_process_exec")
int begins(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u32 parent = BPF_CORE_READ(task, real_parent, tgid);
	struct event *event;

	if (only && parent != only)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event->pid = BPF_CORE_READ(task, tgid);
	event->parent = parent;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
