// Programs for every way of attaching to a network device, for tests/net.rs. Each looks at what ICMP echoes carry: those filled with
// 0xdd are dropped, those filled with 0x55 pass, and both are counted. What echoes carry begins with a time, so the sixteenth byte is
// looked at.
// Compiled by build.sh.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name

static long (*bpf_redirect_map)(void *map, u64 key, u64 flags) = (void *)51;
static long (*bpf_skb_load_bytes_relative)(const void *skb, u32 offset, void *to, u32 len, u32 start) = (void *)68;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;

enum counter {
	XDP_SEEN, XDP_DROPPED,
	FRAGS_SEEN, FRAGS_DROPPED,
	TC_SEEN, TC_DROPPED,
	TCX_IN_SEEN, TCX_IN_DROPPED,
	TCX_OUT_SEEN, TCX_OUT_DROPPED,
	ACTION_SEEN, ACTION_DROPPED,
	PRIMARY_SEEN, PRIMARY_DROPPED,
	PEER_SEEN, PEER_DROPPED,
	FILTER_SEEN, FILTER_DROPPED,
	DEVMAP_SEEN, DEVMAP_DROPPED,
	CPUMAP_SEEN, CPUMAP_DROPPED,
	OTHER_SEEN, OTHER_DROPPED,
	COUNTERS,
};

u64 hits[COUNTERS];

#define ICMP 1
#define PROTOCOL 9
#define CONTENT (20 + 8 + 16)
#define ETHERNET 14

// Whether this packet is to be dropped; counts it if it is an echo of ours.
static __attribute__((always_inline)) int judge(u8 protocol, u8 content, u32 counter)
{
	if (protocol != ICMP || (content != 0xdd && content != 0x55))
		return 0;
	__sync_fetch_and_add(&hits[counter], 1);
	if (content != 0xdd)
		return 0;
	__sync_fetch_and_add(&hits[counter + 1], 1);
	return 1;
}

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

#define XDP_DROP 1
#define XDP_PASS 2

static __attribute__((always_inline)) int of_xdp(struct xdp_md *ctx, u32 counter)
{
	u8 *data = (u8 *)(long)ctx->data, *end = (u8 *)(long)ctx->data_end;

	if (data + ETHERNET + CONTENT + 1 > end || data[12] != 8 || data[13] != 0)
		return 0;
	return judge(data[ETHERNET + PROTOCOL], data[ETHERNET + CONTENT], counter);
}

SEC("xdp") int xdp_main(struct xdp_md *ctx)
{
	return of_xdp(ctx, XDP_SEEN) ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int xdp_other(struct xdp_md *ctx)
{
	return of_xdp(ctx, OTHER_SEEN) ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags") int xdp_frags(struct xdp_md *ctx)
{
	return of_xdp(ctx, FRAGS_SEEN) ? XDP_DROP : XDP_PASS;
}

struct value {
	u32 what, prog;
};

struct {
	__uint(type, 14);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct value);
} devices SEC(".maps");

struct {
	__uint(type, 16);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct value);
} cpus SEC(".maps");

static __attribute__((always_inline)) int is_echo(struct xdp_md *ctx)
{
	u8 *data = (u8 *)(long)ctx->data, *end = (u8 *)(long)ctx->data_end;

	return data + ETHERNET + CONTENT + 1 <= end && data[12] == 8 && data[ETHERNET + PROTOCOL] == ICMP;
}

// Echoes go back to where they came from, and on the way through the program of the map.
SEC("xdp") int to_device(struct xdp_md *ctx)
{
	return is_echo(ctx) ? bpf_redirect_map(&devices, 1, XDP_PASS) : XDP_PASS;
}

SEC("xdp/devmap") int on_device(struct xdp_md *ctx)
{
	return of_xdp(ctx, DEVMAP_SEEN) ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int to_cpu(struct xdp_md *ctx)
{
	return is_echo(ctx) ? bpf_redirect_map(&cpus, 0, XDP_PASS) : XDP_PASS;
}

SEC("xdp/cpumap") int on_cpu(struct xdp_md *ctx)
{
	return of_xdp(ctx, CPUMAP_SEEN) ? XDP_DROP : XDP_PASS;
}

#define TC_ACT_OK 0
#define TC_ACT_SHOT 2
#define TCX_NEXT -1
#define START_NET 1

struct __sk_buff;

static __attribute__((always_inline)) int of_skb(struct __sk_buff *skb, u32 counter)
{
	u8 protocol = 0, content = 0;

	if (bpf_skb_load_bytes_relative(skb, PROTOCOL, &protocol, 1, START_NET) ||
	    bpf_skb_load_bytes_relative(skb, CONTENT, &content, 1, START_NET))
		return 0;
	return judge(protocol, content, counter);
}

SEC("tc") int tc_main(struct __sk_buff *skb)
{
	return of_skb(skb, TC_SEEN) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tcx/ingress") int tcx_in(struct __sk_buff *skb)
{
	return of_skb(skb, TCX_IN_SEEN) ? TC_ACT_SHOT : TCX_NEXT;
}

SEC("tcx/egress") int tcx_out(struct __sk_buff *skb)
{
	return of_skb(skb, TCX_OUT_SEEN) ? TC_ACT_SHOT : TCX_NEXT;
}

SEC("action") int act(struct __sk_buff *skb)
{
	return of_skb(skb, ACTION_SEEN) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("netkit/primary") int primary(struct __sk_buff *skb)
{
	return of_skb(skb, PRIMARY_SEEN) ? TC_ACT_SHOT : TCX_NEXT;
}

SEC("netkit/peer") int peer(struct __sk_buff *skb)
{
	return of_skb(skb, PEER_SEEN) ? TC_ACT_SHOT : TCX_NEXT;
}

struct sk_buff {
	u8 *head;
	u16 network_header;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
	struct sk_buff *skb;
} __attribute__((preserve_access_index));

#define NF_DROP 0
#define NF_ACCEPT 1

SEC("netfilter") int filter(struct bpf_nf_ctx *ctx)
{
	struct sk_buff *skb = ctx->skb;
	u8 *packet = skb->head + skb->network_header;
	u8 protocol = 0, content = 0;

	bpf_probe_read_kernel(&protocol, 1, packet + PROTOCOL);
	bpf_probe_read_kernel(&content, 1, packet + CONTENT);
	return judge(protocol, content, FILTER_SEEN) ? NF_DROP : NF_ACCEPT;
}

char LICENSE[] SEC("license") = "GPL";
