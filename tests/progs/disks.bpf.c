/*
 * disks: requests that disks have done: which disk, what for, how many bytes.
 *
 * The hard cases of one struct. A request's disk was `rq_disk` of its own until 5.16 and is `disk` of its queue since 5.17. What it is
 * for is in the low bits of its flags, an enumerator of `enum req_opf`, since 6.0 of `enum req_op`: some were renumbered
 * (REQ_OP_ZONE_APPEND), so each is asked for by name. It looks at requests when they are done: the tracepoint of their
 * start has other arguments since 5.11, and since 5.10.223 too, into which that was put back: a version is a poor witness.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct gendisk {
	char disk_name[32];
} CORE;
struct request_queue {
	struct gendisk *disk;
} CORE;
struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
} CORE;
struct request___before_5_17 {
	struct gendisk *rq_disk;
} CORE;

/* Numbers of this file, which no kernel has to share. */
enum req_op { REQ_OP_READ, REQ_OP_WRITE, REQ_OP_FLUSH, REQ_OP_DISCARD, REQ_OP_ZONE_APPEND };
enum req_opf { REQ_OP_READ___f, REQ_OP_WRITE___f, REQ_OP_FLUSH___f, REQ_OP_DISCARD___f, REQ_OP_ZONE_APPEND___f };

/* The kernel's number of an operation, under either name of its type. */
#define NUMBER(op) (bpf_core_enum_value_exists(enum req_op, op) ? bpf_core_enum_value(enum req_op, op) \
	: bpf_core_enum_value_exists(enum req_opf, op##___f) ? bpf_core_enum_value(enum req_opf, op##___f) : -1)

/* REQ_OP_MASK: operations have 8 bits of the flags */
#define OPERATION 0xff

enum what { READ, WRITE, FLUSH, DISCARD, OTHER };

struct event {
	enum what what;
	__u32 bytes;
	/* the number that this kernel has for appending to a zone */
	__u32 zone_append;
	char disk[16];
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
	struct gendisk *disk = NULL;
	struct request___before_5_17 *before = (void *)request;
	struct request_queue *queue = BPF_CORE_READ(request, q);

	if (bpf_core_field_exists(queue->disk))
		disk = BPF_CORE_READ(queue, disk);
	else if (bpf_core_field_exists(before->rq_disk))
		disk = BPF_CORE_READ(before, rq_disk);
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	__u32 op = BPF_CORE_READ(request, cmd_flags) & OPERATION;

	event->what = op == NUMBER(REQ_OP_READ) ? READ : op == NUMBER(REQ_OP_WRITE) ? WRITE
		: op == NUMBER(REQ_OP_FLUSH) ? FLUSH : op == NUMBER(REQ_OP_DISCARD) ? DISCARD : OTHER;
	event->bytes = ctx->args[2];
	event->zone_append = NUMBER(REQ_OP_ZONE_APPEND);
	BPF_CORE_READ_STR_INTO(&event->disk, disk, disk_name);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
