/* Enumerators by name: whether they exist, and their values. */
#include "selfcheck.h"

enum named_enum { NAMED_VAL1 = 1, NAMED_VAL2 = 2, NAMED_VAL3 = 3 };
typedef enum { ANON_VAL1 = 0x10, ANON_VAL2 = 0x20, ANON_VAL3 = 0x30 } anon_enum;

CHECK(in, void)
{
	EXPECT(ENUMVAL_EXISTS(enum named_enum, NAMED_VAL1) == want[0]);
	EXPECT(ENUMVAL_EXISTS(enum named_enum, NAMED_VAL2) == want[1]);
	EXPECT(ENUMVAL_EXISTS(enum named_enum, NAMED_VAL3) == want[2]);
	EXPECT(ENUMVAL_EXISTS(anon_enum, ANON_VAL1) == want[3]);
	EXPECT(ENUMVAL_EXISTS(anon_enum, ANON_VAL2) == want[4]);
	EXPECT(ENUMVAL_EXISTS(anon_enum, ANON_VAL3) == want[5]);
	EXPECT(ENUMVAL(enum named_enum, NAMED_VAL1) == want[6]);
	EXPECT(ENUMVAL(enum named_enum, NAMED_VAL2) == want[7]);
	EXPECT(ENUMVAL(anon_enum, ANON_VAL1) == want[8]);
	EXPECT(ENUMVAL(anon_enum, ANON_VAL2) == want[9]);
	if (ENUMVAL_EXISTS(enum named_enum, NAMED_VAL3))
		EXPECT(ENUMVAL(enum named_enum, NAMED_VAL3) == want[10]);
	return 0;
}
