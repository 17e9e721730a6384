/*
 * tally: how many of the programs that begin are known by name, each counted as often as the user says.
 *
 * Variables of every section: `weight` is set before the program is loaded and then a constant (.rodata), the names are a table
 * that is never written (.rodata), `limit` begins with a value (.data), the counts begin with 0 (.bss) and are read at the end.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>

#define NAMES 3

const volatile __u32 weight = 1;
static const char names[NAMES][16] = { "true", "cat", "id" };
__u64 limit = 1000000;

/* By the places of `names`, and what is in none. */
__u64 counts[NAMES + 1];

SEC("raw_tracepoint/sched_process_exec")
int begins(struct bpf_raw_tracepoint_args *ctx)
{
	char comm[16] = {};
	int found = NAMES;

	bpf_get_current_comm(comm, sizeof(comm));
	for (int n = 0; n < NAMES; n++) {
		bool same = true;

		for (int i = 0; i < 16 && same; i++) {
			/* the compiler may not turn the table into code */
			const volatile char *name = names[n];

			same = comm[i] == name[i];
			if (!comm[i])
				break;
		}
		if (same)
			found = n;
	}
	if (found >= 0 && found <= NAMES && counts[found] < limit)
		__sync_fetch_and_add(&counts[found], weight);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
