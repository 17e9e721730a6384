#include "common.h"

struct mm_struct {
	u64 total_vm;
} __core;
struct task_struct {
	u32 flags;
	struct mm_struct *mm;
} __core;
struct thread_info___missing {
	int nothing;
} __core;
struct tree {
	struct list *first;
	u64 size;
};
struct list {
	struct list *next;
	struct tree *tree;
};
enum bpf_map_type___of { BPF_MAP_TYPE_RINGBUF = 27 };

extern u64 seen;
extern struct list head;
struct tree root;

SEC("raw_tp/sys_exit") int leave(void *ctx)
{
	struct task_struct *t = bpf_get_current_task();
	struct mm_struct *mm = 0;
	u64 total = 0;

	bpf_probe_read_kernel(&mm, sizeof(mm), &t->mm);
	bpf_probe_read_kernel(&total, sizeof(total), &mm->total_vm);
	seen += total + __builtin_preserve_type_info(*(struct thread_info___missing *)0, 0);
	seen += __builtin_btf_type_id(*(struct task_struct *)0, 0);
	seen += __builtin_btf_type_id(*(struct mm_struct *)0, 1);
	seen += __builtin_preserve_enum_value(*(enum bpf_map_type___of *)BPF_MAP_TYPE_RINGBUF, 1);
	root.first = head.next;
	return 0;
}
