/* Maps of the other file, and maps and programs that maps hold from the start. */
#include "common.h"

struct key {
	u32 pid, cpu;
};
struct value {
	u64 count;
	struct key last;
};

extern struct {
	__uint(type, HASH);
	__type(key, struct key);
	__type(value, struct value);
	__uint(max_entries, 64);
} counts SEC(".maps");

struct inner {
	__uint(type, ARRAY);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 8);
} inner_one SEC(".maps"), inner_two SEC(".maps");

struct {
	__uint(type, ARRAY_OF_MAPS);
	__type(key, u32);
	__uint(max_entries, 4);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { [0] = &inner_two, [2] = &inner_one } };

SEC("raw_tp/sys_enter") int enter(void *ctx)
{
	struct key key = { .pid = 1 };
	struct value *v = bpf_map_lookup_elem(&counts, &key);

	if (v)
		v->count++;
	return !bpf_map_lookup_elem(&outer, &key.cpu);
}

char _license[] SEC("license") = "GPL";
