/* Helpers that some kernels are built without, called always and behind conditions. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_helpers.h>

const volatile int stacks = 0;
__u64 last;

static __attribute__((noinline)) int refuse(void *ctx)
{
	return bpf_override_return(ctx, -1);
}

SEC("kprobe/do_open")
int handle_open(void *ctx)
{
	last = bpf_get_current_cgroup_id();
	refuse(ctx);
	if (stacks)
		bpf_get_task_stack((void *)bpf_get_current_task_btf(), &last, 8, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
