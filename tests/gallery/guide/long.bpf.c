/* A signed long, which has 4 bytes on 32 bits. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <corelet_tracing.h>

struct trace_event_raw_sys_exit { long ret; } CORE;

__u64 failed;

SEC("tracepoint/raw_syscalls/sys_exit") int leaves(struct trace_event_raw_sys_exit *ctx)
{
#ifndef RIGHT
	failed += ctx->ret < 0;
#else
	failed += CORELET_READ_LONG(ctx, ret) < 0;
#endif
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
