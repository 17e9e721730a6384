/* Programs that a kernel must refuse, each for a reason of its own; a manifest takes one of them at a time. */
static void *(*bpf_get_current_task)(void) = (void *)35;

struct task_struct {
	int no_such_field;
} __attribute__((preserve_access_index));

#define SEC(name) __attribute__((section(name), used))

/* Takes a field that no kernel has, without asking first. */
SEC("raw_tracepoint/sched_switch") int takes_a_missing_field(struct task_struct *task)
{
	return task->no_such_field;
}

/* Writes where a program must not. */
SEC("raw_tracepoint/sched_switch") int writes_through_a_number(void *ctx)
{
	*(volatile int *)bpf_get_current_task() = 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
