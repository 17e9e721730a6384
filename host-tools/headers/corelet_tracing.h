/*
 * Registers of probes for every architecture out of one object.
 *
 * A kprobe or uprobe is given the registers of the CPU, whose names and places each architecture has of its own. libbpf's
 * header of the same task chooses among them when it is compiled, by -D__TARGET_ARCH_x, and so makes an object for one
 * architecture. Here all of them are in the object, each as a flavor of struct pt_regs that CO-RE finds in the kernel's types;
 * LINUX_ARCH, which the pack of each target fills, says which branch is taken; the verifier sees a constant there and drops
 * the others, whose instructions relocation has poisoned. libbpf leaves LINUX_ARCH 0, since it is weak: then the shape of the
 * kernel's struct pt_regs decides, and the same object runs.
 *
 * Of x86-64, AArch64, 32-bit ARM and 64-bit RISC-V. Corelet's own text (MIT or Apache-2.0).
 */
#ifndef CORELET_TRACING_H
#define CORELET_TRACING_H

#include "bpf/bpf_helpers.h"
#include "bpf/bpf_core_read.h"

/* What this is: the ELF's machine number (EM_*), 0 where whoever loaded the object does not say. */
extern const unsigned int LINUX_ARCH __kconfig __weak;
/* Whether functions of system calls take a struct pt_regs (CONFIG_ARCH_HAS_SYSCALL_WRAPPER). */
extern const _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig __weak;

enum corelet_arch {
	CORELET_ARM = 40,
	CORELET_X86_64 = 62,
	CORELET_ARM64 = 183,
	CORELET_RISCV64 = 243,
};

/* The registers that are named below, as each architecture's struct pt_regs has them. 32-bit ARM's have 4 bytes. */
struct pt_regs___x86_64 {
	unsigned long bp, r9, r8, r10, ax, cx, dx, si, di, orig_ax, ip, sp;
} __attribute__((preserve_access_index));
struct pt_regs___arm64 {
	unsigned long long regs[31], sp, pc, pstate, orig_x0;
} __attribute__((preserve_access_index));
struct pt_regs___arm {
	unsigned int uregs[18];
} __attribute__((preserve_access_index));
struct pt_regs___riscv64 {
	unsigned long epc, ra, sp, s0, a0, a1, a2, a3, a4, a5, a6, a7, orig_a0;
} __attribute__((preserve_access_index));
struct list_head___corelet {
	void *next;
} __attribute__((preserve_access_index));

/* The architecture of the kernel that the object was loaded into: one of enum corelet_arch, 0 for another one. */
static __always_inline unsigned int corelet_arch(void)
{
	unsigned int arch = LINUX_ARCH;

	if (!arch) {
		if (bpf_core_field_exists(struct pt_regs___arm64, pstate))
			arch = CORELET_ARM64;
		else if (bpf_core_field_exists(struct pt_regs___riscv64, epc))
			arch = CORELET_RISCV64;
		else if (bpf_core_field_exists(struct pt_regs___arm, uregs))
			arch = CORELET_ARM;
		else if (bpf_core_field_exists(struct pt_regs___x86_64, orig_ax))
			arch = CORELET_X86_64;
	}
	/* one value from here on, rather than a copy of what follows for each way here */
	asm("" : "+r"(arch));
	return arch;
}

/* Bytes of a pointer, a `long` and a size_t of the kernel, and of its processes but for those of another width. */
#define CORELET_LONG_SIZE bpf_core_field_size(struct list_head___corelet, next)

/* A signed `long` of the kernel (an ssize_t, an error in a return value) that was read as what it is without a sign. */
static __always_inline long corelet_long(unsigned long value)
{
	return CORELET_LONG_SIZE == 4 ? (long)(int)value : (long)value;
}

/* A pointer, `unsigned long` or size_t of a process, as number `index` of an array at `address` there: argv, iovec, ... */
static __always_inline unsigned long corelet_read_user_long(const void *address, unsigned int index)
{
	unsigned long value = 0;

	bpf_probe_read_user(&value, CORELET_LONG_SIZE, address + CORELET_LONG_SIZE * index);
	return value;
}

/* The same of the kernel's memory. */
static __always_inline unsigned long corelet_read_long(const void *address, unsigned int index)
{
	unsigned long value = 0;

	bpf_probe_read_kernel(&value, CORELET_LONG_SIZE, address + CORELET_LONG_SIZE * index);
	return value;
}

/* A signed `long` member, src->a->b. A direct load of one has another size on 32 bits and is poisoned there. */
#define CORELET_READ_LONG(src, a...) ({							\
	unsigned long ___l;								\
	BPF_CORE_READ_INTO(&___l, src, a);						\
	corelet_long(___l);								\
})

/* A load that stays in its branch, of a context of its own: the verifier refuses one that was moved, as it is where the load is behind
 * the choice, or where several loads share the address. */
#define ___corelet_here(value) ({ __u64 ___v = (value); asm("" : "+r"(___v)); ___v; })
#define ___corelet_direct(arch, ctx, reg) ({						\
	const void *___ctx = (ctx);							\
	asm volatile("" : "+r"(___ctx));						\
	___corelet_here(((const struct pt_regs___##arch *)___ctx)->reg);		\
})
/* An address that stays in its branch: in a loop it would be computed before, with the relocations of all architectures. */
#define ___corelet_core(arch, ctx, reg) ({						\
	const void *___at = (ctx);							\
	asm volatile("" : "+r"(___at));							\
	BPF_CORE_READ((struct pt_regs___##arch *)___at, reg);			\
})

/* name() reads a register of a probe's context, name_core() one of registers that lie in the kernel's memory. Both take the
 * architecture first, so that a program asks for it once. */
#define ___corelet_choose(how, name, x86_64_, arm64_, arm_, riscv64_)			\
	static __always_inline unsigned long name(unsigned int arch, const void *ctx)	\
	{										\
		switch (arch) {								\
		case CORELET_ARM64: return how(arm64, ctx, arm64_);			\
		case CORELET_RISCV64: return how(riscv64, ctx, riscv64_);		\
		case CORELET_ARM: return how(arm, ctx, arm_);				\
		case CORELET_X86_64: return how(x86_64, ctx, x86_64_);			\
		}									\
		return 0;								\
	}
#define CORELET_REGISTER(name, x86_64, arm64, arm, riscv64)				\
	___corelet_choose(___corelet_direct, name, x86_64, arm64, arm, riscv64)		\
	___corelet_choose(___corelet_core, name##_core, x86_64, arm64, arm, riscv64)

CORELET_REGISTER(corelet_sp, sp, sp, uregs[13], sp)
CORELET_REGISTER(corelet_ip, ip, pc, uregs[15], epc)
CORELET_REGISTER(corelet_fp, bp, regs[29], uregs[11], s0)
CORELET_REGISTER(corelet_rc, ax, regs[0], uregs[0], a0)
/* Where the function returns to: x86-64 has that on the stack, and its stack pointer stands in for it, as in libbpf. */
CORELET_REGISTER(corelet_ret, sp, regs[30], uregs[14], ra)
CORELET_REGISTER(corelet_parm1, di, regs[0], uregs[0], a0)
CORELET_REGISTER(corelet_parm2, si, regs[1], uregs[1], a1)
CORELET_REGISTER(corelet_parm3, dx, regs[2], uregs[2], a2)
CORELET_REGISTER(corelet_parm4, cx, regs[3], uregs[3], a3)
/* uregs and sp from here on: the stack at a function's entry, see corelet_parm(). */
CORELET_REGISTER(corelet_parm5_register, r8, regs[4], uregs[13], a4)
CORELET_REGISTER(corelet_parm6_register, r9, regs[5], uregs[13], a5)
CORELET_REGISTER(corelet_parm7_register, sp, regs[6], uregs[13], a6)
CORELET_REGISTER(corelet_parm8_register, sp, regs[7], uregs[13], a7)
/* Of a system call, in the registers that user space called it with. */
CORELET_REGISTER(corelet_syscall_parm1, di, orig_x0, uregs[17], orig_a0)
CORELET_REGISTER(corelet_syscall_parm4, r10, regs[3], uregs[3], a3)
CORELET_REGISTER(corelet_syscall_parm5, r8, regs[4], uregs[4], a4)
CORELET_REGISTER(corelet_syscall_parm6, r9, regs[5], uregs[5], a5)

/* Arguments 5 to 8 at a function's entry: what has no register lies on the stack, on x86-64 above the address to return to.
 * bpf_probe_read() is right for both the kernel's stacks and processes' there. */
#define ___corelet_parm(n, name, register)						\
	static __always_inline unsigned long name(unsigned int arch, const void *ctx)	\
	{										\
		unsigned long value = register(arch, ctx), slot = 0;			\
											\
		if (arch == CORELET_ARM)						\
			bpf_probe_read(&slot, 4, (const void *)value + 4 * (n - 5));	\
		else if (arch == CORELET_X86_64 && n > 6)				\
			bpf_probe_read(&slot, 8, (const void *)value + 8 * (n - 6));	\
		else									\
			return value;							\
		return slot;								\
	}
#define CORELET_PARM(n)									\
	___corelet_parm(n, corelet_parm##n, corelet_parm##n##_register)			\
	___corelet_parm(n, corelet_parm##n##_core, corelet_parm##n##_register_core)
CORELET_PARM(5)
CORELET_PARM(6)
CORELET_PARM(7)
CORELET_PARM(8)

/* From here on, libbpf's names. They give values and no places whose address could be taken: a register has 4 bytes on 32-bit ARM,
 * and arguments lie on the stack there. Registers in the kernel's memory are read by the _CORE names. */
#define PT_REGS_PARM1(ctx) corelet_parm1(corelet_arch(), ctx)
#define PT_REGS_PARM2(ctx) corelet_parm2(corelet_arch(), ctx)
#define PT_REGS_PARM3(ctx) corelet_parm3(corelet_arch(), ctx)
#define PT_REGS_PARM4(ctx) corelet_parm4(corelet_arch(), ctx)
#define PT_REGS_PARM5(ctx) corelet_parm5(corelet_arch(), ctx)
#define PT_REGS_PARM6(ctx) corelet_parm6(corelet_arch(), ctx)
#define PT_REGS_PARM7(ctx) corelet_parm7(corelet_arch(), ctx)
#define PT_REGS_PARM8(ctx) corelet_parm8(corelet_arch(), ctx)
#define PT_REGS_RET(ctx) corelet_ret(corelet_arch(), ctx)
#define PT_REGS_FP(ctx) corelet_fp(corelet_arch(), ctx)
#define PT_REGS_RC(ctx) corelet_rc(corelet_arch(), ctx)
#define PT_REGS_SP(ctx) corelet_sp(corelet_arch(), ctx)
#define PT_REGS_IP(ctx) corelet_ip(corelet_arch(), ctx)
#define PT_REGS_PARM1_CORE(regs) corelet_parm1_core(corelet_arch(), regs)
#define PT_REGS_PARM2_CORE(regs) corelet_parm2_core(corelet_arch(), regs)
#define PT_REGS_PARM3_CORE(regs) corelet_parm3_core(corelet_arch(), regs)
#define PT_REGS_PARM4_CORE(regs) corelet_parm4_core(corelet_arch(), regs)
#define PT_REGS_PARM5_CORE(regs) corelet_parm5_core(corelet_arch(), regs)
#define PT_REGS_PARM6_CORE(regs) corelet_parm6_core(corelet_arch(), regs)
#define PT_REGS_PARM7_CORE(regs) corelet_parm7_core(corelet_arch(), regs)
#define PT_REGS_PARM8_CORE(regs) corelet_parm8_core(corelet_arch(), regs)
#define PT_REGS_RET_CORE(regs) corelet_ret_core(corelet_arch(), regs)
#define PT_REGS_FP_CORE(regs) corelet_fp_core(corelet_arch(), regs)
#define PT_REGS_RC_CORE(regs) corelet_rc_core(corelet_arch(), regs)
#define PT_REGS_SP_CORE(regs) corelet_sp_core(corelet_arch(), regs)
#define PT_REGS_IP_CORE(regs) corelet_ip_core(corelet_arch(), regs)
/* The address that a function returns to, in a probe of its entry and of its return: x86-64 has it on the stack. */
static __always_inline unsigned long corelet_return_address(unsigned int arch, const void *ctx, const void *at)
{
	unsigned long address = 0;

	if (arch != CORELET_X86_64)
		return corelet_ret(arch, ctx);
	bpf_probe_read_kernel(&address, sizeof(address), at);
	return address;
}
#define BPF_KPROBE_READ_RET_IP(address, ctx)						\
	({ (address) = corelet_return_address(corelet_arch(), ctx, (void *)PT_REGS_SP(ctx)); })
#define BPF_KRETPROBE_READ_RET_IP(address, ctx)						\
	({ (address) = corelet_return_address(corelet_arch(), ctx, (void *)PT_REGS_FP(ctx) + 8); })
#define PT_REGS_PARM1_SYSCALL(ctx) corelet_syscall_parm1(corelet_arch(), ctx)
#define PT_REGS_PARM2_SYSCALL(ctx) corelet_parm2(corelet_arch(), ctx)
#define PT_REGS_PARM3_SYSCALL(ctx) corelet_parm3(corelet_arch(), ctx)
#define PT_REGS_PARM4_SYSCALL(ctx) corelet_syscall_parm4(corelet_arch(), ctx)
#define PT_REGS_PARM5_SYSCALL(ctx) corelet_syscall_parm5(corelet_arch(), ctx)
#define PT_REGS_PARM6_SYSCALL(ctx) corelet_syscall_parm6(corelet_arch(), ctx)
#define PT_REGS_PARM1_CORE_SYSCALL(regs) corelet_syscall_parm1_core(corelet_arch(), regs)
#define PT_REGS_PARM2_CORE_SYSCALL(regs) corelet_parm2_core(corelet_arch(), regs)
#define PT_REGS_PARM3_CORE_SYSCALL(regs) corelet_parm3_core(corelet_arch(), regs)
#define PT_REGS_PARM4_CORE_SYSCALL(regs) corelet_syscall_parm4_core(corelet_arch(), regs)
#define PT_REGS_PARM5_CORE_SYSCALL(regs) corelet_syscall_parm5_core(corelet_arch(), regs)
#define PT_REGS_PARM6_CORE_SYSCALL(regs) corelet_syscall_parm6_core(corelet_arch(), regs)

/* The registers of user space in a kprobe of a system call's function: behind its only argument where it has a wrapper, else
 * the context, whose registers are the arguments. Read them by the _CORE_SYSCALL names. */
#define PT_REGS_SYSCALL_REGS(ctx) \
	((struct pt_regs *)(LINUX_HAS_SYSCALL_WRAPPER ? (void *)PT_REGS_PARM1(ctx) : (void *)(ctx)))

/* Argument n of a system call, in a kprobe of its function, with a wrapper and without. */
#define ___corelet_syscall(n)								\
	static __always_inline unsigned long corelet_ksyscall##n(unsigned int arch, const void *ctx)	\
	{										\
		if (LINUX_HAS_SYSCALL_WRAPPER)						\
			return corelet_syscall_parm##n##_core(arch, (const void *)corelet_parm1(arch, ctx));	\
		return corelet_parm##n(arch, ctx);					\
	}
#define corelet_syscall_parm2_core corelet_parm2_core
#define corelet_syscall_parm3_core corelet_parm3_core
___corelet_syscall(1)
___corelet_syscall(2)
___corelet_syscall(3)
___corelet_syscall(4)
___corelet_syscall(5)
___corelet_syscall(6)

/* The context, and as many arguments as there are names: ctx, fn1(arch, ctx), fn2(arch, ctx), ... */
#define ___corelet_args0(fn, ctx) ctx
#define ___corelet_args1(fn, ctx, a) ___corelet_args0(fn, ctx), (void *)fn##1(arch, ctx)
#define ___corelet_args2(fn, ctx, a, b...) ___corelet_args1(fn, ctx, a), (void *)fn##2(arch, ctx)
#define ___corelet_args3(fn, ctx, a, b...) ___corelet_args2(fn, ctx, a, b), (void *)fn##3(arch, ctx)
#define ___corelet_args4(fn, ctx, a, b...) ___corelet_args3(fn, ctx, a, b), (void *)fn##4(arch, ctx)
#define ___corelet_args5(fn, ctx, a, b...) ___corelet_args4(fn, ctx, a, b), (void *)fn##5(arch, ctx)
#define ___corelet_args6(fn, ctx, a, b...) ___corelet_args5(fn, ctx, a, b), (void *)fn##6(arch, ctx)
#define ___corelet_args7(fn, ctx, a, b...) ___corelet_args6(fn, ctx, a, b), (void *)fn##7(arch, ctx)
#define ___corelet_args8(fn, ctx, a, b...) ___corelet_args7(fn, ctx, a, b), (void *)fn##8(arch, ctx)
#define ___corelet_args(fn, args...) ___bpf_apply(___corelet_args, ___bpf_narg(args))(fn, ctx, ##args)

/* A program whose C arguments are made of its context by `fn`; its body follows. */
#define ___corelet_program(name, fn, args...)						\
	name(struct pt_regs *ctx);							\
	static __always_inline typeof(name(0)) ____##name(struct pt_regs *ctx, ##args);	\
	typeof(name(0)) name(struct pt_regs *ctx)					\
	{										\
		typedef typeof(name(0)) ___takes_long(struct pt_regs *, long) __unused;	\
		typedef typeof(____##name) ___body __unused;				\
		unsigned int arch __unused = corelet_arch();				\
											\
		_Pragma("GCC diagnostic push")						\
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")			\
		return ____##name(___corelet_args(fn, ##args));				\
		_Pragma("GCC diagnostic pop")						\
	}										\
	static __always_inline typeof(name(0)) ____##name(struct pt_regs *ctx, ##args)

/* SEC("kprobe/vfs_read") int BPF_KPROBE(read, struct file *file, char *buf, size_t count) { ... } */
#define BPF_KPROBE(name, args...) ___corelet_program(name, corelet_parm, ##args)
#define BPF_UPROBE(name, args...) ___corelet_program(name, corelet_parm, ##args)
/* SEC("kretprobe/vfs_read") int BPF_KRETPROBE(read_exit, ssize_t ret): what it returns, if anything. A `long` gets its sign on 32
 * bits too; an `int` has it anyway. */
#define corelet_rc1(arch, ctx) _Generic((___body *)0,					\
	___takes_long *: corelet_long(corelet_rc(arch, ctx)), default: corelet_rc(arch, ctx))
#define BPF_KRETPROBE(name, args...) ___corelet_program(name, corelet_rc, ##args)
#define BPF_URETPROBE(name, args...) ___corelet_program(name, corelet_rc, ##args)
/* SEC("ksyscall/openat") int BPF_KSYSCALL(openat, int dfd, const char *path) { ... } */
#define BPF_KSYSCALL(name, args...) ___corelet_program(name, corelet_ksyscall, ##args)
#define BPF_KPROBE_SYSCALL BPF_KSYSCALL

/* Programs whose context is an array of 8 bytes for each argument: fentry, tp_btf, raw_tp, LSM, iterators, struct_ops. */
#define ___corelet_slot1(arch, ctx) ctx[0]
#define ___corelet_slot2(arch, ctx) ctx[1]
#define ___corelet_slot3(arch, ctx) ctx[2]
#define ___corelet_slot4(arch, ctx) ctx[3]
#define ___corelet_slot5(arch, ctx) ctx[4]
#define ___corelet_slot6(arch, ctx) ctx[5]
#define ___corelet_slot7(arch, ctx) ctx[6]
#define ___corelet_slot8(arch, ctx) ctx[7]
#define ___corelet_args9(fn, ctx, a, b...) ___corelet_args8(fn, ctx, a, b), (void *)ctx[8]
#define ___corelet_args10(fn, ctx, a, b...) ___corelet_args9(fn, ctx, a, b), (void *)ctx[9]
#define ___corelet_args11(fn, ctx, a, b...) ___corelet_args10(fn, ctx, a, b), (void *)ctx[10]
#define ___corelet_args12(fn, ctx, a, b...) ___corelet_args11(fn, ctx, a, b), (void *)ctx[11]
/* SEC("tp_btf/sched_switch") int BPF_PROG(on_switch, bool preempt, struct task_struct *prev) { ... } */
#define BPF_PROG(name, args...)								\
	name(unsigned long long *ctx);							\
	static __always_inline typeof(name(0)) ____##name(unsigned long long *ctx, ##args);	\
	typeof(name(0)) name(unsigned long long *ctx)					\
	{										\
		_Pragma("GCC diagnostic push")						\
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")			\
		return ____##name(___corelet_args(___corelet_slot, ##args));		\
		_Pragma("GCC diagnostic pop")						\
	}										\
	static __always_inline typeof(name(0)) ____##name(unsigned long long *ctx, ##args)

/* BPF_PROG2: types and names with commas between, since an argument that is a struct by value fills as many slots as it has 8 bytes.
 * Whole slots are read, as the verifier wants it; a value of less than 8 bytes is at a slot's low end. */
#define ___corelet_slots(type) ((sizeof(type) + 7) / 8)
#define ___corelet_up(type) \
	(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && sizeof(type) < 8 ? 64 - 8 * (sizeof(type) & 7) : 0)
#define ___corelet_value(type, at) ({							\
	_Static_assert(sizeof(type) <= 16, "the kernel gives programs no struct of more by value"); \
	union { unsigned long long slots[2]; type value; } ___u;			\
	___u.slots[0] = ctx[at] << ___corelet_up(type);					\
	___u.slots[1] = ctx[(at) + ___corelet_slots(type) - 1];				\
	___u.value;									\
})
#define ___corelet_nth2(_, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, _20, _21, _22,	\
			_23, _24, N, ...) N
/* How many words, 0 to 24; an odd number is a type without a name, which no macro below takes. */
#define ___corelet_narg2(...) ___corelet_nth2(_, ##__VA_ARGS__, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6,	\
					      5, 4, 3, 2, 1, 0)
#define ___corelet_declare0()
#define ___corelet_declare2(type, name) , type name
#define ___corelet_declare4(type, name, more...) , type name ___corelet_declare2(more)
#define ___corelet_declare6(type, name, more...) , type name ___corelet_declare4(more)
#define ___corelet_declare8(type, name, more...) , type name ___corelet_declare6(more)
#define ___corelet_declare10(type, name, more...) , type name ___corelet_declare8(more)
#define ___corelet_declare12(type, name, more...) , type name ___corelet_declare10(more)
#define ___corelet_declare14(type, name, more...) , type name ___corelet_declare12(more)
#define ___corelet_declare16(type, name, more...) , type name ___corelet_declare14(more)
#define ___corelet_declare18(type, name, more...) , type name ___corelet_declare16(more)
#define ___corelet_declare20(type, name, more...) , type name ___corelet_declare18(more)
#define ___corelet_declare22(type, name, more...) , type name ___corelet_declare20(more)
#define ___corelet_declare24(type, name, more...) , type name ___corelet_declare22(more)
#define ___corelet_values0(at)
#define ___corelet_values2(at, type, name) , ___corelet_value(type, at)
#define ___corelet_values4(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values2((at) + ___corelet_slots(type), more)
#define ___corelet_values6(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values4((at) + ___corelet_slots(type), more)
#define ___corelet_values8(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values6((at) + ___corelet_slots(type), more)
#define ___corelet_values10(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values8((at) + ___corelet_slots(type), more)
#define ___corelet_values12(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values10((at) + ___corelet_slots(type), more)
#define ___corelet_values14(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values12((at) + ___corelet_slots(type), more)
#define ___corelet_values16(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values14((at) + ___corelet_slots(type), more)
#define ___corelet_values18(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values16((at) + ___corelet_slots(type), more)
#define ___corelet_values20(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values18((at) + ___corelet_slots(type), more)
#define ___corelet_values22(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values20((at) + ___corelet_slots(type), more)
#define ___corelet_values24(at, type, name, more...) \
	, ___corelet_value(type, at) ___corelet_values22((at) + ___corelet_slots(type), more)
#define ___corelet_declare(args...) ___bpf_apply(___corelet_declare, ___corelet_narg2(args))(args)
#define ___corelet_values(args...) ___bpf_apply(___corelet_values, ___corelet_narg2(args))(0, ##args)
/* SEC("fentry/set_rate") int BPF_PROG2(on_rate, struct rate, rate, int, cpu) { ... } */
#define BPF_PROG2(name, args...)							\
	name(unsigned long long *ctx);							\
	static __always_inline typeof(name(0)) ____##name(unsigned long long *ctx ___corelet_declare(args));	\
	typeof(name(0)) name(unsigned long long *ctx)					\
	{										\
		return ____##name(ctx ___corelet_values(args));				\
	}										\
	static __always_inline typeof(name(0)) ____##name(unsigned long long *ctx ___corelet_declare(args))

#endif
