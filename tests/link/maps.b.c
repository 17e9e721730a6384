/* The map that the first file declares; a table of programs, which lies behind the first file's maps. */
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
	__uint(max_entries, 64);
} counts SEC(".maps");

SEC("socket") int one(void *ctx)
{
	return 1;
}
SEC("socket") int two(void *ctx)
{
	struct key key = { .pid = 2 };

	return !!bpf_map_lookup_elem(&counts, &key);
}

struct {
	__uint(type, PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(void *));
} table SEC(".maps") = { .values = { [1] = (void *)&two, [3] = (void *)&one } };

struct {
	__uint(type, RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

SEC("raw_tp/sys_exit") int leave(void *ctx)
{
	struct key key = {};

	return bpf_map_lookup_elem(&table, &key) == bpf_map_lookup_elem(&ring, &key);
}

/* another name of the same words */
char LICENSE[] SEC("license") = "GPL";
