#include "common.h"

int level __hidden = 4;
static volatile int rounds;

__noinline static int twice(int x)
{
	rounds++;
	return x * 2 + (int)bpf_get_current_pid_tgid();
}

__noinline __hidden int step(int x)
{
	return twice(x) + twice(x + level);
}

u32 kernel_version SEC("version") = 0x60c00;
char LICENSE[] SEC("license") = "GPL";
