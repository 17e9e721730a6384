/*
 * Programs of routes. Each counts echoes to an address of this test, and those among them that are filled with 0xdd, which it drops; they
 * are attached by `ip route add ... encap bpf`, from the pins that `corelet-loader run --name` makes.
 */
#include <linux/bpf.h>

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;

enum counter { IN_SEEN, IN_DROPPED, OUT_SEEN, OUT_DROPPED, XMIT_SEEN, XMIT_DROPPED, SEGMENT_SEEN, SEGMENT_DROPPED, COUNTERS };

u64 hits[COUNTERS];

static __attribute__((always_inline)) void hit(enum counter counter)
{
	__sync_fetch_and_add(&hits[counter], 1);
}

/* An echo request of IPv4, whose header begins where the packet does; its last bytes are what ping fills it with. */
static __attribute__((always_inline)) int echo(struct __sk_buff *skb, enum counter seen)
{
	u8 header[21], last;
	if (skb->len < 84 || bpf_skb_load_bytes(skb, 0, header, 21) || header[0] != 0x45 || header[9] != 1 || header[20] != 8)
		return BPF_OK;
	if (bpf_skb_load_bytes(skb, 83, &last, 1))
		return BPF_OK;
	hit(seen);
	if (last != 0xdd)
		return BPF_OK;
	hit(seen + 1);
	return BPF_DROP;
}

SEC("lwt_in") int route_in(struct __sk_buff *skb) { return echo(skb, IN_SEEN); }
SEC("lwt_out") int route_out(struct __sk_buff *skb) { return echo(skb, OUT_SEEN); }
SEC("lwt_xmit") int route_xmit(struct __sk_buff *skb) { return echo(skb, XMIT_SEEN); }

/* At a segment of IPv6: behind both headers the same bytes fill the packet. */
SEC("lwt_seg6local") int segment(struct __sk_buff *skb)
{
	u8 last;
	if (skb->len < 64 || bpf_skb_load_bytes(skb, skb->len - 1, &last, 1))
		return BPF_OK;
	if (last != 0x55 && last != 0xdd)
		return BPF_OK;
	hit(SEGMENT_SEEN);
	if (last != 0xdd)
		return BPF_OK;
	hit(SEGMENT_DROPPED);
	return BPF_DROP;
}

char LICENSE[] SEC("license") = "GPL";
