/*
 * A map of each type that programs of the network use, and values that the kernel knows by their types: timers, spin locks, pointers of
 * its own. What a program does with one counts in a slot of its own. Beside tests/maps, which has those of tracing.
 */
#include <linux/bpf.h>

typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int(*name)[val]

#define __type(name, val) typeof(val) *name
#define __ksym __attribute__((section(".ksyms")))
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __arena __attribute__((address_space(1)))

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static void *(*bpf_get_local_storage)(void *map, u64 flags) = (void *)81;
static long (*bpf_map_push_elem)(void *map, const void *value, u64 flags) = (void *)87;
static long (*bpf_map_pop_elem)(void *map, void *value) = (void *)88;
static long (*bpf_map_peek_elem)(void *map, void *value) = (void *)89;
static long (*bpf_spin_lock)(struct bpf_spin_lock *lock) = (void *)93;
static long (*bpf_spin_unlock)(struct bpf_spin_lock *lock) = (void *)94;
static void *(*bpf_sk_storage_get)(void *map, void *sk, void *value, u64 flags) = (void *)107;
static void *(*bpf_task_storage_get)(void *map, void *task, void *value, u64 flags) = (void *)156;
static void *(*bpf_get_current_task_btf)(void) = (void *)158;
static long (*bpf_timer_init)(struct bpf_timer *timer, void *map, u64 flags) = (void *)169;
static long (*bpf_timer_set_callback)(struct bpf_timer *timer, void *callback) = (void *)170;
static long (*bpf_timer_start)(struct bpf_timer *timer, u64 nsecs, u64 flags) = (void *)171;
static void *(*bpf_kptr_xchg)(void *value, void *ptr) = (void *)194;
static long (*bpf_user_ringbuf_drain)(void *map, void *callback, void *ctx, u64 flags) = (void *)209;

enum kind { CGROUP, CGROUP_CPU, SOCKET, TIMER, LOCK, QUEUE, STACK, BLOOM, TASK, POINTER, USER, ARENA, VARIABLE, KINDS };

u64 hits[KINDS];

static __attribute__((always_inline)) void hit(enum kind kind)
{
	__sync_fetch_and_add(&hits[kind], 1);
}

#define MAP(number, entries, key_type, value_type)                                                                           \
	{                                                                                                                    \
		__uint(type, number);                                                                                        \
		__uint(max_entries, entries);                                                                                \
		__type(key, key_type);                                                                                       \
		__type(value, value_type);                                                                                   \
	}

/* Made, and used by nobody here: their values are descriptors and the like, which user space puts there. */
struct MAP(BPF_MAP_TYPE_DEVMAP, 4, u32, u32) devices SEC(".maps");
struct MAP(BPF_MAP_TYPE_DEVMAP_HASH, 4, u32, u32) devices_by_name SEC(".maps");
struct MAP(BPF_MAP_TYPE_CPUMAP, 1, u32, u32) cpus SEC(".maps");
struct MAP(BPF_MAP_TYPE_XSKMAP, 4, u32, u32) xdp_sockets SEC(".maps");
struct MAP(BPF_MAP_TYPE_SOCKMAP, 4, u32, u32) stream SEC(".maps");
struct MAP(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, u32, u64) group SEC(".maps");
struct MAP(BPF_MAP_TYPE_CGROUP_ARRAY, 4, u32, u32) cgroups SEC(".maps");

/* Left out before Linux 7.2, since no program uses it. */
struct {
	__uint(type, 35 /* BPF_MAP_TYPE_RHASH */);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u64);
} resizable SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, u64);
} of_cgroup SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, u64);
} of_cgroup_and_cpu SEC(".maps");

#define STORAGE(number)                                                                                                      \
	{                                                                                                                    \
		__uint(type, number);                                                                                        \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                        \
		__type(key, int);                                                                                            \
		__type(value, u64);                                                                                          \
	}

struct STORAGE(BPF_MAP_TYPE_SK_STORAGE) of_socket SEC(".maps");
struct STORAGE(BPF_MAP_TYPE_INODE_STORAGE) of_inode SEC(".maps");
struct STORAGE(BPF_MAP_TYPE_TASK_STORAGE) of_task SEC(".maps");
struct STORAGE(32 /* BPF_MAP_TYPE_CGRP_STORAGE */) of_any_cgroup SEC(".maps");

#define VALUES(number)                                                                                                       \
	{                                                                                                                    \
		__uint(type, number);                                                                                        \
		__uint(max_entries, 16);                                                                                     \
		__type(value, u32);                                                                                          \
	}

struct VALUES(BPF_MAP_TYPE_QUEUE) queue SEC(".maps");
struct VALUES(BPF_MAP_TYPE_STACK) stack SEC(".maps");
struct VALUES(BPF_MAP_TYPE_BLOOM_FILTER) bloom SEC(".maps");

struct timed {
	struct bpf_timer timer;
};
struct MAP(BPF_MAP_TYPE_ARRAY, 1, u32, struct timed) timers SEC(".maps");

struct locked {
	struct bpf_spin_lock lock;
	u32 number;
};

struct MAP(BPF_MAP_TYPE_ARRAY, 1, u32, struct locked) locks SEC(".maps");

/* The kernel looks for a struct of this name: a declaration alone would be none. */
struct task_struct {
	int pid;
};
struct kept {
	struct task_struct __kptr *task;
};
struct MAP(BPF_MAP_TYPE_ARRAY, 1, u32, struct kept) tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} from_user SEC(".maps");

struct {
	__uint(type, 33 /* BPF_MAP_TYPE_ARENA */);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
} arena SEC(".maps");

SEC("cgroup/connect4") int storages(void *ctx)
{
	u64 *one = bpf_get_local_storage(&of_cgroup, 0), *other = bpf_get_local_storage(&of_cgroup_and_cpu, 0);
	if (!__sync_fetch_and_add(one, 1))
		hit(CGROUP);
	if (!(*other)++)
		hit(CGROUP_CPU);
	return 1;
}

SEC("cgroup/sock_create") int socket(struct bpf_sock *ctx)
{
	u64 *value = bpf_sk_storage_get(&of_socket, ctx, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (value && !(*value)++)
		hit(SOCKET);
	return 1;
}

static int ring(void *map, u32 *key, struct timed *value)
{
	hit(TIMER);
	return 0;
}

SEC("cgroup/bind4") int values(void *ctx)
{
	u32 zero = 0, number = 7;
	struct locked *l = bpf_map_lookup_elem(&locks, &zero);
	if (l) {
		bpf_spin_lock(&l->lock);
		number += l->number++;
		bpf_spin_unlock(&l->lock);
		hit(LOCK);
	}
	if (!bpf_map_push_elem(&queue, &number, 0) && !bpf_map_pop_elem(&queue, &number))
		hit(QUEUE);
	if (!bpf_map_push_elem(&stack, &number, 0) && !bpf_map_pop_elem(&stack, &number))
		hit(STACK);
	if (!bpf_map_push_elem(&bloom, &number, 0) && !bpf_map_peek_elem(&bloom, &number))
		hit(BLOOM);
	return 1;
}

SEC("cgroup_skb/egress") int later(struct __sk_buff *skb)
{
	u32 zero = 0;
	struct timed *t = bpf_map_lookup_elem(&timers, &zero);
	if (t && !bpf_timer_init(&t->timer, &timers, 1)) {
		bpf_timer_set_callback(&t->timer, ring);
		bpf_timer_start(&t->timer, 1000000, 0);
	}
	return 1;
}

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, u32 pages, int node, u64 flags) __ksym;

struct file;

SEC("lsm/socket_bind") int pointers(u64 *ctx)
{
	u32 zero = 0;
	struct task_struct *task = bpf_get_current_task_btf(), *old;
	u64 *value = bpf_task_storage_get(&of_task, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (value && !(*value)++)
		hit(TASK);
	struct kept *kept = bpf_map_lookup_elem(&tasks, &zero);
	task = bpf_task_acquire(task);
	if (!task)
		return 0;
	if (kept) {
		old = bpf_kptr_xchg(&kept->task, task);
		if (old) {
			bpf_task_release(old);
			hit(POINTER);
		}
	} else {
		bpf_task_release(task);
	}
	return 0;
}

static long sample(void *dynptr, void *ctx)
{
	return 0;
}

u32 __arena *page;
/* What the arena begins with. */
u64 __arena before = 7, first = 41;

SEC("lsm.s/socket_bind") int pages(u64 *ctx)
{
	if (!bpf_user_ringbuf_drain(&from_user, sample, 0, 0))
		hit(USER);
	if (!page)
		page = bpf_arena_alloc_pages(&arena, 0, 1, -1, 0);
	if (page) {
		page[3]++;
		hits[ARENA] = page[3];
	}
	if (before == 7)
		hits[VARIABLE] = ++first;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
