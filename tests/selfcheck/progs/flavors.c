/* Several local flavors of one target type; what stands behind the last `___` of a name does not count. */
#include "selfcheck.h"

struct flavors {
	int a, b, c;
} CORE;

struct flavors___reversed {
	int c, b, a;
} CORE;

struct flavors___spread {
	struct {
		int b;
	};
	char pad[40];
	union {
		int a;
		int c;
	};
} CORE;

/* a flavor of `flavors___two`, not of `flavors` */
struct flavors___two___cuts {
	int a;
} CORE;

CHECK(in, struct flavors)
{
	struct flavors___reversed *reversed = (void *)in;
	struct flavors___spread *spread = (void *)in;

	EXPECT(in->a == 11 && in->b == 22 && in->c == 33);
	EXPECT(reversed->a == 11 && reversed->b == 22 && reversed->c == 33);
	EXPECT(spread->a == 11 && spread->b == 22 && spread->c == 33);
	EXPECT(!TYPE_EXISTS(struct flavors___two___cuts));
	return 0;
}
