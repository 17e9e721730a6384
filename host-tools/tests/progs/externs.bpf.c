/* Configuration externs, weak ones and others, of every size. */
#define SEC(name) __attribute__((section(name)))
#define WEAK __attribute__((weak))

extern int LINUX_KERNEL_VERSION SEC(".kconfig");
extern int CONFIG_HZ SEC(".kconfig") WEAK;
extern _Bool LINUX_HAS_BPF_COOKIE SEC(".kconfig") WEAK;
extern _Bool CONFIG_BPF SEC(".kconfig");

SEC("raw_tp/sys_enter") long externs(void *ctx)
{
	return LINUX_KERNEL_VERSION + CONFIG_HZ + LINUX_HAS_BPF_COOKIE + CONFIG_BPF;
}

char _license[] SEC("license") = "Dual MIT/GPL";
