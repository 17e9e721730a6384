/* Types that each file declares as it needs them: one name in two shapes, declarations of what the other has whole. */
#include "common.h"

struct mm_struct;
struct task_struct {
	int pid;
	struct task_struct *real_parent;
	struct mm_struct *mm;
} __core;
struct list {
	struct list *next;
	struct tree *tree;
};

u64 seen;
struct list head;

SEC("raw_tp/sys_enter") int enter(void *ctx)
{
	struct task_struct *t = bpf_get_current_task(), *parent = 0;
	int pid = 0;

	bpf_probe_read_kernel(&parent, sizeof(parent), &t->real_parent);
	bpf_probe_read_kernel(&pid, sizeof(pid), &parent->pid);
	if (__builtin_preserve_field_info(t->mm, 2))
		seen += pid;
	seen += __builtin_preserve_type_info(*(struct task_struct *)0, 0);
	return head.next == &head;
}

char LICENSE[] SEC("license") = "GPL";
