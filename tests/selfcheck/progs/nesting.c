/* Fields of structs in structs, with anonymous ones coming and going, and which candidates stay. */
#include "selfcheck.h"

struct nesting_inner {
	int a;
} CORE;

union nesting_other {
	int b;
} CORE;

struct nesting {
	union {
		struct nesting_inner a;
	} a;
	struct {
		union nesting_other b;
	} b;
} CORE;

CHECK(in, struct nesting)
{
	EXPECT(in->a.a.a == 0x11);
	EXPECT(in->b.b.b == 0x22);
	return 0;
}
