/* Integers: neither name nor sign counts; the size of a load or store changes where no bit is lost by that. */
#include "selfcheck.h"

struct ints {
	u8 u8_field;
	s8 s8_field;
	u16 u16_field;
	s16 s16_field;
	u32 u32_field;
	s32 s32_field;
	u64 u64_field;
	s64 s64_field;
} CORE;

CHECK(in, struct ints)
{
	EXPECT(in->u8_field == 1 && in->s8_field == 2);
	EXPECT(in->u16_field == 3 && in->s16_field == 4);
	EXPECT(in->u32_field == 5 && in->s32_field == 6);
	EXPECT(in->u64_field == 7 && in->s64_field == 8);
	in->u64_field = 9;
	EXPECT(in->u64_field == 9);
	EXPECT(in->u32_field == 5 && in->s64_field == 8);
	EXPECT(FIELD_SIGNED(in->u32_field) == want[0]);
	EXPECT(FIELD_SIGNED(in->s32_field) == want[1]);
	EXPECT(FIELD_SIZE(in->u64_field) == want[2]);
	return 0;
}
