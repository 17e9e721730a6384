/* A pointer taken for an array: the step is the target's size. */
#include "selfcheck.h"

struct ptr_as_arr {
	int a;
} CORE;

CHECK(in, struct ptr_as_arr)
{
	EXPECT(in[0].a == 1);
	EXPECT(in[2].a == 3);
	EXPECT((&in[1])->a == 2);
	return 0;
}
