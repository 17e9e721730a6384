#include "common.h"

u8 odd_too = 9;
int there = -5;
const volatile u64 limit = 1ull << 40;
u8 zeros[32];
struct pair {
	u16 low, high;
} both = { 3, 4 };
u64 wide __attribute__((aligned(64))) = 1;
u64 empty __attribute__((aligned(32)));
static volatile u32 state = 22;
static volatile u8 idle;
extern u8 odd;

SEC("raw_tp/sys_exit") int leave(void *ctx)
{
	static volatile u64 calls;
	u64 words[4] = { 0x1111111111111111, 2, 3, state };

	calls += words[calls & 3];
	wide += odd + odd_too + idle;
	empty = calls;
	return 0;
}

u64 custom_too SEC(".data.custom") = 0x56789;
const char words[] SEC(".rodata.words") = "not a number";
