/* A register by its offset alone: nothing says of which architecture. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <corelet_tracing.h>

__u64 bytes;

#ifndef RIGHT
SEC("kprobe/vfs_read") int reads(unsigned long long *ctx)
{
	bytes += ctx[2];
#else
SEC("kprobe/vfs_read") int reads(struct pt_regs *ctx)
{
	bytes += PT_REGS_PARM3(ctx);
#endif
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
