/*
 * uptime: how long the kernel has been up by its ticks and by its clock, and what it was built with, once for each program that
 * begins.
 *
 * Code that depends on the kernel's version and configuration. A tick is 1/CONFIG_HZ of a second, a number that no running
 * kernel tells; the pack has it. Both ways of a choice are in the object: bpf_ktime_get_tai_ns() came with 6.1, and on an older
 * kernel the verifier never looks at its call, since LINUX_KERNEL_VERSION is a constant there.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
/* a number */
extern unsigned int CONFIG_HZ __kconfig;
/* a bool; weak, since configurations leave out what is off */
extern bool CONFIG_PREEMPT_NONE __kconfig __weak;
extern bool CONFIG_PREEMPT __kconfig __weak;
extern bool CONFIG_PREEMPT_VOLUNTARY __kconfig __weak;
/* a tristate: built in here, a module there */
extern enum libbpf_tristate CONFIG_EXT4_FS __kconfig __weak;
/* a string */
extern char CONFIG_LOCALVERSION[16] __kconfig __weak;
extern char CONFIG_DEFAULT_HOSTNAME[16] __kconfig __weak;

enum preemption { UNKNOWN, NONE, VOLUNTARY, FULL };

struct event {
	__u32 pid;
	__u32 version;
	__u64 ticks_ms;
	__u64 clock_ms;
	/* the clock of the world without leap seconds, in seconds since 1970; 0 where the kernel has no such helper */
	__u64 tai;
	__u32 hz;
	enum preemption preemption;
	enum libbpf_tristate ext4;
	char hostname[16];
	char localversion[16];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

SEC("raw_tracepoint/sched_process_exec")
int begins(struct bpf_raw_tracepoint_args *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->version = LINUX_KERNEL_VERSION;
	/* the count of ticks begins five minutes before it wraps round 32 bits (INITIAL_JIFFIES) */
	event->ticks_ms = (bpf_jiffies64() - (__u32)(-300 * CONFIG_HZ)) * 1000 / CONFIG_HZ;
	event->clock_ms = bpf_ktime_get_ns() / 1000000;
	if (LINUX_KERNEL_VERSION >= KERNEL_VERSION(6, 1, 0))
		event->tai = bpf_ktime_get_tai_ns() / 1000000000;
	else
		event->tai = 0;
	event->hz = CONFIG_HZ;
	event->preemption = CONFIG_PREEMPT ? FULL : CONFIG_PREEMPT_VOLUNTARY ? VOLUNTARY : CONFIG_PREEMPT_NONE ? NONE : UNKNOWN;
	event->ext4 = CONFIG_EXT4_FS;
	for (int i = 0; i < 16; i++) {
		event->hostname[i] = CONFIG_DEFAULT_HOSTNAME[i];
		event->localversion[i] = CONFIG_LOCALVERSION[i];
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
