//# bitfields ok
struct bitfields { u8 ub1 : 1; u8 ub2 : 2; u32 ub7 : 7; s8 sb4 : 4; s32 sb20 : 20; u32 u32_field; s32 s32_field; };
IMAGE(struct bitfields in, WANT(1, 2, 96, -7, -0x76543, 0x80000000, -0x76543210),
	{ 1, 2, 96, -7, -0x76543, 0x80000000, -0x76543210 });
//# bitfields___bit_sz_change ok
struct bitfields { u16 ub1 : 3; u32 ub2 : 20; u8 ub7 : 1; s8 sb4 : 1; s32 sb20 : 30; u16 u32_field; s64 s32_field; };
IMAGE(struct bitfields in, WANT(6, 0xabcde, 1, -1, -0x17654321, 0xbeef, -0x3fedcba987654321),
	{ 6, 0xabcde, 1, -1, -0x17654321, 0xbeef, -0x3fedcba987654321 });
//# bitfields___bitfield_vs_int ok
struct bitfields { u64 ub1; u8 ub2; s64 ub7 : 60; s64 sb4; u64 sb20; s32 u32_field : 20; u64 s32_field : 60; };
IMAGE(struct bitfields in,
	WANT(0xfedcba9876543210, 0xa6, -0x7edcba987654321, -0x6123456789abcde, 0xd00d, -0x76543, 0x0adeadbeefbadb0b),
	{ 0xfedcba9876543210, 0xa6, -0x7edcba987654321, -0x6123456789abcde, 0xd00d, -0x76543, 0x0adeadbeefbadb0b });
//# bitfields___just_big_enough ok
/* two fields fill the largest integer to its last bit */
struct bitfields { u64 ub1 : 4; u64 ub2 : 60; };
IMAGE(struct bitfields in, WANT(0xf, 0x0812345678fedcba), { 0xf, 0x0812345678fedcba });
//# bitfields___err_too_big_bitfield fails
/* the second field begins in one integer of 8 bytes and ends in the next */
struct bitfields { u64 ub1 : 4; u64 ub2 : 61; } __attribute__((packed));
IMAGE(struct bitfields in, WANT(0xf, 0x1812345678fedcba), { 0xf, 0x1812345678fedcba });
//# bitfields___behind_others ok
struct bitfields { u32 pad : 13; u32 ub1 : 1; u32 ub2 : 7; u32 ub7 : 9; s32 : 0; s16 pad2 : 11; s16 sb4 : 5; s32 sb20 : 31; u32 u32_field : 31; s32 s32_field : 3; };
IMAGE(struct bitfields in, WANT(1, 0x55, 0x1aa, -16, 0x3fffffff, 0x7fffffff, -4),
	{ 0x1fff, 1, 0x55, 0x1aa, 0x2aa, -16, 0x3fffffff, 0x7fffffff, -4 });
