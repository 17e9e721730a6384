/* Variables of the other file in every section, static ones of one name, and what alignment leaves between pieces. */
#include "common.h"

extern int there;
extern const volatile u64 limit;
extern u8 zeros[];
extern struct pair {
	u16 low, high;
} both;

u8 odd = 7;
u8 nothing[3];
const volatile u8 flag = 1;
static volatile u32 state = 11;
static volatile u8 idle;

SEC("raw_tp/sys_enter") int enter(void *ctx)
{
	state += there + zeros[5] + both.high + idle;
	odd = limit > state;
	nothing[2] = flag;
	return odd;
}

u32 custom SEC(".data.custom") = 0x1234;
char LICENSE[] SEC("license") = "Dual MIT/GPL";
