/*
 * Programs of routes, which drop echoes that are filled with 0xdd. They are attached by `ip route add ... encap bpf`, from the pins that
 * `corelet-loader load` makes.
 */
#include <linux/bpf.h>

typedef unsigned char u8;
typedef unsigned int u32;

#define SEC(name) __attribute__((section(name), used))

static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;

/* An echo request of IPv4, whose header begins where the packet does; its last bytes are what ping fills it with. */
static __attribute__((always_inline)) int echo(struct __sk_buff *skb)
{
	u8 header[21], last;
	if (skb->len < 84 || bpf_skb_load_bytes(skb, 0, header, 21) || header[0] != 0x45 || header[9] != 1 || header[20] != 8)
		return BPF_OK;
	if (bpf_skb_load_bytes(skb, 83, &last, 1))
		return BPF_OK;
	return last == 0xdd ? BPF_DROP : BPF_OK;
}

SEC("lwt_in") int route_in(struct __sk_buff *skb) { return echo(skb); }
SEC("lwt_out") int route_out(struct __sk_buff *skb) { return echo(skb); }
SEC("lwt_xmit") int route_xmit(struct __sk_buff *skb) { return echo(skb); }

/* At a segment of IPv6: behind both headers the same bytes fill the packet. */
SEC("lwt_seg6local") int segment(struct __sk_buff *skb)
{
	u8 last;
	if (skb->len < 64 || bpf_skb_load_bytes(skb, skb->len - 1, &last, 1))
		return BPF_OK;
	return last == 0xdd ? BPF_DROP : BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
