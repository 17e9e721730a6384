/* Wrong: an option that a kernel may lack, not weak. */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
extern bool CONFIG_PREEMPT_RT __kconfig;
__u64 count;
SEC("raw_tracepoint/sched_switch") int switches(void *ctx)
{
	if (CONFIG_PREEMPT_RT)
		count++;
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
