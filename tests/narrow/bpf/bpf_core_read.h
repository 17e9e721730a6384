/*
 * libbpf's header of this name, and then a read of a member that takes as many bytes as the member has in the kernel.
 *
 * A pointer has 8 bytes for BPF and 4 on a 32-bit kernel. BPF_CORE_READ reads sizeof of the destination, a constant that
 * relocation does not see, so it takes the neighbour along: a pointer that is NULL is not, a key of a map is never found
 * again. The size is a relocation of its own here, and what is behind it is 0. Little-endian only.
 */
#ifndef NARROW_BPF_CORE_READ_H
#define NARROW_BPF_CORE_READ_H

#include_next <bpf/bpf_core_read.h>

#undef ___read
#define ___read(read_fn, dst, src_type, src, accessor) ({					\
	__u32 ___size = bpf_core_field_size(((src_type)(src))->accessor);			\
												\
	__builtin_memset((void *)(dst), 0, sizeof(*(dst)));					\
	read_fn((void *)(dst), ___size < sizeof(*(dst)) ? ___size : sizeof(*(dst)),		\
		&((src_type)(src))->accessor);							\
})

#endif
