/* Equal offsets in different local types stay apart, and a step over structs of another size. */
#include "selfcheck.h"

struct misc_a {
	int a1, a2;
} CORE;

struct misc_b {
	int b1, b2;
} CORE;

struct misc_extensible {
	int a, b;
} CORE;

CHECK(in, struct misc_extensible)
{
	struct misc_a *a = (void *)in;
	struct misc_b *b = (void *)in;

	/* one instruction could serve both, were it not for relocation */
	EXPECT(a->a1 == 1);
	EXPECT(b->b1 == 2);
	EXPECT(in[0].a == 1);
	EXPECT(in[2].a == 5);
	return 0;
}
