/*
 * cpus: on which CPUs a process that begins may run, and which are there.
 *
 * CPU masks, which were called impossible for CO-RE. A mask is an array of longs, of 4 or 8 bytes; a `cpumask_var_t` is the mask
 * itself, as an array of one, or with CONFIG_CPUMASK_OFFSTACK a pointer to one as large as the machine has CPUs. Array and
 * pointer do not fit each other, so of two flavors one is there: no configuration has to be known. The event tells it beside.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct cpumask {
	unsigned long bits[1];
} CORE;
typedef struct cpumask cpumask_t;

struct root_domain___inside {
	struct cpumask online[1];
} CORE;
struct root_domain___apart {
	struct cpumask *online;
} CORE;
struct rq {
	struct root_domain *rd;
} CORE;
struct cfs_rq {
	struct rq *rq;
} CORE;
struct sched_entity {
	struct cfs_rq *cfs_rq;
} CORE;
struct task_struct {
	int tgid;
	char comm[16];
	cpumask_t cpus_mask;
	struct sched_entity se;
} CORE;

extern bool CONFIG_CPUMASK_OFFSTACK __kconfig __weak;

struct event {
	__u32 pid;
	/* bit n: CPU n */
	__u32 allowed;
	__u32 online;
	/* whether the second mask lies apart */
	bool apart;
	/* whether the configuration says so */
	bool configured;
	char comm[16];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

SEC("raw_tracepoint/sched_process_exec")
int begins(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	void *domain = BPF_CORE_READ(task, se.cfs_rq, rq, rd);
	struct root_domain___inside *inside = domain;
	struct root_domain___apart *apart = domain;
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->pid = BPF_CORE_READ(task, tgid);
	event->allowed = BPF_CORE_READ(task, cpus_mask.bits[0]);
	event->configured = CONFIG_CPUMASK_OFFSTACK;
	if (bpf_core_field_exists(apart->online)) {
		event->apart = true;
		event->online = BPF_CORE_READ(apart, online, bits[0]);
	} else {
		event->online = BPF_CORE_READ(inside, online[0].bits[0]);
	}
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
