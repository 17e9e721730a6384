#include "common.h"

struct tcp_congestion_ops {
	void (*init)(void *sk);
	u32 (*ssthresh)(void *sk);
	u32 (*undo_cwnd)(void *sk);
	void (*cong_avoid)(void *sk, u32 ack, u32 acked);
	char name[16];
};

u64 inits;

SEC("struct_ops/two_init") void two_init(u64 *ctx)
{
	inits++;
}
SEC("struct_ops/one_undo") u32 two_undo(u64 *ctx)
{
	return 20;
}

/* the first file's function too */
u32 one_ssthresh(u64 *ctx);
void one_avoid(u64 *ctx);

SEC(".struct_ops") struct tcp_congestion_ops two = {
	.init = (void *)two_init,
	.ssthresh = (void *)one_ssthresh,
	.undo_cwnd = (void *)two_undo,
	.cong_avoid = (void *)one_avoid,
	.name = "two",
};
