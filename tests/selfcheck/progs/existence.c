/* Whether a field exists, and reading it only then: poison that is not reached does no harm. */
#include "selfcheck.h"

struct existence {
	int a;
	struct {
		int b;
	};
	int c;
	int arr[1];
	struct {
		int x;
	} s;
} CORE;

#define VALUE(field, number) (FIELD_EXISTS(in->field) ? in->field : -(number))

CHECK(in, struct existence)
{
	EXPECT(FIELD_EXISTS(in->a) == want[0]);
	EXPECT(FIELD_EXISTS(in->b) == want[1]);
	EXPECT(FIELD_EXISTS(in->c) == want[2]);
	EXPECT(FIELD_EXISTS(in->arr) == want[3]);
	EXPECT(FIELD_EXISTS(in->s.x) == want[4]);
	EXPECT(VALUE(a, 1) == want[5]);
	EXPECT(VALUE(b, 2) == want[6]);
	EXPECT(VALUE(c, 3) == want[7]);
	EXPECT(VALUE(arr[0], 4) == want[8]);
	EXPECT(VALUE(s.x, 5) == want[9]);
	return 0;
}
