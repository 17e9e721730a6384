/*
 * An object that is compiled without types, as others still are: neither .BTF nor .maps, a variable and a subprogram.
 * untyped.bpf.o is made of it by build.sh.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";
unsigned int packets;
const volatile unsigned int least = 60;

static __attribute__((noinline)) int is_short(unsigned int len)
{
	return len < least;
}

SEC("xdp")
int untyped(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&packets, 1);
	return is_short(ctx->data_end - ctx->data) ? XDP_DROP : XDP_PASS;
}
