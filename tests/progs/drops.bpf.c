/*
 * drops: packets that the kernel throws away, and whether that was because nobody listens.
 *
 * An enumerator that has another number on every kernel: reasons are put in between from release to release (3 in 6.12, another
 * in 6.1). What is compiled in is this file's number; bpf_core_enum_value() is the running kernel's. Before 5.17 there are no
 * reasons at all, neither the type nor the tracepoint's argument. A packet's ip_summed is a bit-field of two bits, which has moved.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum skb_drop_reason {
	SKB_NOT_DROPPED_YET,
	SKB_DROP_REASON_NO_SOCKET,
};

/* as <linux/if_ether.h>, in the order of the network */
struct sk_buff {
	__be16 protocol;
	unsigned int len;
	__u8 ip_summed : 2;
} CORE;

/* Who has seen to the checksum: CHECKSUM_* of <linux/skbuff.h>, which are macros, of 2 bits and never renumbered. */
enum checksum { NONE, UNNECESSARY, COMPLETE, PARTIAL };

enum why { UNTOLD, NOBODY_LISTENS, OTHER };

struct event {
	enum why why;
	__u32 reason;
	__u32 no_socket;
	__u32 protocol;
	__u32 length;
	enum checksum checksum;
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} events SEC(".maps");

/* the packet, where it was dropped, and since 5.17 why */
SEC("raw_tracepoint/kfree_skb")
int drops(struct bpf_raw_tracepoint_args *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	event->reason = 0;
	event->no_socket = 0;
	event->why = UNTOLD;
	if (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_NO_SOCKET)) {
		event->reason = ctx->args[2];
		event->no_socket = bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NO_SOCKET);
		event->why = event->reason == event->no_socket ? NOBODY_LISTENS : OTHER;
	}
	event->protocol = __builtin_bswap16(BPF_CORE_READ(skb, protocol));
	event->length = BPF_CORE_READ(skb, len);
	event->checksum = BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
