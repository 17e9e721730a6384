/* Relocations whose candidates are dropped, each for another reason: dropped.kernel.c has the types. */
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
#include <bpf/bpf_core_read.h>

#define __local __attribute__((preserve_access_index))

struct box {
	int value;
	int arr[8];
} __local;

struct inner {
	int a;
} __local;

struct shape {
	struct inner in;
} __local;

struct only {
	int x;
} __local;

enum color { RED, BLUE };

SEC("raw_tracepoint/sched_switch")
int dropped(struct box *box)
{
	int sum = box->value;

	sum += box->arr[5];
	sum += bpf_core_type_matches(struct shape);
	sum += bpf_core_type_exists(struct only);
	sum += bpf_core_enum_value_exists(enum color, BLUE);
	return sum;
}
