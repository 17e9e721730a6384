/* Calls back into the first file; `own` is another one. A callback's address is an address in `.text`. */
#include "common.h"

int deeper(int x);

struct {
	__uint(type, ARRAY);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 4);
} slots SEC(".maps");

static __noinline int own(int x)
{
	return x * 5 - (int)bpf_get_current_pid_tgid();
}

static long each(void *map, u32 *key, u64 *value, u64 *total)
{
	*total += *value;
	return 0;
}

__noinline int shared(int x, u64 *where)
{
	if (!where)
		return 0;
	bpf_for_each_map_elem(&slots, each, where, 0);
	return own(x);
}

SEC("raw_tp/sys_enter") int second(void *ctx)
{
	return deeper(own(7));
}

SEC("raw_tp/sys_exit") int third(void *ctx)
{
	return own(9);
}

char LICENSE[] SEC("license") = "GPL";
