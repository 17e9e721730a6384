/*
 * What readers reads of the kernel: members, registers, configuration, and a kernel function where there is one.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <corelet_tracing.h>

struct super_block {
	unsigned long s_magic;
} CORE;

struct inode {
	struct super_block *i_sb;
} CORE;

struct file {
	struct inode *f_inode;
} CORE;

struct task_struct {
	int tgid;
	struct task_struct *real_parent;
} CORE;

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern unsigned int CONFIG_HZ __kconfig;
extern bool CONFIG_PREEMPT __kconfig __weak;

__u64 first_argument(struct pt_regs *ctx)
{
	return PT_REGS_PARM1(ctx);
}

__u64 third_argument(struct pt_regs *ctx)
{
	return PT_REGS_PARM3(ctx);
}

__u64 file_system(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_sb, s_magic);
}

bool can_cast(void)
{
	return !!bpf_ksym_exists(bpf_rdonly_cast);
}

/* Not inlined: a function of its own, called from Rust. */
__noinline __u32 parent_of(struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	if (bpf_ksym_exists(bpf_rdonly_cast))
		return bpf_core_cast(parent, struct task_struct)->tgid;
	return BPF_CORE_READ(parent, tgid);
}

__u32 kernel_version(void)
{
	return LINUX_KERNEL_VERSION;
}

__u32 kernel_hz(void)
{
	return CONFIG_HZ;
}

bool kernel_preempts(void)
{
	return CONFIG_PREEMPT;
}
