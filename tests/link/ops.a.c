/* A congestion control of each file: tables of functions, whose relocations lie in data. */
#include "common.h"

struct tcp_congestion_ops {
	void (*init)(void *sk);
	u32 (*ssthresh)(void *sk);
	u32 (*undo_cwnd)(void *sk);
	void (*cong_avoid)(void *sk, u32 ack, u32 acked);
	char name[16];
};

SEC("struct_ops/one_ssthresh") u32 one_ssthresh(u64 *ctx)
{
	return 2;
}
SEC("struct_ops/one_undo") u32 one_undo(u64 *ctx)
{
	return 10;
}
SEC("struct_ops/one_avoid") void one_avoid(u64 *ctx)
{
}

SEC(".struct_ops") struct tcp_congestion_ops one = {
	.ssthresh = (void *)one_ssthresh,
	.undo_cwnd = (void *)one_undo,
	.cong_avoid = (void *)one_avoid,
	.name = "one",
};

char LICENSE[] SEC("license") = "GPL";
