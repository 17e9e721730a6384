/* Subprograms of the other file, and static ones on both sides: calls by symbol, by section and within a section. */
#include "common.h"

int shared(int x, u64 *where);
u64 sum;

static __noinline int own(int x)
{
	return x * 3 + (int)bpf_get_current_pid_tgid();
}

__noinline int deeper(int x)
{
	return own(x) + own(x + 1);
}

SEC("raw_tp/sys_enter") int first(void *ctx)
{
	u64 here = 5;

	sum += shared(own(1), &here) + here;
	return deeper(2);
}

char LICENSE[] SEC("license") = "GPL";
