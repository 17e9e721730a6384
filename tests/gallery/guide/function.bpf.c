/* A kernel function that came with 6.2. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct { int tgid; } CORE;

#ifndef RIGHT
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
#else
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
#endif
extern void bpf_task_release(struct task_struct *task) __ksym __weak;

const volatile __s32 wanted = 1;
bool there;

SEC("syscall") int look(void *ctx)
{
#ifdef RIGHT
	if (!bpf_ksym_exists(bpf_task_from_pid))
		return 0;
#endif
	struct task_struct *task = bpf_task_from_pid(wanted);

	there = !!task;
	if (task)
		bpf_task_release(task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
