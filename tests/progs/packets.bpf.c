/*
 * packets: echoes (ICMP) of one content, counted where a device hands them over (XDP), where traffic control sees them, and at a
 * socket; dropped at the device if the user says so.
 *
 * Packets are the same everywhere and so are the contexts of such programs: nothing is relocated. What differs is how a kernel
 * attaches them (a link, rtnetlink, a socket's option), and that is the loader's business.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>

/* What each byte of the echoes' data must be, the first 16 apart, where ping puts the time. */
const volatile __u8 content = 0x55;
/* Whether they end at the device. */
const volatile bool drop = false;

enum place { DEVICE, TRAFFIC_CONTROL, SOCKET, PLACES };

/* Requests and replies of each place. */
__u64 counts[2 * PLACES];

#define ETHERNET 14
#define IP 20
#define ICMP 1
#define REPLY 0
#define REQUEST 8

/* As far as it is looked at: Ethernet's header, IP's without options, ICMP's, and data. */
struct echo {
	__u8 ethernet[ETHERNET];
	__u8 version, ip[8], protocol, addresses[10];
	__u8 type, icmp[7];
	__u8 data[17];
} __attribute__((packed));

static __always_inline bool is_counted(const struct echo *echo, enum place place)
{
	if (echo->ethernet[12] != 8 || echo->ethernet[13] != 0 || echo->version != 0x45 || echo->protocol != ICMP)
		return false;
	if ((echo->type != REQUEST && echo->type != REPLY) || echo->data[16] != content)
		return false;
	__sync_fetch_and_add(&counts[2 * place + (echo->type == REPLY)], 1);
	return true;
}

SEC("xdp")
int at_device(struct xdp_md *ctx)
{
	struct echo *echo = (void *)(long)ctx->data;

	if ((void *)(echo + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	return is_counted(echo, DEVICE) && drop ? XDP_DROP : XDP_PASS;
}

static __always_inline void look(struct __sk_buff *skb, enum place place)
{
	struct echo echo;

	if (bpf_skb_load_bytes(skb, 0, &echo, sizeof(echo)) == 0)
		is_counted(&echo, place);
}

/* TC_ACT_UNSPEC: whatever else there is decides */
SEC("tc")
int at_control(struct __sk_buff *skb)
{
	look(skb, TRAFFIC_CONTROL);
	return -1;
}

/* PACKET_OUTGOING: on the way out, where the loader's socket sees each packet of a loop a first time */
#define OUTGOING 4

SEC("socket")
int at_socket(struct __sk_buff *skb)
{
	if (skb->pkt_type != OUTGOING)
		look(skb, SOCKET);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
