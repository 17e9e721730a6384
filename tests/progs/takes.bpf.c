/*
 * takes: calls of a function of a program in user space: its arguments, what it returned, and how long it took.
 *
 * Registers and the stack of a process, of any architecture, by corelet_tracing.h: of eight arguments four have registers on 32-bit
 * ARM and all of them on the others. A long and a pointer have 4 or 8 bytes, and what is signed keeps its sign. Which function it is
 * the manifest says, or --attach enters=FILE:FUNCTION --attach leaves=FILE:FUNCTION.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <corelet_tracing.h>

/* Which argument points to text, from 1; 0: none does. */
const volatile __u32 text_argument = 0;

#define ARGUMENTS 8

struct event {
	__u32 pid;
	__u32 us;
	__s64 args[ARGUMENTS];
	__s64 returned;
	char text[16];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

struct call {
	__u64 ns;
	struct event event;
};

/* By thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct call);
} calls SEC(".maps");

SEC("uprobe")
int BPF_UPROBE(enters, unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e, unsigned long f,
	       unsigned long g, unsigned long h)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 thread = id;
	struct call call = { .event = { .pid = id >> 32 } };
	__s64 *args = call.event.args;
	unsigned long text = 0;

	args[0] = corelet_long(a);
	args[1] = corelet_long(b);
	args[2] = corelet_long(c);
	args[3] = corelet_long(d);
	args[4] = corelet_long(e);
	args[5] = corelet_long(f);
	args[6] = corelet_long(g);
	args[7] = corelet_long(h);
	switch (text_argument) {
	case 1: text = a; break;
	case 2: text = b; break;
	case 3: text = c; break;
	case 4: text = d; break;
	case 5: text = e; break;
	case 6: text = f; break;
	case 7: text = g; break;
	case 8: text = h; break;
	}
	if (text)
		bpf_probe_read_user_str(call.event.text, sizeof(call.event.text), (void *)text);
	call.ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&calls, &thread, &call, BPF_ANY);
	return 0;
}

SEC("uretprobe")
int BPF_URETPROBE(leaves, unsigned long result)
{
	__u32 thread = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&calls, &thread);

	if (!call)
		return 0;
	call->event.us = (bpf_ktime_get_ns() - call->ns) / 1000;
	call->event.returned = corelet_long(result);
	bpf_ringbuf_output(&events, &call->event, sizeof(call->event), 0);
	bpf_map_delete_elem(&calls, &thread);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
