/*
 * Reading what the kernel has where the kernel has it (CO-RE). The names are libbpf's, so that sources which were written with
 * its header of this name compile; the text is Corelet's (MIT or Apache-2.0).
 *
 * One thing is otherwise than there: a member is read with as many bytes as it has in the kernel, a relocation of its own, into
 * a variable that is zeroed first. A pointer or `unsigned long` of a 32-bit kernel, which has 4 bytes where BPF has 8, is then
 * what it is, and its neighbour does not come along. What is signed comes out of corelet_long() of corelet_tracing.h.
 */
#ifndef BPF_CORE_READ_H
#define BPF_CORE_READ_H

#include "bpf_helpers.h"

/* Numbers of __builtin_preserve_field_info(), _type_info() and _enum_value(), as clang defines them. */
enum bpf_field_info_kind {
	BPF_FIELD_BYTE_OFFSET, BPF_FIELD_BYTE_SIZE, BPF_FIELD_EXISTS, BPF_FIELD_SIGNED, BPF_FIELD_LSHIFT_U64, BPF_FIELD_RSHIFT_U64
};
enum bpf_type_id_kind { BPF_TYPE_ID_LOCAL, BPF_TYPE_ID_TARGET };
enum bpf_type_info_kind { BPF_TYPE_EXISTS, BPF_TYPE_SIZE, BPF_TYPE_MATCHES };
enum bpf_enum_value_kind { BPF_ENUMVAL_EXISTS, BPF_ENUMVAL_VALUE };

/* A field is `ptr->member`, or a type and a member. */
#define ___bpf_field1(field) (field)
#define ___bpf_field2(type, member) (((typeof(type) *)0)->member)
#define ___bpf_field(args...) ___bpf_apply(___bpf_field, ___bpf_narg(args))(args)

/* Whether the kernel has the field: what guards every access to one that some kernel lacks. */
#define bpf_core_field_exists(field...) __builtin_preserve_field_info(___bpf_field(field), BPF_FIELD_EXISTS)
/* Bytes that it has there. */
#define bpf_core_field_size(field...) __builtin_preserve_field_info(___bpf_field(field), BPF_FIELD_BYTE_SIZE)
/* Where it is there, in bytes from the start of the type. */
#define bpf_core_field_offset(field...) __builtin_preserve_field_info(___bpf_field(field), BPF_FIELD_BYTE_OFFSET)

#define bpf_core_type_exists(type) __builtin_preserve_type_info(*(typeof(type) *)0, BPF_TYPE_EXISTS)
/* Whether the kernel's type of the name has all members of this one, of such types. */
#define bpf_core_type_matches(type) __builtin_preserve_type_info(*(typeof(type) *)0, BPF_TYPE_MATCHES)
#define bpf_core_type_size(type) __builtin_preserve_type_info(*(typeof(type) *)0, BPF_TYPE_SIZE)
#define bpf_core_type_id_local(type) __builtin_btf_type_id(*(typeof(type) *)0, BPF_TYPE_ID_LOCAL)
#define bpf_core_type_id_kernel(type) __builtin_btf_type_id(*(typeof(type) *)0, BPF_TYPE_ID_TARGET)

/* An enumerator as the kernel numbers it, and whether it has one of the name. */
#define bpf_core_enum_value_exists(type, value) \
	__builtin_preserve_enum_value(*(typeof(type) *)value, BPF_ENUMVAL_EXISTS)
#define bpf_core_enum_value(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, BPF_ENUMVAL_VALUE)

/* A pointer to a type that the kernel may have otherwise than this object does, without a warning. */
#define bpf_core_cast(ptr, type) ((typeof(type) *)bpf_rdonly_cast((ptr), bpf_core_type_id_kernel(type)))
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* A bit-field as a number: of what may be read directly, and by a helper out of memory of the kernel. */
#define ___bpf_bits(value, src, member) ({						\
	(value) <<= __builtin_preserve_field_info((src)->member, BPF_FIELD_LSHIFT_U64);	\
	__builtin_preserve_field_info((src)->member, BPF_FIELD_SIGNED)			\
		? (__u64)((__s64)(value) >>						\
			  __builtin_preserve_field_info((src)->member, BPF_FIELD_RSHIFT_U64))	\
		: (value) >> __builtin_preserve_field_info((src)->member, BPF_FIELD_RSHIFT_U64); \
})
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_low(value, size) ((void *)&(value))
#else
#define ___bpf_low(value, size) ((void *)&(value) + sizeof(value) - (size))
#endif
/* A value into a bit-field of what may be written directly. */
#define ___bpf_shifted(value, src, member)						\
	((value) << __builtin_preserve_field_info((src)->member, BPF_FIELD_RSHIFT_U64)		\
		 >> __builtin_preserve_field_info((src)->member, BPF_FIELD_LSHIFT_U64))
#define ___bpf_rewrite(type, at, mask, bits) (*(type *)(at) = (*(type *)(at) & ~(mask)) | (bits))
#define BPF_CORE_WRITE_BITFIELD(src, member, new) ({					\
	void *___at = (void *)(src) + bpf_core_field_offset((src)->member);		\
	__u64 ___mask = ___bpf_shifted(~0ULL, src, member);				\
	__u64 ___bits = ___bpf_shifted((__u64)(new), src, member);			\
	asm volatile("" : "+r"(___at));							\
	switch (bpf_core_field_size((src)->member)) {					\
	case 1: ___bpf_rewrite(__u8, ___at, ___mask, ___bits); break;			\
	case 2: ___bpf_rewrite(__u16, ___at, ___mask, ___bits); break;			\
	case 4: ___bpf_rewrite(__u32, ___at, ___mask, ___bits); break;			\
	default: ___bpf_rewrite(__u64, ___at, ___mask, ___bits);			\
	}										\
})
#define BPF_CORE_READ_BITFIELD_PROBED(src, member) ({					\
	__u64 ___bits = 0;								\
	__u32 ___bytes = bpf_core_field_size((src)->member);				\
	bpf_probe_read_kernel(___bpf_low(___bits, ___bytes), ___bytes,			\
			      (const void *)(src) + bpf_core_field_offset((src)->member)); \
	___bpf_bits(___bits, src, member);						\
})
#define BPF_CORE_READ_BITFIELD(src, member) ({						\
	const void *___at = (const void *)(src) + bpf_core_field_offset((src)->member);	\
	__u64 ___bits;									\
	/* one address for all sizes, which then is no context's that was moved */	\
	asm volatile("" : "+r"(___at));							\
	switch (bpf_core_field_size((src)->member)) {					\
	case 1: ___bits = *(const __u8 *)___at; break;					\
	case 2: ___bits = *(const __u16 *)___at; break;					\
	case 4: ___bits = *(const __u32 *)___at; break;					\
	default: ___bits = *(const __u64 *)___at;					\
	}										\
	___bpf_bits(___bits, src, member);						\
})

/* bpf_core_read(&dst, bytes, &ptr->member): from the address that the member has in the kernel. */
#define bpf_core_read(dst, size, src) bpf_probe_read_kernel(dst, size, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_user(dst, size, src) bpf_probe_read_user(dst, size, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_str(dst, size, src) bpf_probe_read_kernel_str(dst, size, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_user_str(dst, size, src) bpf_probe_read_user_str(dst, size, (const void *)__builtin_preserve_access_index(src))

/* Bytes of a member in the kernel. clang cannot relocate the size of an element whose index is a variable (it crashes): that has the
 * object's own, and where the kernel's elements have another, `corelet pack` says so. CORELET_READ_ELEMENT() is right for those. */
#define ___bpf_there(src, member)							\
	__builtin_choose_expr(__builtin_constant_p((unsigned long)&((typeof(*(src)) *)0)->member),	\
			      bpf_core_field_size((src)->member), (__u32)sizeof((src)->member))

/* One member into *dst: as many bytes as it has in the kernel. Where that is an array, or more than fits, as many as fit. */
#define ___bpf_sized(read, dst, src, member) ({						\
	__u32 ___there = ___bpf_there(src, member);					\
	__u32 ___size = ___there < sizeof(*(dst)) ? ___there : sizeof(*(dst));		\
	__builtin_memset((void *)(dst), 0, sizeof(*(dst)));				\
	read((void *)(dst) + ___bpf_skip(sizeof(*(dst)), ___size, (src)->member), ___size,	\
	     (const void *)__builtin_preserve_access_index(&(src)->member));		\
})
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_skip(room, size, member) 0
#else
/* what is less of a number is its low end, which comes last here */
#define ___bpf_skip(room, size, member) ((room) <= 8 ? (room) - (size) : 0)
#endif
/* The same without relocation: the object's own size and place. */
#define ___bpf_plain(read, dst, src, member) read((void *)(dst), sizeof(*(dst)), &(src)->member)

/* The type of what a read comes to, which may be written to: from clang 21 on a `const` one makes a warning. */
#if __clang_major__ >= 19
#define ___bpf_typeof(value) __typeof_unqual__(value)
#else
#define ___bpf_typeof(value) typeof(value)
#endif

/* The expression without reading, for its types. */
#define ___bpf_arrow1(a) a
#define ___bpf_arrow2(a, b) a->b
#define ___bpf_arrow3(a, b, c) a->b->c
#define ___bpf_arrow4(a, b, c, d) a->b->c->d
#define ___bpf_arrow5(a, b, c, d, e) a->b->c->d->e
#define ___bpf_arrow6(a, b, c, d, e, f) a->b->c->d->e->f
#define ___bpf_arrow7(a, b, c, d, e, f, g) a->b->c->d->e->f->g
#define ___bpf_arrow8(a, b, c, d, e, f, g, h) a->b->c->d->e->f->g->h
#define ___bpf_arrow9(a, b, c, d, e, f, g, h, i) a->b->c->d->e->f->g->h->i
#define ___bpf_arrow(args...) ___bpf_apply(___bpf_arrow, ___bpf_narg(args))(args)

/* walkN(how, read, final, dst, src, N members): pointers on the way by `read`, each into one of its own name; the last member by
 * `final`. A macro is not expanded inside itself, so there is one for each number. */
#define ___bpf_walk1(how, read, final, dst, src, a) final(how, read, dst, src, a)
#define ___bpf_walk2(how, read, final, dst, src, a, b) ({				\
	___bpf_typeof((src)->a) ___p2;						\
	how(read, &___p2, src, a);							\
	___bpf_walk1(how, read, final, dst, ___p2, b);				\
})
#define ___bpf_walk3(how, read, final, dst, src, a, b...) ({				\
	___bpf_typeof((src)->a) ___p3;						\
	how(read, &___p3, src, a);							\
	___bpf_walk2(how, read, final, dst, ___p3, b);				\
})
#define ___bpf_walk4(how, read, final, dst, src, a, b...) ({				\
	___bpf_typeof((src)->a) ___p4;						\
	how(read, &___p4, src, a);							\
	___bpf_walk3(how, read, final, dst, ___p4, b);				\
})
#define ___bpf_walk5(how, read, final, dst, src, a, b...) ({				\
	___bpf_typeof((src)->a) ___p5;						\
	how(read, &___p5, src, a);							\
	___bpf_walk4(how, read, final, dst, ___p5, b);				\
})
#define ___bpf_walk6(how, read, final, dst, src, a, b...) ({				\
	___bpf_typeof((src)->a) ___p6;						\
	how(read, &___p6, src, a);							\
	___bpf_walk5(how, read, final, dst, ___p6, b);				\
})
#define ___bpf_walk7(how, read, final, dst, src, a, b...) ({				\
	___bpf_typeof((src)->a) ___p7;						\
	how(read, &___p7, src, a);							\
	___bpf_walk6(how, read, final, dst, ___p7, b);				\
})
#define ___bpf_walk8(how, read, final, dst, src, a, b...) ({				\
	___bpf_typeof((src)->a) ___p8;						\
	how(read, &___p8, src, a);							\
	___bpf_walk7(how, read, final, dst, ___p8, b);				\
})
#define ___bpf_walk(how, read, final, dst, src, members...) \
	___bpf_apply(___bpf_walk, ___bpf_narg(members))(how, read, final, dst, src, members)

#define ___bpf_value(how, read, dst, src, a) how(read, dst, src, a)
/* Room for a string: a whole array, by its name or by its address. */
#define ___bpf_room(dst)								\
	__builtin_choose_expr(__builtin_types_compatible_p(typeof(dst), typeof(&*(dst))), sizeof(*(dst)), sizeof(dst))
#define ___bpf_kernel_str(how, read, dst, src, a) \
	bpf_probe_read_kernel_str((void *)(dst), ___bpf_room(dst), (const void *)__builtin_preserve_access_index(&(src)->a))
#define ___bpf_user_str(how, read, dst, src, a) \
	bpf_probe_read_user_str((void *)(dst), ___bpf_room(dst), (const void *)__builtin_preserve_access_index(&(src)->a))
#define ___bpf_kernel_str_plain(how, read, dst, src, a) bpf_probe_read_kernel_str((void *)(dst), ___bpf_room(dst), &(src)->a)
#define ___bpf_user_str_plain(how, read, dst, src, a) bpf_probe_read_user_str((void *)(dst), ___bpf_room(dst), &(src)->a)

/* src->a->b->c into *dst; what comes back is what the last read came to. */
#define BPF_CORE_READ_INTO(dst, src, a...) ___bpf_walk(___bpf_sized, bpf_probe_read_kernel, ___bpf_value, dst, src, a)
#define BPF_CORE_READ_USER_INTO(dst, src, a...) ___bpf_walk(___bpf_sized, bpf_probe_read_user, ___bpf_value, dst, src, a)
#define BPF_CORE_READ_STR_INTO(dst, src, a...) ___bpf_walk(___bpf_sized, bpf_probe_read_kernel, ___bpf_kernel_str, dst, src, a)
#define BPF_CORE_READ_USER_STR_INTO(dst, src, a...) ___bpf_walk(___bpf_sized, bpf_probe_read_user, ___bpf_user_str, dst, src, a)
/* The same without relocation, for memory whose layout is the object's own. */
#define BPF_PROBE_READ_INTO(dst, src, a...) ___bpf_walk(___bpf_plain, bpf_probe_read_kernel, ___bpf_value, dst, src, a)
#define BPF_PROBE_READ_USER_INTO(dst, src, a...) ___bpf_walk(___bpf_plain, bpf_probe_read_user, ___bpf_value, dst, src, a)
#define BPF_PROBE_READ_STR_INTO(dst, src, a...) ___bpf_walk(___bpf_plain, bpf_probe_read_kernel, ___bpf_kernel_str_plain, dst, src, a)
#define BPF_PROBE_READ_USER_STR_INTO(dst, src, a...) ___bpf_walk(___bpf_plain, bpf_probe_read_user, ___bpf_user_str_plain, dst, src, a)

/* Where element `index`, a variable, of the array src->array lies: elements are as far apart as they are in the kernel. */
#define CORELET_ELEMENT(src, array, index)						\
	((___bpf_typeof((src)->array[0]) *)((void *)(src) + bpf_core_field_offset((src)->array[0])	\
					    + (__u64)(index) * bpf_core_field_size((src)->array[0])))
/* The element itself, a number or a pointer. */
#define CORELET_READ_ELEMENT(src, array, index) ({					\
	___bpf_typeof((src)->array[0]) ___e = { 0 };					\
	__u32 ___each = bpf_core_field_size((src)->array[0]);				\
	__u32 ___size = ___each < sizeof(___e) ? ___each : sizeof(___e);		\
	_Static_assert(__builtin_classify_type(___e) < 12, "of a struct: a pointer = CORELET_ELEMENT(...), then BPF_CORE_READ(pointer, member)");	\
	bpf_probe_read_kernel((void *)&___e + ___bpf_skip(sizeof(___e), ___size, (src)->array[0]), ___size,	\
			      CORELET_ELEMENT(src, array, index));			\
	___e;										\
})

/* The value of src->a->b->c; 0 where a pointer on the way cannot be read. */
#define BPF_CORE_READ(src, a...) ({ ___bpf_typeof(___bpf_arrow((src), a)) ___r; BPF_CORE_READ_INTO(&___r, src, a); ___r; })
#define BPF_CORE_READ_USER(src, a...) ({ ___bpf_typeof(___bpf_arrow((src), a)) ___r; BPF_CORE_READ_USER_INTO(&___r, src, a); ___r; })
#define BPF_PROBE_READ(src, a...) ({ ___bpf_typeof(___bpf_arrow((src), a)) ___r; BPF_PROBE_READ_INTO(&___r, src, a); ___r; })
#define BPF_PROBE_READ_USER(src, a...) ({ ___bpf_typeof(___bpf_arrow((src), a)) ___r; BPF_PROBE_READ_USER_INTO(&___r, src, a); ___r; })

#endif
