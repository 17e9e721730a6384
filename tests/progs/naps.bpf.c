/*
 * naps: who goes to sleep, in which state and on which CPU; and who begins another program.
 *
 * Members that moved. The state of a task was `state`, a signed long, until 5.14, and is `__state`, an unsigned int. Its CPU was
 * `cpu`, is in its `thread_info` since 5.16, and on 32-bit ARM was in a thread_info on its stack. in_execve is a bit-field.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct thread_info {
	__u32 cpu;
} CORE;

struct task_struct {
	int pid;
	int tgid;
	char comm[16];
	unsigned int __state;
	struct thread_info thread_info;
	unsigned in_execve : 1;
} CORE;

/* As tasks were before 5.14. */
struct task_struct___before_5_14 {
	long state;
} CORE;
/* The same where a long has 4 bytes: a load takes a signed number only with the size that the kernel has. */
struct task_struct___before_5_14_narrow {
	int state;
} CORE;
struct task_struct___before_5_16 {
	unsigned int cpu;
} CORE;
struct task_struct___on_stack {
	void *stack;
} CORE;

enum what { SLEEPS, BEGINS };

struct event {
	enum what what;
	__u32 pid;
	__u32 state;
	/* where the task says that it is, and where it is */
	__u32 cpu;
	__u32 cpu_here;
	__u32 in_execve;
	char comm[16];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

/* Only tasks of this name; all if the user sets none. */
const volatile char only[16] = "";

static __always_inline __u32 state_of(struct task_struct *task)
{
	struct task_struct___before_5_14 *before = (void *)task;
	struct task_struct___before_5_14_narrow *narrow = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	if (bpf_core_field_size(before->state) == 8)
		return BPF_CORE_READ(before, state);
	return BPF_CORE_READ(narrow, state);
}

static __always_inline __u32 cpu_of(struct task_struct *task)
{
	struct task_struct___before_5_16 *before = (void *)task;
	struct task_struct___on_stack *on_stack = (void *)task;
	struct thread_info *info;

	if (bpf_core_field_exists(before->cpu))
		return BPF_CORE_READ(before, cpu);
	if (bpf_core_field_exists(task->thread_info.cpu))
		return BPF_CORE_READ(task, thread_info.cpu);
	if (!bpf_core_field_exists(struct thread_info, cpu))
		return -1;
	info = BPF_CORE_READ(on_stack, stack);
	return BPF_CORE_READ(info, cpu);
}

static __always_inline int tell(enum what what, struct task_struct *task)
{
	char comm[16];

	BPF_CORE_READ_STR_INTO(&comm, task, comm);
	for (int i = 0; i < 16 && only[i]; i++)
		if (comm[i] != only[i])
			return 0;
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event->what = what;
	event->pid = BPF_CORE_READ(task, tgid);
	event->state = state_of(task);
	event->cpu = cpu_of(task);
	event->cpu_here = bpf_get_smp_processor_id();
	event->in_execve = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
	__builtin_memcpy(event->comm, comm, sizeof(comm));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* preempt, the task that leaves the CPU, the one that follows */
SEC("raw_tracepoint/sched_switch")
int sleeps(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];

	return state_of(task) ? tell(SLEEPS, task) : 0;
}

SEC("raw_tracepoint/sched_process_exec")
int begins(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(BEGINS, (struct task_struct *)ctx->args[0]);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
