/*
 * Programs that send bytes to another socket than they were for, by their content: streams and messages of sockets in a map, datagrams of
 * sockets that share a port. tests/sockets says which socket got what.
 */
#include <linux/bpf.h>

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;
static long (*bpf_sock_hash_update)(void *skops, void *map, void *key, u64 flags) = (void *)70;
static long (*bpf_msg_redirect_hash)(void *msg, void *map, void *key, u64 flags) = (void *)71;
static long (*bpf_sk_redirect_hash)(void *skb, void *map, void *key, u64 flags) = (void *)72;
static long (*bpf_sk_select_reuseport)(void *md, void *map, void *key, u64 flags) = (void *)82;

enum counter { KEPT, STREAM, STREAM_MOVED, MESSAGE, MESSAGE_MOVED, CHOSEN, COUNTERS };

u64 hits[COUNTERS];

static __attribute__((always_inline)) void hit(enum counter counter)
{
	__sync_fetch_and_add(&hits[counter], 1);
}

/* Both ends of connections to the ports of tests/sockets, by the port that listens, 0x10000 added where the end is the one that connects. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} ends SEC(".maps");

#define OTHER 5003

SEC("sockops") int keep(struct bpf_sock_ops *ops)
{
	u32 key = ops->local_port;
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		key = 0x10000 | __builtin_bswap32(ops->remote_port);
	else if (ops->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return 1;
	if (!bpf_sock_hash_update(ops, &ends, &key, BPF_ANY))
		hit(KEPT);
	return 1;
}

SEC("sk_skb/stream_parser") int parser(struct __sk_buff *skb) { return skb->len; }

SEC("sk_skb/stream_verdict") int stream(struct __sk_buff *skb)
{
	u8 first;
	u32 to = OTHER;
	hit(STREAM);
	if (bpf_skb_load_bytes(skb, 0, &first, 1) || first != 'r')
		return SK_PASS;
	hit(STREAM_MOVED);
	return bpf_sk_redirect_hash(skb, &ends, &to, BPF_F_INGRESS);
}

SEC("sk_msg") int message(struct sk_msg_md *msg)
{
	u8 *data = msg->data;
	u32 to = OTHER;
	hit(MESSAGE);
	if ((void *)(data + 1) > msg->data_end || data[0] != 'm')
		return SK_PASS;
	hit(MESSAGE_MOVED);
	return bpf_msg_redirect_hash(msg, &ends, &to, BPF_F_INGRESS);
}

/* The sockets of the port, which their process puts there by the map's pin. */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, u64);
	__uint(pinning, 1 /* LIBBPF_PIN_BY_NAME */);
} corelet_group SEC(".maps");

/* Behind the header of UDP stands who is meant. */
SEC("sk_reuseport") int choose(struct sk_reuseport_md *md)
{
	u8 *data = md->data;
	u32 key;
	if ((void *)(data + 9) > md->data_end)
		return SK_PASS;
	key = data[8] == 'b';
	if (!bpf_sk_select_reuseport(md, &corelet_group, &key, 0))
		hit(CHOSEN);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
