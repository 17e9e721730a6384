/* The same configuration and symbols of the kernel asked for by both files, strong here and weak there. A symbol without a type
 * (`const void`) in both is more than bpftool links. */
#include "common.h"

extern u32 LINUX_KERNEL_VERSION __kconfig;
extern u32 CONFIG_HZ __kconfig;
extern _Bool CONFIG_NOT_THERE __kconfig __weak;
extern const int bpf_map_fops __ksym;
extern void bpf_rcu_read_lock(void) __ksym __weak;

u64 found;

SEC("raw_tp/sys_enter") int enter(void *ctx)
{
	found = (u64)&bpf_map_fops + CONFIG_HZ;
	if (LINUX_KERNEL_VERSION > 0x50000 && CONFIG_NOT_THERE)
		found++;
	return 0;
}

SEC("tp_btf/sys_enter") int typed(void *ctx)
{
	if (bpf_rcu_read_lock)
		bpf_rcu_read_lock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
