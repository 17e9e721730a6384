/* The same with enumerators that need 64 bits, unsigned and signed. */
#include "selfcheck.h"

enum unsigned_enum64 {
	UNSIGNED_VAL1 = 0x1ffffffff,
	UNSIGNED_VAL2 = 0x2,
	UNSIGNED_VAL3 = 0x3ffffffff,
};
enum signed_enum64 {
	SIGNED_VAL1 = 0x1ffffffff,
	SIGNED_VAL2 = -2,
	SIGNED_VAL3 = 0x3ffffffff,
};

CHECK(in, void)
{
	EXPECT(ENUMVAL_EXISTS(enum unsigned_enum64, UNSIGNED_VAL1) == want[0]);
	EXPECT(ENUMVAL_EXISTS(enum unsigned_enum64, UNSIGNED_VAL2) == want[1]);
	EXPECT(ENUMVAL_EXISTS(enum unsigned_enum64, UNSIGNED_VAL3) == want[2]);
	EXPECT(ENUMVAL_EXISTS(enum signed_enum64, SIGNED_VAL1) == want[3]);
	EXPECT(ENUMVAL_EXISTS(enum signed_enum64, SIGNED_VAL2) == want[4]);
	EXPECT(ENUMVAL_EXISTS(enum signed_enum64, SIGNED_VAL3) == want[5]);
	EXPECT(ENUMVAL(enum unsigned_enum64, UNSIGNED_VAL1) == want[6]);
	EXPECT(ENUMVAL(enum unsigned_enum64, UNSIGNED_VAL2) == want[7]);
	EXPECT(ENUMVAL(enum signed_enum64, SIGNED_VAL1) == want[8]);
	EXPECT(ENUMVAL(enum signed_enum64, SIGNED_VAL2) == want[9]);
	return 0;
}
