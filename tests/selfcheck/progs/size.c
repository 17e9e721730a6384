/* Sizes and offsets of fields of every kind. */
#include "selfcheck.h"

struct size {
	int int_field;
	struct {
		int x;
	} struct_field;
	union {
		int x;
	} union_field;
	int arr_field[4];
	void *ptr_field;
	enum { VALUE = 123 } enum_field;
	float float_field;
} CORE;

CHECK(in, struct size)
{
	EXPECT(FIELD_SIZE(in->int_field) == want[0] && FIELD_OFFSET(in->int_field) == want[8]);
	EXPECT(FIELD_SIZE(in->struct_field) == want[1] && FIELD_OFFSET(in->struct_field) == want[9]);
	EXPECT(FIELD_SIZE(in->union_field) == want[2] && FIELD_OFFSET(in->union_field) == want[10]);
	EXPECT(FIELD_SIZE(in->arr_field) == want[3] && FIELD_OFFSET(in->arr_field) == want[11]);
	EXPECT(FIELD_SIZE(in->arr_field[1]) == want[4] && FIELD_OFFSET(in->arr_field[1]) == want[12]);
	EXPECT(FIELD_SIZE(in->ptr_field) == want[5] && FIELD_OFFSET(in->ptr_field) == want[13]);
	EXPECT(FIELD_SIZE(in->enum_field) == want[6] && FIELD_OFFSET(in->enum_field) == want[14]);
	EXPECT(FIELD_SIZE(in->float_field) == want[7] && FIELD_OFFSET(in->float_field) == want[15]);
	return 0;
}
