/*
 * What NAME reads of the kernel's types: clang writes the relocations, rustc has none. Each function is declared in main.rs too.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Of the kernel's types only what is read, in any order: relocation finds where each kernel has it. */
struct task_struct {
	int tgid;
	struct task_struct *real_parent;
} CORE;

__u32 task_pid(struct task_struct *task)
{
	return BPF_CORE_READ(task, tgid);
}

__u32 task_parent(struct task_struct *task)
{
	return BPF_CORE_READ(task, real_parent, tgid);
}
