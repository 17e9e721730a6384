/*
 * rss: memory of its own that a process has while it waits.
 *
 * Two shapes of one member, of which a kernel has one. Until 6.1 the counts were an array in a struct of its own, `mm_rss_stat`, a
 * type that newer kernels do not have; since 6.2 there is an array of percpu_counters. Each is a flavor here, chosen at load.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <corelet_tracing.h>

/* of `enum`, without a name, in <linux/mm_types_task.h>: never renumbered */
enum { MM_FILEPAGES, MM_ANONPAGES };

struct percpu_counter {
	__s64 count;
} CORE;
struct mm_struct {
	struct percpu_counter rss_stat[4];
} CORE;

/* an atomic_long_t: as wide as a long */
struct atomic_long {
	unsigned long counter;
} CORE;
typedef struct atomic_long atomic_long_t;
struct mm_rss_stat {
	atomic_long_t count[4];
} CORE;
struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
} CORE;

struct task_struct {
	int tgid;
	char comm[16];
	struct mm_struct *mm;
} CORE;

struct event {
	__u32 pid;
	__s64 anonymous_pages;
	char comm[16];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events SEC(".maps");

/* The process that is watched; all if 0. */
const volatile __u32 pid = 0;

static __always_inline __s64 anonymous(struct mm_struct *mm)
{
	struct mm_struct___before_6_2 *before = (void *)mm;

	if (bpf_core_type_exists(struct mm_rss_stat) && bpf_core_field_exists(before->rss_stat.count)) {
		/* found by its place: the element's type has a name of its own on each width */
		const void *counts = (const void *)before + bpf_core_field_offset(before->rss_stat.count);

		return corelet_long(corelet_read_long(counts, MM_ANONPAGES));
	}
	if (bpf_core_field_exists(mm->rss_stat[MM_ANONPAGES].count))
		return BPF_CORE_READ(mm, rss_stat[MM_ANONPAGES].count);
	return -1;
}

SEC("raw_tracepoint/sched_switch")
int waits(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];
	__u32 who = BPF_CORE_READ(task, tgid);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	/* a thread of the kernel has none */
	if (!mm || (pid && who != pid))
		return 0;
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event->pid = who;
	event->anonymous_pages = anonymous(mm);
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
