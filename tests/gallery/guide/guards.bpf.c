/* Whatever leaves out what a kernel lacks: no word about it. With -DWRONG a question about something else, which leaves out nothing. */
#include <corelet_types.h>
#include <corelet_tracing.h>

struct task_struct {
	long state;
	unsigned int pid, cpu;
} CORE;
struct task_struct___new {
	unsigned int __state;
} CORE;
enum gone { GONE = 3 };

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_NO_SUCH_OPTION __kconfig __weak;
extern void no_such_function(void) __ksym __weak;

long sum;

#ifdef WRONG
SEC("raw_tracepoint/sched_switch") int asks(struct task_struct **ctx)
{
	if (bpf_core_field_exists(struct task_struct, pid))
		sum += BPF_CORE_READ(ctx[1], cpu);
	return 0;
}
#else
static __noinline unsigned int cpu(struct task_struct *task)
{
	return BPF_CORE_READ(task, cpu);
}

SEC("raw_tracepoint/sched_switch") int asks(struct task_struct **ctx)
{
	struct task_struct *task = ctx[1];
	bool old = !bpf_core_field_exists(struct task_struct___new, __state);

	if (LINUX_KERNEL_VERSION < KERNEL_VERSION(5, 14, 0))
		sum += BPF_CORE_READ(task, state);
	if (CONFIG_NO_SUCH_OPTION)
		sum += BPF_CORE_READ(task, cpu);
	if (corelet_arch() == CORELET_X86_64)
		sum += BPF_CORE_READ(task, cpu);
	if (bpf_core_field_exists(task->cpu))
		sum += cpu(task);
	if (bpf_core_enum_value_exists(enum gone, GONE))
		sum += bpf_core_enum_value(enum gone, GONE);
	if (bpf_ksym_exists(no_such_function))
		sum += BPF_CORE_READ(task, cpu);
	bpf_get_current_comm(&sum, sizeof(sum));
	if (old)
		sum += BPF_CORE_READ(task, state);
	return 0;
}
#endif

char LICENSE[] SEC("license") = "GPL";
