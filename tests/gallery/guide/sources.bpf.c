/* What other people's sources use of libbpf's headers, beside what the gallery uses: compiled with corelet's, without a warning. */
#ifdef LINUX
/* <linux/bpf.h> as user space has it, in place of a header of all types: no size_t, no bool */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
struct bpf_iter_num { __u64 opaque; };
#define CORE __attribute__((preserve_access_index))
#else
#include <corelet_types.h>
#endif
/* as <stddef.h> has it, included before */
#define offsetof(type, member) __builtin_offsetof(type, member)
#define container_of(pointer, type, member) wrong
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

struct cgroup_subsys_state { int id; } CORE;
struct upid { int nr; void *ns; } CORE;
struct css_set { int refcount; struct upid upids[4]; struct cgroup_subsys_state *subsys[4]; unsigned long counts[4]; } CORE;
struct task_struct { struct css_set *cgroups; int prio:7, policy:3; char comm[16]; const struct task_struct *const real_parent; } CORE;

const volatile int which = 2;
__u64 numbers[16];
char name[16];

SEC("raw_tracepoint/sched_switch") int reads(__u64 *ctx)
{
	/* a type that may not be written to, all the way */
	const struct task_struct *const task = (const void *)ctx[1];
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	const struct task_struct *parent = BPF_CORE_READ(task, real_parent, real_parent);
	int i = which;

	numbers[0] = BPF_CORE_READ(set, subsys[1], id);
	/* an index that is no constant: clang crashed at the size of such an element */
	numbers[1] = BPF_CORE_READ(set, subsys[i], id);
	numbers[2] = (long)CORELET_READ_ELEMENT(set, subsys, i);
	numbers[3] = CORELET_READ_ELEMENT(set, counts, i);
	struct upid *upid = CORELET_ELEMENT(set, upids, i);
	numbers[9] = BPF_CORE_READ(upid, nr);
	numbers[4] = BPF_CORE_READ_BITFIELD_PROBED(task, prio);
	numbers[5] = (long)container_of(&((struct task_struct *)ctx[2])->comm, struct task_struct, comm);
	/* an array by its name, and by its address */
	BPF_CORE_READ_STR_INTO(name, parent, comm);
	BPF_CORE_READ_STR_INTO(&name, parent, comm);
	return 0;
}

SEC("tp_btf/sched_switch") int BPF_PROG(loops, _Bool preempt, struct task_struct *prev)
{
	int i, *number, sum = 0;

	bpf_for(i, 0, 10)
		sum += i;
	bpf_repeat(3)
		sum++;
	bpf_for_each(num, number, 0, 4)
		sum += *number;
	bpf_printk("none");
	bpf_printk("%d", sum);
	bpf_printk("%d %d %d %d", sum, 2, 3, 4);
	BPF_CORE_WRITE_BITFIELD(prev, policy, sum);
	numbers[6] = BPF_CORE_READ_BITFIELD(prev, policy);
	return 0;
}

/* structs by value: of two slots, of one that is not full, and what comes behind them */
struct pair { __u64 first, second; };
struct three { __u8 bytes[3]; };
SEC("fentry/takes_structs")
int BPF_PROG2(by_value, short, before, struct pair, pair, struct three, three, int, behind, void *, pointer)
{
	numbers[10] = before;
	numbers[11] = pair.second;
	numbers[12] = three.bytes[2];
	numbers[13] = behind;
	numbers[14] = (long)pointer;
	return 0;
}

SEC("fexit/takes_nothing") int BPF_PROG2(none)
{
	return 0;
}

SEC("iter/task") int shows(struct { struct { struct seq_file *seq; } *meta; } *ctx)
{
	struct seq_file *seq = ctx->meta->seq;

	BPF_SEQ_PRINTF(seq, "no arguments\n");
	BPF_SEQ_PRINTF(seq, "%d\n", 1);
	return BPF_SNPRINTF(name, sizeof(name), "none");
}

SEC("kprobe/vfs_read") int BPF_KPROBE(enters)
{
	unsigned long from;

	BPF_KPROBE_READ_RET_IP(from, ctx);
	numbers[7] = from;
	return 0;
}

SEC("kretprobe/vfs_read") int BPF_KRETPROBE(returns)
{
	unsigned long from;

	BPF_KRETPROBE_READ_RET_IP(from, ctx);
	numbers[8] = from + __bpf_constant_htons(1) + __bpf_ntohl(2);
	return 0;
}

_Static_assert(__bpf_constant_htons(0x0102) == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0x0201 : 0x0102), "a constant");

char LICENSE[] SEC("license") = "GPL";
