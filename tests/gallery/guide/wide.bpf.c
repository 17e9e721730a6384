/* A read of as many bytes as the compiler's long has. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct mm_struct { unsigned long hiwater_rss; } CORE;
struct task_struct { struct mm_struct *mm; } CORE;

__u64 pages;

SEC("raw_tracepoint/sched_process_exit") int ends(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	unsigned long peak = 0;

#ifndef RIGHT
	bpf_core_read(&peak, sizeof(peak), &mm->hiwater_rss);
#else
	peak = BPF_CORE_READ(mm, hiwater_rss);
#endif
	pages += peak;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
