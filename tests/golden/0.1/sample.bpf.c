/*
 * A tool in small, with every kind of thing that a pack carries: programs of several types, a subprogram, maps, constants,
 * CO-RE relocations of nearly every kind, one of them for a field that kernel.c lacks and that the program checks first.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __local __attribute__((preserve_access_index))
enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_RINGBUF = 27 };

/* The fields lie elsewhere than in kernel.c: only relocation finds them. */
struct signal_struct {
	unsigned int nr_threads;
} __local;

struct task_struct {
	int pid;
	int tgid;
	unsigned int jobctl_mode : 5;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	char comm[16];
} __local;

struct task_struct___newer {
	int kernel_pid;
} __local;

struct gone_struct {
	int field;
} __local;

enum zone_type { ZONE_NORMAL, ZONE_MOVABLE, ZONE_DEVICE };

struct event {
	__u32 pid;
	__u32 parent;
	__u32 threads;
	__u32 zone;
	__u64 mode;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

extern int LINUX_KERNEL_VERSION __kconfig;
const volatile __s32 targ_pid = 0;
const volatile __u8 level = 3;
__u64 seen = 0;

const struct event *unused_event __attribute__((unused));

static __attribute__((noinline)) int parent_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, real_parent, pid);
}

SEC("tracepoint/syscalls/sys_enter_openat")
int handle_open(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 pid = BPF_CORE_READ(task, tgid);
	struct event *event;
	__u64 one = 1, *count;

	if (targ_pid && targ_pid != pid)
		return 0;
	count = bpf_map_lookup_elem(&counts, &pid);
	if (count)
		__sync_fetch_and_add(count, one);
	else
		bpf_map_update_elem(&counts, &pid, &one, 0);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event->pid = pid;
	event->parent = parent_of(task);
	event->threads = BPF_CORE_READ(task, signal, nr_threads);
	event->zone = bpf_core_enum_value(enum zone_type, ZONE_MOVABLE) + level;
	event->mode = BPF_CORE_READ_BITFIELD_PROBED(task, jobctl_mode);
	bpf_core_read_str(event->comm, sizeof(event->comm), &task->comm);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("raw_tracepoint/sched_switch")
int handle_switch(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct___newer *newer = (void *)task;
	__u64 sum = bpf_core_type_size(struct task_struct) + bpf_core_type_exists(struct gone_struct) +
		    bpf_core_type_id_kernel(struct signal_struct) + bpf_core_type_id_local(struct event) +
		    bpf_core_enum_value_exists(enum zone_type, ZONE_DEVICE) +
		    bpf_core_type_matches(struct signal_struct) + bpf_core_field_size(task->comm);

	if (bpf_core_field_exists(newer->kernel_pid))
		sum += BPF_CORE_READ(newer, kernel_pid);
	__sync_fetch_and_add(&seen, sum);
	return 0;
}

SEC("?kprobe/do_exit")
int handle_exit(void *ctx)
{
	return LINUX_KERNEL_VERSION;
}

char LICENSE[] SEC("license") = "GPL";
