/*
 * A scheduler of sched_ext: whoever becomes ready goes to the queue of all CPUs. It counts how often it is asked, and its beginning, which
 * may sleep.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __ksym __attribute__((section(".ksyms")))

struct task_struct;
extern void scx_bpf_dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags) __ksym;

#define SCX_DSQ_GLOBAL 0x8000000000000001ULL
#define SCX_SLICE_DFL 20000000ULL

enum counter { ENQUEUED, BEGUN, ENDED, COUNTERS };

u64 hits[COUNTERS];

static __attribute__((always_inline)) void hit(enum counter counter)
{
	__sync_fetch_and_add(&hits[counter], 1);
}

SEC("struct_ops/enqueue") void enqueue(u64 *ctx)
{
	hit(ENQUEUED);
	scx_bpf_dsq_insert((struct task_struct *)ctx[0], SCX_DSQ_GLOBAL, SCX_SLICE_DFL, ctx[1]);
}

SEC("struct_ops.s/init") int begin(u64 *ctx)
{
	hit(BEGUN);
	return 0;
}

SEC("struct_ops/exit") void end(u64 *ctx) { hit(ENDED); }

struct sched_ext_ops {
	void (*enqueue)(struct task_struct *p, u64 enq_flags);
	int (*init)(void);
	void (*exit)(void *info);
	u32 timeout_ms;
	char name[128];
};

SEC(".struct_ops.link") struct sched_ext_ops corelet_scx = {
	.enqueue = (void *)enqueue,
	.init = (void *)begin,
	.exit = (void *)end,
	.timeout_ms = 30000,
	.name = "corelet",
};

char LICENSE[] SEC("license") = "GPL";
