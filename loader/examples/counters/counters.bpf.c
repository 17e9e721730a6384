/*
 * counters: how many programs begin, by name, and each name's first; for counters.rs, which sets `step` and reads the rest.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>

struct name {
	char text[16];
};

/* What each begin counts. */
__u32 step = 1;
/* All of them. */
__u64 total;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct name);
	__type(value, __u64);
} by_name SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} firsts SEC(".maps");

SEC("raw_tracepoint/sched_process_exec")
int begins(void *ctx)
{
	struct name name = {};
	__u64 first = step, *count;

	bpf_get_current_comm(&name, sizeof(name));
	__sync_fetch_and_add(&total, step);
	count = bpf_map_lookup_elem(&by_name, &name);
	if (count) {
		__sync_fetch_and_add(count, step);
		return 0;
	}
	bpf_map_update_elem(&by_name, &name, &first, BPF_NOEXIST);
	bpf_ringbuf_output(&firsts, &name, sizeof(name), 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
