/*
 * A TCP congestion control whose window is what it begins with: enough to be in use by a connection that carries little, and each of its
 * functions counts. Its struct has some of the kernel's members, in another order.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

enum kind { INIT, AVOID, RELEASED, KINDS };

u64 hits[KINDS];

static __attribute__((always_inline)) void hit(enum kind kind)
{
	__sync_fetch_and_add(&hits[kind], 1);
}

SEC("struct_ops") void begin(u64 *ctx) { hit(INIT); }
SEC("struct_ops/release") void released(u64 *ctx) { hit(RELEASED); }
SEC("struct_ops") u32 threshold(u64 *ctx) { return 10; }
SEC("struct_ops") void avoid(u64 *ctx) { hit(AVOID); }
SEC("struct_ops") u32 undo(u64 *ctx) { return 10; }

struct sock;

struct tcp_congestion_ops___mine {
	char name[16];
	u32 flags;
	void (*init)(struct sock *sk);
	void (*release)(struct sock *sk);
	u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
	u32 (*undo_cwnd)(struct sock *sk);
};

SEC(".struct_ops.link") struct tcp_congestion_ops___mine corelet_cc = {
	.name = "corelet_cc",
	.init = (void *)begin,
	.release = (void *)released,
	.ssthresh = (void *)threshold,
	.cong_avoid = (void *)avoid,
	.undo_cwnd = (void *)undo,
};

/* Registered without a link, as before Linux 6.4. */
SEC(".struct_ops") struct tcp_congestion_ops___mine corelet_old = {
	.name = "corelet_old",
	.init = (void *)begin,
	.ssthresh = (void *)threshold,
	.cong_avoid = (void *)avoid,
	.undo_cwnd = (void *)undo,
};

char LICENSE[] SEC("license") = "GPL";
