/* Qualifiers and typedefs: they change nothing. */
#include "selfcheck.h"

typedef const int int_t;
typedef const char *volatile char_ptr_t;
typedef const int arr_t[7];

struct mods_sub {
	int x;
	int y;
} CORE;
typedef struct mods_sub sub_t;

struct mods {
	int a;
	int_t b;
	char *c;
	char_ptr_t d;
	int e[3];
	arr_t f;
	struct mods_sub g;
	sub_t h;
} CORE;

CHECK(in, struct mods)
{
	EXPECT(in->a == 1 && in->b == 2);
	EXPECT((long)in->c == 3 && (long)in->d == 4);
	EXPECT(in->e[2] == 5 && in->f[1] == 6);
	EXPECT(in->g.x == 7 && in->h.y == 8);
	return 0;
}
