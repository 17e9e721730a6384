/* Which arguments a tracepoint gives, by the type of the functions that take them: a pointer to a function is matched with what it
 * leads to. Versions do not tell: what 5.11 changed here was put back into 5.10.223. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct request;
struct request_queue;
typedef void (*btf_trace_block_rq_issue)(void *, struct request *);
typedef void (*btf_trace_block_rq_issue___queue)(void *, struct request_queue *, struct request *);

bool request_alone, queue_first;

SEC("raw_tracepoint/block_rq_issue")
int issues(void *ctx)
{
	request_alone = bpf_core_type_matches(btf_trace_block_rq_issue);
	queue_first = bpf_core_type_matches(btf_trace_block_rq_issue___queue);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
