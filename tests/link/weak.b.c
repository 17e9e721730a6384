#include "common.h"

struct task_struct {
	int tgid;
} __core;

int extra = 1;
int kept __weak = 2;
int choose(int x);

__weak __noinline int stays(int x)
{
	return x - extra;
}

__noinline int choose(int x)
{
	struct task_struct *t = bpf_get_current_task();
	int tgid = 0;

	bpf_probe_read_kernel(&tgid, sizeof(tgid), &t->tgid);
	return tgid - x;
}

SEC("raw_tp/sys_exit") int leave(void *ctx)
{
	return stays(3) + choose(4) + kept;
}
