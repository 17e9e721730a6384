/* A program on a tracepoint that only kernels with ext4 have. */
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef unsigned short __u16;
typedef unsigned char __u8;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_helpers.h>

SEC("tracepoint/ext4/ext4_sync_file_enter")
int sync_file(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
