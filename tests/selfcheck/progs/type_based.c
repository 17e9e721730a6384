/* Whether types exist, have the same shape, and their sizes; of whole types, with names ignored or compared. */
#include "selfcheck.h"

struct a_struct {
	int x;
};
union a_union {
	int y;
	int z;
};
struct a_complex_struct {
	union {
		struct a_struct *a;
	};
	long b[2];
	union a_union *next;
};
enum an_enum { AN_ENUM_VAL1 = 1, AN_ENUM_VAL2 = 2, AN_ENUM_VAL3 = 3 };
typedef struct a_struct named_struct_typedef;
typedef struct {
	int x, y, z;
} anon_struct_typedef;
typedef struct {
	int a, b, c;
} *struct_ptr_typedef;
typedef int int_typedef;
typedef enum { TYPEDEF_ENUM_VAL1, TYPEDEF_ENUM_VAL2 } enum_typedef;
typedef void *void_ptr_typedef;
typedef int *restrict restrict_ptr_typedef;
typedef int (*func_proto_typedef)(long);
typedef char arr_typedef[20];

/* one number of three answers: as KNOWN() in the targets */
#define ANSWERS(type) (TYPE_EXISTS(type) + 2 * TYPE_MATCHES(type) + 4 * TYPE_SIZE(type))

CHECK(in, void)
{
	EXPECT(ANSWERS(struct a_struct) == want[0]);
	EXPECT(ANSWERS(struct a_complex_struct) == want[1]);
	EXPECT(ANSWERS(union a_union) == want[2]);
	EXPECT(ANSWERS(enum an_enum) == want[3]);
	EXPECT(ANSWERS(named_struct_typedef) == want[4]);
	EXPECT(ANSWERS(anon_struct_typedef) == want[5]);
	EXPECT(ANSWERS(struct_ptr_typedef) == want[6]);
	EXPECT(ANSWERS(int_typedef) == want[7]);
	EXPECT(ANSWERS(enum_typedef) == want[8]);
	EXPECT(ANSWERS(void_ptr_typedef) == want[9]);
	EXPECT(ANSWERS(restrict_ptr_typedef) == want[10]);
	EXPECT(ANSWERS(func_proto_typedef) == want[11]);
	EXPECT(ANSWERS(arr_typedef) == want[12]);
	return 0;
}
