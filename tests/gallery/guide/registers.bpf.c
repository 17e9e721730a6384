/* Registers where the compiler saw them. */
#include <corelet_types.h>
#include <corelet_tracing.h>

/* as the headers of AArch64 have them */
struct user_pt_regs { __u64 regs[31], sp, pc, pstate; };

__u64 bytes;

#ifndef RIGHT
SEC("kprobe/vfs_read") int reads(struct user_pt_regs *ctx)
{
	bytes += ctx->regs[2];
#else
SEC("kprobe/vfs_read") int BPF_KPROBE(reads, struct file *file, char *buffer, size_t count)
{
	bytes += count;
#endif
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
