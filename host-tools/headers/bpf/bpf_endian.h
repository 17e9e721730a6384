/*
 * Byte order of the network and of this machine. The names are libbpf's; the text is Corelet's (MIT or Apache-2.0).
 */
#ifndef BPF_ENDIAN_H
#define BPF_ENDIAN_H

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_to_be(bits, x) __builtin_bswap##bits(x)
#define ___bpf_to_le(bits, x) (x)
#else
#define ___bpf_to_be(bits, x) (x)
#define ___bpf_to_le(bits, x) __builtin_bswap##bits(x)
#endif

#define bpf_htons(x) ((__be16)___bpf_to_be(16, (__u16)(x)))
#define bpf_ntohs(x) ___bpf_to_be(16, (__u16)(x))
#define bpf_htonl(x) ((__be32)___bpf_to_be(32, (__u32)(x)))
#define bpf_ntohl(x) ___bpf_to_be(32, (__u32)(x))
#define bpf_cpu_to_be64(x) ___bpf_to_be(64, (__u64)(x))
#define bpf_be64_to_cpu(x) ___bpf_to_be(64, (__u64)(x))
#define bpf_cpu_to_le64(x) ___bpf_to_le(64, (__u64)(x))
#define bpf_le64_to_cpu(x) ___bpf_to_le(64, (__u64)(x))

/* Names that old sources use; a constant stays one. */
#define __bpf_htons(x) bpf_htons(x)
#define __bpf_ntohs(x) bpf_ntohs(x)
#define __bpf_htonl(x) bpf_htonl(x)
#define __bpf_ntohl(x) bpf_ntohl(x)
#define __bpf_cpu_to_be64(x) bpf_cpu_to_be64(x)
#define __bpf_be64_to_cpu(x) bpf_be64_to_cpu(x)
#define __bpf_constant_htons(x) bpf_htons(x)
#define __bpf_constant_ntohs(x) bpf_ntohs(x)
#define __bpf_constant_htonl(x) bpf_htonl(x)
#define __bpf_constant_ntohl(x) bpf_ntohl(x)
#define __bpf_constant_cpu_to_be64(x) bpf_cpu_to_be64(x)
#define __bpf_constant_be64_to_cpu(x) bpf_be64_to_cpu(x)

#endif
