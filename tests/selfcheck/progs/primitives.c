/* Enums, integers and pointers in a field's place. */
#include "selfcheck.h"

enum primitives_enum { PRIMITIVES_A = 0, PRIMITIVES_B = 1 };

struct primitives {
	char a;
	int b;
	enum primitives_enum c;
	void *d;
	int (*f)(const char *);
} CORE;

CHECK(in, struct primitives)
{
	EXPECT(in->a == 1);
	EXPECT(in->b == -2);
	EXPECT((int)in->c == 3);
	EXPECT((long)in->d == 4);
	EXPECT((long)in->f == 5);
	return 0;
}
