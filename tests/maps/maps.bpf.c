/* A map of every type that tracing programs use, with what maps hold from the start, sections of variables of its own names, a map
 * that is pinned, and kernel symbols without a type. `checked` counts what came out right; build.sh compiles it. */
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#define __ksym __attribute__((section(".ksyms")))
#define __weak __attribute__((weak))

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static long (*bpf_for_each_map_elem)(void *map, void *callback, void *ctx, u64 flags) = (void *)164;

#define PLAIN(name, number, k, v, entries, flags)                                                                        \
	struct {                                                                                                         \
		__uint(type, number);                                                                                    \
		__type(key, k);                                                                                          \
		__type(value, v);                                                                                        \
		__uint(max_entries, entries);                                                                            \
		__uint(map_flags, flags);                                                                                \
	} name SEC(".maps")
#define UNTYPED(name, number, k, v, entries, flags)                                                                      \
	struct {                                                                                                         \
		__uint(type, number);                                                                                    \
		__uint(key_size, k);                                                                                     \
		__uint(value_size, v);                                                                                   \
		__uint(max_entries, entries);                                                                            \
		__uint(map_flags, flags);                                                                                \
	} name SEC(".maps")

struct odd {
	char bytes[13];
};
struct prefix {
	u32 len;
	char address[16];
};

PLAIN(hash, 1, struct odd, struct odd, 1000, 0);
PLAIN(lazy_hash, 1, u64, u64, 1000, 1);
PLAIN(array, 2, u32, struct odd, 777, 0);
UNTYPED(perf, 4, 4, 4, 0, 0);
PLAIN(percpu_hash, 5, u32, struct odd, 300, 0);
PLAIN(percpu_array, 6, u32, struct odd, 300, 0);
UNTYPED(stacks, 7, 4, 1016, 1000, 0);
UNTYPED(cgroups, 8, 4, 4, 3, 0);
PLAIN(lru_hash, 9, u64, struct odd, 500, 0);
PLAIN(lru_percpu_hash, 10, u64, struct odd, 200, 0);
PLAIN(lpm_trie, 11, struct prefix, u64, 100, 1);
UNTYPED(queue, 22, 0, 24, 50, 0);
UNTYPED(stack, 23, 0, 24, 50, 0);
UNTYPED(ring, 27, 0, 0, 5000, 0);
PLAIN(task_storage, 29, int, u64, 0, 1);
UNTYPED(bloom, 30, 0, 8, 100, 0);
UNTYPED(user_ring, 31, 0, 0, 4096, 0);
PLAIN(cgrp_storage, 32, int, u64, 0, 1);

struct {
	__uint(type, 2);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 1);
	__uint(pinning, 1);
} corelet_pinned SEC(".maps");

struct inner {
	__uint(type, 2);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 4);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, 12);
	__uint(max_entries, 5);
	__type(key, u32);
	__array(values, struct inner);
} array_of_maps SEC(".maps") = { .values = { [1] = &first, [4] = &second } };

struct {
	__uint(type, 13);
	__uint(max_entries, 8);
	__type(key, u32);
	__array(values, struct inner);
} hash_of_maps SEC(".maps") = { .values = { [3] = &second } };

int called(void *ctx);
struct {
	__uint(type, 3);
	__uint(max_entries, 3);
	__uint(key_size, 4);
	__array(values, int(void *));
} programs SEC(".maps") = { .values = { [2] = (void *)&called } };

extern const void _stext __ksym;
extern const void corelet_no_such_symbol __ksym __weak;

volatile u32 checked[8];
volatile u64 address;
volatile u64 data_of_its_own SEC(".data.own") = 0x1122334455667788;
const volatile u32 constants_of_their_own[2] SEC(".rodata.own") = { 7, 9 };
volatile u64 zeros_of_their_own SEC(".bss.own");

static void has(u32 check, int right)
{
	if (right)
		checked[check & 7]++;
}

SEC("raw_tracepoint/sched_switch") int called(void *ctx)
{
	has(7, 1);
	return 0;
}

SEC("raw_tracepoint/sched_switch") int holders(void *ctx)
{
	u32 zero = 0, one = 1, two = 2, three = 3, four = 4;
	u64 *pinned = bpf_map_lookup_elem(&corelet_pinned, &zero);

	if (pinned)
		(*pinned)++;
	has(0, bpf_map_lookup_elem(&array_of_maps, &one) && bpf_map_lookup_elem(&array_of_maps, &four));
	has(1, !bpf_map_lookup_elem(&array_of_maps, &two));
	has(2, bpf_map_lookup_elem(&hash_of_maps, &three) && !bpf_map_lookup_elem(&hash_of_maps, &one));
	address = (u64)&_stext;
	has(3, address >> 32 != 0);
	has(4, &corelet_no_such_symbol == 0);
	has(5, data_of_its_own == 0x1122334455667788 && constants_of_their_own[1] == 9 && !zeros_of_their_own);
	bpf_tail_call(ctx, &programs, 2);
	/* never reached: a tail call that works does not return */
	has(6, 1);
	return 0;
}

static long each(void *map, const void *key, void *value, void *ctx)
{
	return 0;
}

/* What the interpreter cannot run. */
SEC("raw_tracepoint/sched_switch") int callback(void *ctx)
{
	return bpf_for_each_map_elem(&array, each, 0, 0);
}

char LICENSE[] SEC("license") = "GPL";
