/*
 * What the self-checking programs and their made-up targets share.
 *
 * A program gets the address of an image: WANTS numbers that it is to find, which differ from target to target, and behind
 * them a struct as the target lays it out. It returns 0, or the number of the first line that found something else.
 * The builtins are clang's: https://clang.llvm.org/docs/LanguageExtensions.html#bpf-builtins and "BPF CO-RE" there.
 */
#define WANTS 24

typedef signed char s8;
typedef unsigned char u8;
typedef short s16;
typedef unsigned short u16;
typedef int s32;
typedef unsigned int u32;
typedef long long s64;
typedef unsigned long long u64;

/* in programs */
#define CORE __attribute__((preserve_access_index))
#define CHECK(in, type)                                                                                              \
	static __attribute__((always_inline)) long checked(const s64 *want, type *in);                                \
	__attribute__((section("raw_tp/selfcheck"), used)) long check(void *image)                                    \
	{                                                                                                             \
		return checked(image, image + WANTS * sizeof(s64));                                                   \
	}                                                                                                             \
	char _license[] __attribute__((section("license"), used)) = "Dual MIT/GPL";                                    \
	static __attribute__((always_inline)) long checked(const s64 *want, type *in)
#define EXPECT(what)                                                                                                  \
	do {                                                                                                          \
		if (!(what))                                                                                          \
			return __LINE__;                                                                              \
	} while (0)

/* One relocation for the whole way to a field, which is read by its address; a plain access has several for some ways. */
#define READ(field) (*__builtin_preserve_access_index(&(field)))

#define FIELD_OFFSET(field) __builtin_preserve_field_info(field, 0)
#define FIELD_SIZE(field) __builtin_preserve_field_info(field, 1)
#define FIELD_EXISTS(field) __builtin_preserve_field_info(field, 2)
#define FIELD_SIGNED(field) __builtin_preserve_field_info(field, 3)
#define FIELD_LSHIFT(field) __builtin_preserve_field_info(field, 4)
#define FIELD_RSHIFT(field) __builtin_preserve_field_info(field, 5)
#define TYPE_ID_LOCAL(type) __builtin_btf_type_id(*(typeof(type) *)0, 0)
#define TYPE_ID_TARGET(type) __builtin_btf_type_id(*(typeof(type) *)0, 1)
#define TYPE_EXISTS(type) __builtin_preserve_type_info(*(typeof(type) *)0, 0)
#define TYPE_SIZE(type) __builtin_preserve_type_info(*(typeof(type) *)0, 1)
#define TYPE_MATCHES(type) __builtin_preserve_type_info(*(typeof(type) *)0, 2)
#define ENUMVAL_EXISTS(type, name) __builtin_preserve_enum_value(*(typeof(type) *)name, 0)
#define ENUMVAL(type, name) __builtin_preserve_enum_value(*(typeof(type) *)name, 1)

/* A bitfield: the integer around it, its top bit shifted to bit 63, and down again with the field's sign. */
#define BITFIELD(in, field)                                                                                           \
	({                                                                                                            \
		const void *at = (const void *)(in) + FIELD_OFFSET((in)->field);                                      \
		u64 value;                                                                                            \
		/* else the offset goes into each of the loads, which then are of a size that is not the field's */  \
		asm volatile("" : "+r"(at));                                                                          \
		switch (FIELD_SIZE((in)->field)) {                                                                    \
		case 1:                                                                                               \
			value = *(const u8 *)at;                                                                      \
			break;                                                                                        \
		case 2:                                                                                               \
			value = *(const u16 *)at;                                                                     \
			break;                                                                                        \
		case 4:                                                                                               \
			value = *(const u32 *)at;                                                                     \
			break;                                                                                        \
		default:                                                                                              \
			value = *(const u64 *)at;                                                                     \
		}                                                                                                     \
		value <<= FIELD_LSHIFT((in)->field);                                                                  \
		FIELD_SIGNED((in)->field) ? (s64)value >> FIELD_RSHIFT((in)->field)                                   \
					  : (s64)(value >> FIELD_RSHIFT((in)->field));                                \
	})

/* in targets: the image, and a type that is there without being in it */
#define WANT(...) { __VA_ARGS__ }
#define IMAGE(member, wants, ...)                                                                                     \
	struct {                                                                                                      \
		s64 want[WANTS];                                                                                      \
		member;                                                                                               \
	} image = { wants, __VA_ARGS__ }
#define JOIN(a, b) a##b
#define THERE_(type, line) typeof(type) *JOIN(there, line)
#define THERE(type) THERE_(type, __LINE__)
