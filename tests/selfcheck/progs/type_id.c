/* Ids of types: the program's own and the target's. The test fills in which numbers those are. */
#include "selfcheck.h"

struct a_struct {
	int x;
};
union a_union {
	int y;
};
enum an_enum { AN_ENUM_VAL = 1 };
typedef struct a_struct named_struct_typedef;
typedef int (*func_proto_typedef)(long);
typedef char arr_typedef[20];

#define IDS(type, number)                                                                                             \
	EXPECT(TYPE_ID_TARGET(type) == want[number]);                                                                 \
	EXPECT(TYPE_ID_LOCAL(type) == want[number + 8])

CHECK(in, void)
{
	IDS(struct a_struct, 0);
	IDS(union a_union, 1);
	IDS(enum an_enum, 2);
	IDS(named_struct_typedef, 3);
	IDS(func_proto_typedef, 4);
	IDS(arr_typedef, 5);
	IDS(int, 6);
	return 0;
}
