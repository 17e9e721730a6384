/* Bitfields by the target's layout, byte order and sign; plain integers where bitfields were, and the other way round. */
#include "selfcheck.h"

struct bitfields {
	u8 ub1 : 1;
	u8 ub2 : 2;
	u32 ub7 : 7;
	s8 sb4 : 4;
	s32 sb20 : 20;
	u32 u32_field;
	s32 s32_field;
} CORE;

CHECK(in, struct bitfields)
{
	EXPECT(BITFIELD(in, ub1) == want[0]);
	EXPECT(BITFIELD(in, ub2) == want[1]);
	if (FIELD_EXISTS(in->ub7))
		EXPECT(BITFIELD(in, ub7) == want[2]);
	if (FIELD_EXISTS(in->sb4))
		EXPECT(BITFIELD(in, sb4) == want[3]);
	if (FIELD_EXISTS(in->sb20))
		EXPECT(BITFIELD(in, sb20) == want[4]);
	if (FIELD_EXISTS(in->u32_field))
		EXPECT(BITFIELD(in, u32_field) == want[5]);
	if (FIELD_EXISTS(in->s32_field))
		EXPECT(BITFIELD(in, s32_field) == want[6]);
	return 0;
}
