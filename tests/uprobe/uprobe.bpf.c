/* Programs of every kind that is attached in user space, on the functions and the probe of probed.c. Each reports what it reads of
 * arguments and results. USDT as users write it, by libbpf's usdt.bpf.h.
 */
#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>

/* Registers as the kernel saves them, with the sizes that they have there. */
#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};
#elif defined(__TARGET_ARCH_riscv)
struct user_regs_struct {
	__u64 pc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
};
#elif defined(__TARGET_ARCH_arm)
struct pt_regs {
	__u32 uregs[18];
};
#endif

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum kind { ENTER, LEAVE, MANY, TICK };

struct event {
	__u32 kind;
	int first, second, third;
};
const struct event *event_type __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

static __always_inline int send(enum kind kind, int first, int second, int third)
{
	struct event event = { kind, first, second, third };

	bpf_ringbuf_output(&events, &event, sizeof(event), 0);
	return 0;
}

SEC("uprobe//corelet/probed:probed_add")
int enter(struct pt_regs *ctx)
{
	return send(ENTER, PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), 0);
}

SEC("uretprobe//corelet/probed:probed_add")
int leave(struct pt_regs *ctx)
{
	return send(LEAVE, PT_REGS_RC(ctx), 0, 0);
}

SEC("uprobe.multi//corelet/probed:many_*")
int many(struct pt_regs *ctx)
{
	return send(MANY, PT_REGS_PARM1(ctx), 0, 0);
}

SEC("usdt//corelet/probed:corelet:tick")
int BPF_USDT(tick, int constant, int in_register, int in_memory)
{
	return send(TICK, constant, in_register, in_memory);
}

/* What is not there, and may be missing. */
SEC("uprobe//corelet/probed:no_such_function")
int absent(struct pt_regs *ctx)
{
	return send(ENTER, -1, -1, -1);
}
