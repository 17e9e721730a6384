/* What the other file overrides, and what it does not: the code of an overridden function stays without a name. */
#include "common.h"

struct task_struct {
	int pid;
} __core;

int extra __weak = 100;
int kept __weak = 200;

__weak __noinline int choose(int x)
{
	struct task_struct *t = bpf_get_current_task();
	int pid = 0;

	bpf_probe_read_kernel(&pid, sizeof(pid), &t->pid);
	return pid + x;
}

__weak __noinline int stays(int x)
{
	return x + extra + (int)bpf_get_current_pid_tgid();
}

int absent(void) __weak;

SEC("raw_tp/sys_enter") int enter(void *ctx)
{
	return choose(1) + stays(2) + kept;
}

char LICENSE[] SEC("license") = "GPL";
