/*
 * A program for each kind of place: cgroups, network namespaces, maps of sockets, sockets. Each counts in a slot of its own, so that
 * tests/sockets, which makes a known number of calls, shows that it runs; what carries packets counts those that have a port of it.
 */
#include <linux/bpf.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;
static long (*bpf_sock_hash_update)(void *skops, void *map, void *key, u64 flags) = (void *)70;

enum kind {
	INGRESS, EGRESS, SKB, SOCK_CREATE, SOCK_RELEASE, SOCK, POST_BIND4, POST_BIND6, BIND4, BIND6, CONNECT4, CONNECT6, CONNECT_UNIX,
	SENDMSG4, SENDMSG6, SENDMSG_UNIX, RECVMSG4, RECVMSG6, RECVMSG_UNIX, GETPEERNAME4, GETPEERNAME6, GETPEERNAME_UNIX,
	GETSOCKNAME4, GETSOCKNAME6, GETSOCKNAME_UNIX, SYSCTL, GETSOCKOPT, SETSOCKOPT, DEV, SOCKOPS, HOOK,
	LOOKUP, DISSECTOR, VERDICT, PARSER, MESSAGE, FILTER, REUSEPORT, KINDS
};

u64 hits[KINDS];
/* UDP port of the datagrams that are counted. */
const volatile u16 port = 5001;

static __attribute__((always_inline)) int hit(enum kind kind)
{
	__sync_fetch_and_add(&hits[kind], 1);
	return 1;
}

/* Counts IPv4 datagrams to `port`, whose IP header begins `at` bytes into the packet. */
static __attribute__((always_inline)) int datagram(struct __sk_buff *skb, u32 at, enum kind kind)
{
	u8 ip[20], udp[4];
	if (bpf_skb_load_bytes(skb, at, ip, 20) || ip[0] != 0x45 || ip[9] != 17)
		return 1;
	if (bpf_skb_load_bytes(skb, at + 20, udp, 4))
		return 1;
	if (udp[2] == port >> 8 && udp[3] == (port & 0xff))
		hit(kind);
	return 1;
}

SEC("cgroup_skb/ingress") int ingress(struct __sk_buff *skb) { return datagram(skb, 0, INGRESS); }
SEC("cgroup_skb/egress") int egress(struct __sk_buff *skb) { return datagram(skb, 0, EGRESS); }
SEC("cgroup/skb") int skb(struct __sk_buff *skb) { return datagram(skb, 0, SKB); }
SEC("cgroup/sock_create") int sock_create(void *ctx) { return hit(SOCK_CREATE); }
SEC("cgroup/sock_release") int sock_release(void *ctx) { return hit(SOCK_RELEASE); }
SEC("cgroup/sock") int sock(void *ctx) { return hit(SOCK); }
SEC("cgroup/post_bind4") int post_bind4(void *ctx) { return hit(POST_BIND4); }
SEC("cgroup/post_bind6") int post_bind6(void *ctx) { return hit(POST_BIND6); }
SEC("cgroup/bind4") int bind4(void *ctx) { return hit(BIND4); }
SEC("cgroup/bind6") int bind6(void *ctx) { return hit(BIND6); }
SEC("cgroup/connect4") int connect4(void *ctx) { return hit(CONNECT4); }
SEC("cgroup/connect6") int connect6(void *ctx) { return hit(CONNECT6); }
SEC("cgroup/connect_unix") int connect_unix(void *ctx) { return hit(CONNECT_UNIX); }
SEC("cgroup/sendmsg4") int sendmsg4(void *ctx) { return hit(SENDMSG4); }
SEC("cgroup/sendmsg6") int sendmsg6(void *ctx) { return hit(SENDMSG6); }
SEC("cgroup/sendmsg_unix") int sendmsg_unix(void *ctx) { return hit(SENDMSG_UNIX); }
SEC("cgroup/recvmsg4") int recvmsg4(void *ctx) { return hit(RECVMSG4); }
SEC("cgroup/recvmsg6") int recvmsg6(void *ctx) { return hit(RECVMSG6); }
SEC("cgroup/recvmsg_unix") int recvmsg_unix(void *ctx) { return hit(RECVMSG_UNIX); }
SEC("cgroup/getpeername4") int getpeername4(void *ctx) { return hit(GETPEERNAME4); }
SEC("cgroup/getpeername6") int getpeername6(void *ctx) { return hit(GETPEERNAME6); }
SEC("cgroup/getpeername_unix") int getpeername_unix(void *ctx) { return hit(GETPEERNAME_UNIX); }
SEC("cgroup/getsockname4") int getsockname4(void *ctx) { return hit(GETSOCKNAME4); }
SEC("cgroup/getsockname6") int getsockname6(void *ctx) { return hit(GETSOCKNAME6); }
SEC("cgroup/getsockname_unix") int getsockname_unix(void *ctx) { return hit(GETSOCKNAME_UNIX); }
SEC("cgroup/sysctl") int sysctl(void *ctx) { return hit(SYSCTL); }
SEC("cgroup/getsockopt") int getsockopt(void *ctx) { return hit(GETSOCKOPT); }
SEC("cgroup/setsockopt") int setsockopt(void *ctx) { return hit(SETSOCKOPT); }
SEC("cgroup/dev") int dev(void *ctx) { return hit(DEV); }
SEC("lsm_cgroup/socket_bind") int hook(void *ctx) { return hit(HOOK); }

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} sockets SEC(".maps");

/* Counts TCP connections at both ends; those of the second set are kept in the map, by port and family. */
SEC("sockops") int connections(struct bpf_sock_ops *ops)
{
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		hit(SOCKOPS);
	return 1;
}

SEC("sockops") int keep(struct bpf_sock_ops *ops)
{
	u32 key = ops->local_port << 8 | ops->family;
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		bpf_sock_hash_update(ops, &sockets, &key, BPF_ANY);
	return 1;
}

SEC("sk_skb/stream_parser") int parser(struct __sk_buff *skb)
{
	hit(PARSER);
	return skb->len;
}

SEC("sk_skb/stream_verdict") int verdict(struct __sk_buff *skb) { return hit(VERDICT); }
SEC("sk_msg") int message(struct sk_msg_md *msg) { return hit(MESSAGE); }

/* Counts what looks for the listening socket of `port`. */
SEC("sk_lookup") int lookup(struct bpf_sk_lookup *ctx)
{
	if (ctx->local_port == port)
		hit(LOOKUP);
	return SK_PASS;
}

/* BPF_FLOW_DISSECTOR_CONTINUE (6.0): the kernel's own goes on. */
SEC("flow_dissector") int dissector(struct __sk_buff *skb)
{
	hit(DISSECTOR);
	return 129;
}

/* Keeps no packet: the loader's socket has nobody who reads it. */
SEC("socket") int filter(struct __sk_buff *skb)
{
	datagram(skb, 14, FILTER);
	return 0;
}

SEC("sk_reuseport") int reuseport(struct sk_reuseport_md *md) { return hit(REUSEPORT); }

char LICENSE[] SEC("license") = "GPL";
