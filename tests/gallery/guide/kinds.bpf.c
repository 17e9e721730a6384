/* The wrong form of registers.bpf.c in every kind of program that is given some: PERF_EVENT, RAW_TP, SUBPROGRAM, CALLBACK, both
 * of these KEPT in a struct, or SEC(KIND); TASK, which asks for some; and OTHER, which has another way beside SEC(KIND). */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>

/* as the headers of AArch64 have them */
struct user_pt_regs { __u64 regs[31], sp, pc, pstate; };
struct bpf_perf_event_data { struct user_pt_regs regs; __u64 sample_period, addr; };

__u64 bytes;

#if defined(PERF_EVENT)
SEC("perf_event") int reads(struct bpf_perf_event_data *ctx)
{
	bytes += ctx->regs.pc;
	return 0;
}
#elif defined(RAW_TP)
SEC("raw_tracepoint/sys_enter") int reads(struct bpf_raw_tracepoint_args *ctx)
{
	struct user_pt_regs *saved = (struct user_pt_regs *)ctx->args[0];
	__u64 count = 0;

	bpf_probe_read_kernel(&count, sizeof(count), &saved->regs[2]);
	bytes += count;
	return 0;
}
#elif defined(SUBPROGRAM)
static __noinline __u64 third(struct user_pt_regs *ctx)
{
	return ctx->regs[2];
}
SEC("kprobe/vfs_read") int reads(struct user_pt_regs *ctx)
{
	bytes += third(ctx);
	return 0;
}
#elif defined(CALLBACK)
static long third(__u64 i, struct user_pt_regs *ctx)
{
	bytes += ctx->regs[2];
	return 0;
}
SEC("kprobe/vfs_read") int reads(struct user_pt_regs *ctx)
{
	return bpf_loop(1, third, ctx, 0);
}
#elif defined(KEPT)
struct kept { __u64 factor; struct user_pt_regs *ctx; };
static __noinline __u64 third(struct kept *kept)
{
	return kept->ctx->regs[2] * kept->factor;
}
static long each(__u64 i, struct kept *kept)
{
	bytes += KEPT ? kept->ctx->regs[2] : third(kept);
	return 0;
}
SEC("kprobe/vfs_read") int reads(struct user_pt_regs *ctx)
{
	struct kept kept = { .factor = bytes, .ctx = ctx };

	return bpf_loop(1, each, &kept, 0);
}
#elif defined(TASK)
SEC("raw_tracepoint/sched_switch") int reads(void *ctx)
{
	struct user_pt_regs *saved = (struct user_pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	bytes += saved->regs[2];
	return 0;
}
#else
#ifdef OTHER
SEC("raw_tracepoint/sched_switch") int other(void *ctx)
{
	return 0;
}
#endif
SEC(KIND) int reads(struct user_pt_regs *ctx)
{
	bytes += ctx->regs[2];
	return 0;
}
#endif

char LICENSE[] SEC("license") = "GPL";
