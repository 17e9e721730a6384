/*
 * What every BPF program needs beside its types: sections, map declarations, externs, helpers. The names are libbpf's, so
 * that sources which were written with its header of this name compile; the text is Corelet's (MIT or Apache-2.0).
 *
 * Types (__u32, enum bpf_map_type, ...) come from vmlinux.h, which is included first.
 */
#ifndef BPF_HELPERS_H
#define BPF_HELPERS_H

#include "bpf_helper_defs.h"

#if !defined(__bpf__)
#error "bpf_helpers.h: compile BPF programs with clang -target bpf; this is a compilation for another machine"
#endif
/* Newer builtins are what relocations of types and enumerators are made with; without one all that the object holds is wrong
 * on the first kernel that differs. */
#if !defined(__clang__) || __clang_major__ < 12 || !__has_builtin(__builtin_preserve_type_info)
#error "corelet's headers need clang 12 or newer: older ones do not write the relocations of types and enum values (Debian 12 has clang-19)"
#endif

#define SEC(name) __attribute__((section(name), used))

/* Members of a map's declaration. */
#define __uint(name, number) int (*name)[number]
#define __type(name, type) typeof(type) *name
#define __array(name, type) typeof(type) *name[]
#define __ulong(name, number) enum { ___bpf_concat(__unique_value, __COUNTER__) = number } name

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#define __hidden __attribute__((visibility("hidden")))
#ifndef __unused
#define __unused __attribute__((unused))
#endif

#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#define __arg_nonnull __attribute__((btf_decl_tag("arg:nonnull")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))
#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))
#define __uptr __attribute__((btf_type_tag("uptr")))
#define __arg_untrusted __attribute__((btf_decl_tag("arg:untrusted")))
#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))

/* Whether a kernel function or variable that is declared __ksym __weak is there. */
#define bpf_ksym_exists(sym) (!!(sym))

/* Values of a tristate option that is read as `extern enum libbpf_tristate CONFIG_X __kconfig`. */
enum libbpf_tristate { TRI_NO = 0, TRI_YES = 1, TRI_MODULE = 2 };
/* What a map's `pinning` says. */
enum libbpf_pin_type { LIBBPF_PIN_NONE, LIBBPF_PIN_BY_NAME };

#ifndef KERNEL_VERSION
#define KERNEL_VERSION(major, minor, patch) (((major) << 16) + ((minor) << 8) + ((patch) > 255 ? 255 : (patch)))
#endif

/* Those of <stddef.h> would be the object's own offsets: these are relocated. */
#undef offsetof
#define offsetof(type, member) ((unsigned long)&((type *)0)->member)
#undef container_of
#define container_of(ptr, type, member) ((type *)((void *)(ptr) - offsetof(type, member)))

#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif
#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#endif
#ifndef unlikely
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif
#ifndef NULL
#define NULL ((void *)0)
#endif

#define ___bpf_concat(a, b) ___bpf_concat_(a, b)
#define ___bpf_concat_(a, b) a##b
#define ___bpf_apply(fn, n) ___bpf_concat(fn, n)
#define ___bpf_nth(_, _1, _2, _3, _4, _5, _6, _7, _8, _9, _a, _b, _c, N, ...) N
/* How many arguments, 0 to 12. */
#define ___bpf_narg(...) ___bpf_nth(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/* Arguments of a format as an array of 8 bytes each. */
#define ___bpf_fill0(array, at)
#define ___bpf_fill1(array, at, x) (array)[at] = (__u64)(x);
#define ___bpf_fill2(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill1(array, at + 1, __VA_ARGS__)
#define ___bpf_fill3(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill2(array, at + 1, __VA_ARGS__)
#define ___bpf_fill4(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill3(array, at + 1, __VA_ARGS__)
#define ___bpf_fill5(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill4(array, at + 1, __VA_ARGS__)
#define ___bpf_fill6(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill5(array, at + 1, __VA_ARGS__)
#define ___bpf_fill7(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill6(array, at + 1, __VA_ARGS__)
#define ___bpf_fill8(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill7(array, at + 1, __VA_ARGS__)
#define ___bpf_fill9(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill8(array, at + 1, __VA_ARGS__)
#define ___bpf_fill10(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill9(array, at + 1, __VA_ARGS__)
#define ___bpf_fill11(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill10(array, at + 1, __VA_ARGS__)
#define ___bpf_fill12(array, at, x, ...) (array)[at] = (__u64)(x); ___bpf_fill11(array, at + 1, __VA_ARGS__)
#define ___bpf_fill(array, ...) ___bpf_apply(___bpf_fill, ___bpf_narg(__VA_ARGS__))(array, 0, ##__VA_ARGS__)

/* bpf_snprintf() and bpf_seq_printf() with arguments as printf() takes them. */
#define BPF_SNPRINTF(out, out_size, fmt, args...) ({					\
	static const char ___fmt[] = fmt;						\
	__u64 ___args[___bpf_narg(args) ?: 1];						\
	___bpf_fill(___args, ##args)							\
	bpf_snprintf(out, out_size, ___fmt, ___args, ___bpf_narg(args) * 8);		\
})
#define BPF_SEQ_PRINTF(seq, fmt, args...) ({						\
	static const char ___fmt[] = fmt;						\
	__u64 ___args[___bpf_narg(args) ?: 1];						\
	___bpf_fill(___args, ##args)							\
	bpf_seq_printf(seq, ___fmt, sizeof(___fmt), ___args, ___bpf_narg(args) * 8);	\
})

/* To /sys/kernel/tracing/trace_pipe. More than three arguments want a helper that came with Linux 5.16. */
#define bpf_printk(fmt, args...) ___bpf_apply(___bpf_print, ___bpf_narg(args))(fmt, ##args)
#define __bpf_printk(fmt, args...) ({							\
	static const char ___fmt[] = fmt;						\
	bpf_trace_printk(___fmt, sizeof(___fmt), ##args);				\
})
#define __bpf_vprintk(fmt, args...) ({							\
	static const char ___fmt[] = fmt;						\
	__u64 ___args[___bpf_narg(args) ?: 1];						\
	___bpf_fill(___args, ##args)							\
	bpf_trace_vprintk(___fmt, sizeof(___fmt), ___args, ___bpf_narg(args) * 8);	\
})
#define ___bpf_print0 __bpf_printk
#define ___bpf_print1 __bpf_printk
#define ___bpf_print2 __bpf_printk
#define ___bpf_print3 __bpf_printk
#define ___bpf_print4 __bpf_vprintk
#define ___bpf_print5 __bpf_vprintk
#define ___bpf_print6 __bpf_vprintk
#define ___bpf_print7 __bpf_vprintk
#define ___bpf_print8 __bpf_vprintk
#define ___bpf_print9 __bpf_vprintk
#define ___bpf_print10 __bpf_vprintk
#define ___bpf_print11 __bpf_vprintk
#define ___bpf_print12 __bpf_vprintk

/* Loops by the kernel's open-coded iterators (kfuncs, 6.4): their state is destroyed on every way out. */
struct bpf_iter_num;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/* Of iterator `type`, made with `args`: `cur` points to one thing after another. */
#define bpf_for_each(type, cur, args...)						\
	for (struct bpf_iter_##type ___it __attribute__((aligned(8), cleanup(bpf_iter_##type##_destroy))),	\
	     *___made __unused = (bpf_iter_##type##_new(&___it, ##args), (void)bpf_iter_##type##_destroy, (void *)0);	\
	     ((cur) = bpf_iter_##type##_next(&___it));)
/* i = start, ..., end - 1: compared once more where the verifier sees it. */
#define bpf_for(i, start, end)								\
	for (struct bpf_iter_num ___it __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),	\
	     *___made __unused = (bpf_iter_num_new(&___it, (start), (end)), (void)bpf_iter_num_destroy, (void *)0);	\
	     ({ int *___now = bpf_iter_num_next(&___it); ___now && ((i) = *___now, (i) >= (start) && (i) < (end)); });)
/* As often as `times`. */
#define bpf_repeat(times)								\
	for (struct bpf_iter_num ___it __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),	\
	     *___made __unused = (bpf_iter_num_new(&___it, 0, (times)), (void)bpf_iter_num_destroy, (void *)0);	\
	     bpf_iter_num_next(&___it);)

/* A tail call whose index is a constant, which the kernel's compiler turns into a jump. */
static __always_inline void bpf_tail_call_static(void *ctx, const void *map, const __u32 slot)
{
	asm volatile("r1 = %[ctx]\n\tr2 = %[map]\n\tr3 = %[slot]\n\tcall 12"
		     :: [ctx] "r"(ctx), [map] "r"(map), [slot] "i"(slot)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
}

#endif
