/*
 * deadlines: how the scheduler of a disk is set, as it finds itself when the disk has done a request.
 *
 * A type of what is built in here and a module there: mq-deadline's own struct, which kernels built it into have among their types,
 * and others in those of the module `mq-deadline`, which the manifest names. Where neither is there the program says so.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* of block/mq-deadline.c: times in ticks, for reads and for writes */
struct deadline_data {
	int fifo_expire[2];
	int fifo_batch;
	int writes_starved;
	int front_merges;
} CORE;

struct elevator_type {
	const char *elevator_name;
} CORE;
struct elevator_queue {
	struct elevator_type *type;
	void *elevator_data;
} CORE;
struct request_queue {
	struct elevator_queue *elevator;
} CORE;
struct request {
	struct request_queue *q;
} CORE;

struct event {
	/* the scheduler; empty where the disk has none */
	char scheduler[16];
	__u32 bytes;
	bool known;
	__s32 read_expire, write_expire, batch, starved, front_merges;
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

/* the request, an error, how many bytes of it are done */
SEC("raw_tracepoint/block_rq_complete")
int completes(struct bpf_raw_tracepoint_args *ctx)
{
	struct request *request = (struct request *)ctx->args[0];
	struct elevator_queue *elevator = BPF_CORE_READ(request, q, elevator);
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->bytes = ctx->args[2];
	if (elevator) {
		const char *name = BPF_CORE_READ(elevator, type, elevator_name);
		const char deadline[] = "mq-deadline";
		bool same = true;

		bpf_probe_read_kernel_str(event->scheduler, sizeof(event->scheduler), name);
		for (int i = 0; i < sizeof(deadline); i++)
			if (event->scheduler[i] != deadline[i])
				same = false;
		if (same && bpf_core_type_exists(struct deadline_data)) {
			struct deadline_data *data = BPF_CORE_READ(elevator, elevator_data);

			event->known = true;
			event->read_expire = BPF_CORE_READ(data, fifo_expire[0]);
			event->write_expire = BPF_CORE_READ(data, fifo_expire[1]);
			event->batch = BPF_CORE_READ(data, fifo_batch);
			event->starved = BPF_CORE_READ(data, writes_starved);
			event->front_merges = BPF_CORE_READ(data, front_merges);
		}
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
