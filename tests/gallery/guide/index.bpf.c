/* An element at a variable index: relocation finds the array, and how far its elements lie apart is the compiler's. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct zone {
	unsigned long _watermark[4];
} CORE;

const volatile __u32 which = 1;
__u64 pages;

SEC("raw_tracepoint/mm_page_alloc") int marks(struct bpf_raw_tracepoint_args *ctx)
{
	struct zone *zone = (struct zone *)ctx->args[0];
	__u32 i = which;

#ifndef RIGHT
	pages += BPF_CORE_READ(zone, _watermark[i]);
#else
	pages += CORELET_READ_ELEMENT(zone, _watermark, i);
#endif
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
