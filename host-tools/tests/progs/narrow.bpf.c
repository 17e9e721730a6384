/* What goes wrong on a kernel whose pointers and `long` have 4 bytes, and what does not. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum bpf_map_type { BPF_MAP_TYPE_HASH = 1 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct item {
	unsigned long key;
	long state;
	unsigned long flags;
	struct item *next;
	struct item *owner;
	int pid;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, unsigned long);
	__type(value, unsigned long);
} seen SEC(".maps");

unsigned long printed;

/* A signed long of another size: its load is poisoned. */
SEC("raw_tracepoint/signed_long")
int signed_long(struct item *item)
{
	return item->state;
}

/* An unsigned one is loaded as it is there. */
SEC("raw_tracepoint/unsigned_long")
int unsigned_long(struct item *item)
{
	return item->flags;
}

SEC("raw_tracepoint/null_test")
int null_test(struct item *item)
{
	return !BPF_CORE_READ(item, next);
}

SEC("raw_tracepoint/map_key")
int map_key(struct item *item)
{
	unsigned long key = BPF_CORE_READ(item, key);

	return !bpf_map_lookup_elem(&seen, &key);
}

SEC("raw_tracepoint/print")
int print(struct item *item)
{
	printed = BPF_CORE_READ(item, flags);
	return 0;
}

/* The kernel takes the low half of an address. */
SEC("raw_tracepoint/hops")
int hops(struct item *item)
{
	return BPF_CORE_READ(item, next, owner, pid);
}

/* The remedy. */
SEC("raw_tracepoint/sized")
int sized(struct item *item)
{
	unsigned long key = 0;

	bpf_core_read(&key, bpf_core_field_size(item->key), &item->key);
	printed = key;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
