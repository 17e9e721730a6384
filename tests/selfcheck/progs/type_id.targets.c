//# type_id ok
long first;
struct a_struct { int x; };
union a_union { int y; };
enum an_enum { AN_ENUM_VAL = 1 };
typedef struct a_struct named_struct_typedef;
typedef int (*func_proto_typedef)(long);
typedef char arr_typedef[20];
THERE(struct a_struct);
THERE(union a_union);
THERE(enum an_enum);
THERE(named_struct_typedef);
THERE(func_proto_typedef);
THERE(arr_typedef);
IMAGE(int in, WANT(), 0);
//# type_id___missing_targets ok
struct other { char x; };
struct { s64 want[WANTS]; struct other in; } image = {};
