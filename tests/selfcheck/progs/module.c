/* Types of modules, which are looked at only where the kernel itself has none of the name. */
#include "selfcheck.h"

struct module_context {
	int len;
	long off;
} CORE;

struct in_both {
	int a;
} CORE;

CHECK(in, struct module_context)
{
	EXPECT(in->len == 5);
	EXPECT(in->off == 6);
	EXPECT(FIELD_OFFSET(((struct in_both *)in)->a) == want[0]);
	EXPECT(TYPE_EXISTS(struct module_context) == want[1]);
	return 0;
}
