/* What a program that takes 8 bytes to a pointer and a `long` for granted sees on a kernel where both have 4, beside what is
 * there. Programs by the remedy and without it, in one place, so that one run tells them apart. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum bpf_map_type { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_RINGBUF = 27 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))
/* include/linux/sched.h */
#define PF_KTHREAD 0x00200000

struct task_struct {
	unsigned int flags;
	void *mm;
	unsigned long nvcsw;
	unsigned long nivcsw;
} CORE;

struct trace_event_raw_sys_exit {
	long id;
	long ret;
} CORE;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} by_mm SEC(".maps");

/* A ring of one page, which is full after a hundred and some: its positions are `unsigned long`s of the kernel. */
struct event {
	__u64 number;
	__u32 flags;
};
const struct event *event_type __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* Labels are in narrow.rs. */
enum { KTHREADS, NULL_SIZED, NULL_WIDE, USERS, FOUND_SIZED, FOUND_WIDE, PREEMPTED, EQUAL_SIZED, EQUAL_WIDE, FAILED, SENT, COUNTS };
__u64 counts[COUNTS];

#define SIZED(dst, task, field) bpf_core_read(dst, bpf_core_field_size((task)->field), &(task)->field)

SEC("raw_tracepoint/sched_switch")
int switched(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 mm = 0, nvcsw = 0, nivcsw = 0, one = 1;
	__u64 wide_mm = (__u64)BPF_CORE_READ(task, mm);
	__u64 wide_nvcsw = BPF_CORE_READ(task, nvcsw);

	SIZED(&mm, task, mm);
	SIZED(&nvcsw, task, nvcsw);
	SIZED(&nivcsw, task, nivcsw);
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (event) {
		event->number = counts[SENT]++;
		event->flags = BPF_CORE_READ(task, flags);
		bpf_ringbuf_submit(event, 0);
	}
	/* A thread of the kernel has no memory of its own; `active_mm`, behind `mm`, is what it borrowed. */
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD) {
		counts[KTHREADS]++;
		counts[NULL_SIZED] += mm == 0;
		counts[NULL_WIDE] += wide_mm == 0;
	} else if (mm) {
		counts[USERS]++;
		bpf_map_update_elem(&by_mm, &mm, &one, 0);
		counts[FOUND_SIZED] += bpf_map_lookup_elem(&by_mm, &mm) != 0;
		counts[FOUND_WIDE] += bpf_map_lookup_elem(&by_mm, &wide_mm) != 0;
	}
	/* `nivcsw` is behind `nvcsw`; a direct load has the kernel's size. */
	if (nivcsw) {
		counts[PREEMPTED]++;
		counts[EQUAL_SIZED] += nvcsw == (__u32)wide_nvcsw;
		counts[EQUAL_WIDE] += wide_nvcsw == nvcsw;
	}
	return 0;
}

/* The load of a signed long is poisoned: the kernel must refuse the program. */
SEC("tracepoint/raw_syscalls/sys_exit")
int failed(struct trace_event_raw_sys_exit *ctx)
{
	counts[FAILED] += ctx->ret < 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
