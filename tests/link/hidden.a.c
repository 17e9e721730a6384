/* A library's functions and variables that are hidden: seen by what is linked with it. */
#include "common.h"

__hidden int step(int x);
extern int level __hidden;

SEC("raw_tp/sys_enter") int enter(void *ctx)
{
	return step(level) + step(2);
}

u32 kernel_version SEC("version") = 0x60c00;
char LICENSE[] SEC("license") = "GPL";
