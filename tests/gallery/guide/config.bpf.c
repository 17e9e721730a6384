/* An option that a kernel may lack. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>

#ifndef RIGHT
extern bool CONFIG_PREEMPT_RT __kconfig;
#else
extern bool CONFIG_PREEMPT_RT __kconfig __weak;
#endif

__u64 count;

SEC("raw_tracepoint/sched_switch") int switches(void *ctx)
{
	if (CONFIG_PREEMPT_RT)
		count++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
