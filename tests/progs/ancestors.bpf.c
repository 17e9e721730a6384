/*
 * ancestors: a process that begins, and those that it descends from.
 *
 * What only some kernels have, with something in its place. bpf_loop() came with 5.17: where the kernel's own list of helpers has it,
 * it walks the ancestors, but for 32-bit ARM, whose compiler (JIT) knows no callbacks; else a bounded loop does. Typed pointers to
 * memory that may only be read came with the kernel function bpf_rdonly_cast(), 6.2: where there is one a member is read directly,
 * else by bpf_probe_read_kernel(). Branches that are not taken stay in the object and are dropped by the verifier.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <corelet_tracing.h>

#define GENERATIONS 4

struct task_struct {
	int tgid;
	struct task_struct *real_parent;
} CORE;

enum bpf_func_id {
	BPF_FUNC_loop = 181,
};

struct event {
	__u32 pid;
	/* which ways were there */
	bool loop;
	bool cast;
	__u32 ancestors[GENERATIONS];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

struct walk {
	struct task_struct *task;
	__u32 ancestors[GENERATIONS];
};

static __always_inline __u32 number_of(struct task_struct *task)
{
	if (bpf_ksym_exists(bpf_rdonly_cast))
		return bpf_core_cast(task, struct task_struct)->tgid;
	return BPF_CORE_READ(task, tgid);
}

static long step(__u64 generation, struct walk *walk)
{
	/* in a variable of its own: within a read every member on the way is relocated, those of `walk` too */
	struct task_struct *task = walk->task;

	walk->task = BPF_CORE_READ(task, real_parent);
	if (!walk->task || generation >= GENERATIONS)
		return 1;
	walk->ancestors[generation] = number_of(walk->task);
	return 0;
}

SEC("raw_tracepoint/sched_process_exec")
int begins(struct bpf_raw_tracepoint_args *ctx)
{
	struct walk walk = { .task = (struct task_struct *)ctx->args[0] };
	bool loop = bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop) && corelet_arch() != CORELET_ARM;
	struct event *event;

	if (loop) {
		bpf_loop(GENERATIONS, step, &walk, 0);
	} else {
		for (__u64 i = 0; i < GENERATIONS; i++)
			if (step(i, &walk))
				break;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->loop = loop;
	event->cast = !!bpf_ksym_exists(bpf_rdonly_cast);
	__builtin_memcpy(event->ancestors, walk.ancestors, sizeof(walk.ancestors));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
