#include "common.h"

extern u32 CONFIG_HZ __kconfig __weak;
extern u64 CONFIG_LOG_BUF_SHIFT __kconfig;
extern char CONFIG_DEFAULT_HOSTNAME[16] __kconfig;
extern const int bpf_map_fops __ksym __weak;
extern const void init_task __ksym;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern u64 found;

SEC("raw_tp/sys_exit") int leave(void *ctx)
{
	found = (u64)&bpf_map_fops - (u64)&init_task + CONFIG_HZ + CONFIG_LOG_BUF_SHIFT + CONFIG_DEFAULT_HOSTNAME[3];
	return 0;
}

SEC("tp_btf/sys_exit") int typed_too(void *ctx)
{
	if (bpf_rcu_read_lock && bpf_rcu_read_unlock) {
		bpf_rcu_read_lock();
		bpf_rcu_read_unlock();
	}
	return 0;
}
