/* What does not fit the declarations of the pairs: each of them is refused together with this. */
#include "common.h"

struct key {
	u32 pid, cpu;
};
struct value {
	u64 count;
	struct key last;
};

struct {
	__uint(type, HASH);
	__type(key, struct key);
	__type(value, struct value);
	__uint(max_entries, 65);
} counts SEC(".maps");

u64 there = 1;

__noinline int shared(long x, u64 *where)
{
	return x + (int)bpf_get_current_pid_tgid();
}

__noinline void bpf_rcu_read_lock(void)
{
	there = bpf_get_current_pid_tgid();
}

int step = 1;
