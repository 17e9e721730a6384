/* Elements of arrays, of several dimensions, of structs, flexible. */
#include "selfcheck.h"

struct arrays_elem {
	int c;
	char pad[4];
} CORE;

struct arrays {
	int a[5];
	char b[2][3][4];
	struct arrays_elem c[3];
	struct arrays_elem d[1][2];
	struct arrays_elem f[][2];
} CORE;

CHECK(in, struct arrays)
{
	EXPECT(in->a[2] == 2);
	EXPECT(READ(in->a[2]) == 2);
	EXPECT(READ(in->b[1][2][3]) == 3);
	EXPECT(in->c[1].c == 4 && READ(in->c[1].c) == 4);
	EXPECT(READ(in->d[0][0].c) == 5);
	EXPECT(READ(in->f[1][0].c) == 6);
	EXPECT(FIELD_SIZE(in->a) == want[0]);
	return 0;
}
