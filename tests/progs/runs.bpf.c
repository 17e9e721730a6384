/*
 * runs: how long each program ran, from its exec to its end, and its exit code.
 *
 * Maps that only some kernels have. A dead branch does not help here, since a map is created before the verifier prunes: so there
 * is a program for each way, and the manifest lists which belong together, best first. When a task's start is kept in the task
 * itself (5.11, of programs that the kernel's types are known to), nothing has to be cleaned up; else, or where the kernel gives no
 * storage after all (7.x on RISC-V), in a hash by pid. Events go through a ring buffer (5.8), else through buffers of each CPU.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <corelet_tracing.h>

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
} CORE;

enum kept { IN_TASK, BY_PID };
enum sent { BY_RING, BY_CPU };

struct event {
	__u32 pid;
	__u32 ms;
	__u32 exit_code;
	enum kept kept;
	enum sent sent;
	char comm[16];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} starts_in_task SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} starts_by_pid SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} buffers SEC(".maps");

static __always_inline struct event told(struct task_struct *task, __u64 start, enum kept kept, enum sent sent)
{
	struct event event = {
		.pid = BPF_CORE_READ(task, tgid),
		.ms = (bpf_ktime_get_ns() - start) / 1000000,
		.exit_code = BPF_CORE_READ(task, exit_code) >> 8,
		.kept = kept,
		.sent = sent,
	};

	bpf_get_current_comm(event.comm, sizeof(event.comm));
	return event;
}

/* Of a process's threads the first one alone; others have no start either. */
static __always_inline bool is_first(struct task_struct *task)
{
	return BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid);
}

static __always_inline int begins(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&starts_by_pid, &pid, &now, BPF_ANY);
	return 0;
}

/* When the process began; 0 where that was not seen. */
static __always_inline __u64 ended(struct task_struct *task)
{
	__u32 pid = BPF_CORE_READ(task, pid);
	__u64 *start = is_first(task) ? bpf_map_lookup_elem(&starts_by_pid, &pid) : NULL;
	__u64 when = start ? *start : 0;

	if (start)
		bpf_map_delete_elem(&starts_by_pid, &pid);
	return when;
}

/* BPF_LOCAL_STORAGE_GET_F_CREATE */
#define CREATE 1

SEC("tp_btf/sched_process_exec")
int BPF_PROG(begins_in_task, struct task_struct *task)
{
	__u64 *start = bpf_task_storage_get(&starts_in_task, task, NULL, CREATE);

	if (!start)
		return begins();
	*start = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ends_in_task, struct task_struct *task)
{
	__u64 *start = bpf_task_storage_get(&starts_in_task, task, NULL, 0);
	__u64 when = start ? *start : ended(task);

	if (!when || !is_first(task))
		return 0;
	struct event event = told(task, when, start ? IN_TASK : BY_PID, BY_RING);

	bpf_ringbuf_output(&ring, &event, sizeof(event), 0);
	return 0;
}

SEC("raw_tracepoint/sched_process_exec")
int begins_for_ring(void *ctx)
{
	return begins();
}

SEC("raw_tracepoint/sched_process_exit")
int ends_by_ring(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u64 start = ended(task);

	if (start) {
		struct event event = told(task, start, BY_PID, BY_RING);

		bpf_ringbuf_output(&ring, &event, sizeof(event), 0);
	}
	return 0;
}

SEC("raw_tracepoint/sched_process_exec")
int begins_for_cpu(void *ctx)
{
	return begins();
}

SEC("raw_tracepoint/sched_process_exit")
int ends_by_cpu(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u64 start = ended(task);

	if (start) {
		struct event event = told(task, start, BY_PID, BY_CPU);

		bpf_perf_event_output(ctx, &buffers, BPF_F_CURRENT_CPU, &event, sizeof(event));
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
