//# type_based ok
#define KNOWN(matches, size) (1 + 2 * (matches) + 4 * (size))
struct a_struct { int x; };
union a_union { int y; int z; };
struct a_complex_struct { union { struct a_struct *a; }; long b[2]; union a_union *next; };
enum an_enum { AN_ENUM_VAL1 = 1, AN_ENUM_VAL2 = 2, AN_ENUM_VAL3 = 3 };
typedef struct a_struct named_struct_typedef;
typedef struct { int x, y, z; } anon_struct_typedef;
typedef struct { int a, b, c; } *struct_ptr_typedef;
typedef int int_typedef;
typedef enum { TYPEDEF_ENUM_VAL1, TYPEDEF_ENUM_VAL2 } enum_typedef;
typedef void *void_ptr_typedef;
typedef int *restrict restrict_ptr_typedef;
typedef int (*func_proto_typedef)(long);
typedef char arr_typedef[20];
THERE(struct a_complex_struct);
THERE(struct a_struct);
THERE(union a_union);
THERE(enum an_enum);
THERE(named_struct_typedef);
THERE(anon_struct_typedef);
THERE(struct_ptr_typedef);
THERE(int_typedef);
THERE(enum_typedef);
THERE(void_ptr_typedef);
THERE(restrict_ptr_typedef);
THERE(func_proto_typedef);
THERE(arr_typedef);
IMAGE(int in, WANT(KNOWN(1, 4), KNOWN(1, 32), KNOWN(1, 4), KNOWN(1, 4), KNOWN(1, 4), KNOWN(1, 12), KNOWN(1, 8), KNOWN(1, 4),
	KNOWN(1, 4), KNOWN(1, 8), KNOWN(1, 8), KNOWN(1, 8), KNOWN(1, 20)), 0);
//# type_based___all_missing ok
struct other_struct { int x; };
IMAGE(struct other_struct in, WANT(), {});
//# type_based___diff ok
/* members and enumerators more, in another order; other signs and dimensions */
#define KNOWN(matches, size) (1 + 2 * (matches) + 4 * (size))
struct a_struct { int more; int x; };
union a_union { char more[6]; int z; int y; };
struct a_complex_struct { union { char pad; struct a_struct *a; }; union a_union *next; int more; long b[2]; };
enum an_enum { AN_ENUM_VAL3 = 30, AN_ENUM_VAL2 = 20, AN_ENUM_VAL1 = 10, AN_ENUM_MORE };
typedef struct a_struct named_struct_typedef;
typedef struct { int more; int z, y, x; } anon_struct_typedef;
typedef struct { int z; int a, b, c; } *struct_ptr_typedef;
typedef unsigned int int_typedef;
typedef enum { MORE, TYPEDEF_ENUM_VAL2, TYPEDEF_ENUM_VAL1 } enum_typedef;
typedef const void *void_ptr_typedef;
typedef int *restrict restrict_ptr_typedef;
typedef long (*func_proto_typedef)(long);
typedef char arr_typedef[3];
THERE(struct a_complex_struct);
THERE(struct a_struct);
THERE(union a_union);
THERE(enum an_enum);
THERE(named_struct_typedef);
THERE(anon_struct_typedef);
THERE(struct_ptr_typedef);
THERE(int_typedef);
THERE(enum_typedef);
THERE(void_ptr_typedef);
THERE(restrict_ptr_typedef);
THERE(func_proto_typedef);
THERE(arr_typedef);
IMAGE(int in, WANT(KNOWN(1, 8), KNOWN(1, 40), KNOWN(1, 8), KNOWN(1, 4), KNOWN(1, 8), KNOWN(1, 16), KNOWN(1, 8), KNOWN(0, 4),
	KNOWN(1, 4), KNOWN(1, 8), KNOWN(1, 8), KNOWN(0, 8), KNOWN(0, 3)), 0);
//# type_based___diff_sz ok
#define KNOWN(matches, size) (1 + 2 * (matches) + 4 * (size))
struct a_struct { long x; };
union a_union { long y; char z; };
struct a_complex_struct { union { struct a_struct *a; }; int b[2]; union a_union *next; };
enum an_enum { AN_ENUM_VAL1 = 1, AN_ENUM_VAL2 = 2, AN_ENUM_VAL3 = 0x100000000 };
typedef struct a_struct named_struct_typedef;
typedef struct { long x, y, z; } anon_struct_typedef;
typedef struct { char a, b, c; } *struct_ptr_typedef;
typedef long int_typedef;
typedef enum { TYPEDEF_ENUM_VAL1, TYPEDEF_ENUM_VAL2 = 0x100000000 } enum_typedef;
typedef void *void_ptr_typedef;
typedef long *restrict restrict_ptr_typedef;
typedef long (*func_proto_typedef)(char);
typedef char arr_typedef[27];
THERE(struct a_complex_struct);
THERE(struct a_struct);
THERE(union a_union);
THERE(enum an_enum);
THERE(named_struct_typedef);
THERE(anon_struct_typedef);
THERE(struct_ptr_typedef);
THERE(int_typedef);
THERE(enum_typedef);
THERE(void_ptr_typedef);
THERE(restrict_ptr_typedef);
THERE(func_proto_typedef);
THERE(arr_typedef);
IMAGE(int in, WANT(KNOWN(0, 8), KNOWN(0, 24), KNOWN(0, 8), KNOWN(0, 8), KNOWN(0, 8), KNOWN(0, 24), KNOWN(1, 8), KNOWN(0, 8),
	KNOWN(0, 8), KNOWN(1, 8), KNOWN(0, 8), KNOWN(0, 8), KNOWN(0, 27)), 0);
//# type_based___incompat ok
/* each of another kind, but for the enum */
#define KNOWN(matches, size) (1 + 2 * (matches) + 4 * (size))
union a_struct { int x; };
struct a_union { int y; int z; };
union a_complex_struct { int x; };
enum an_enum { AN_ENUM_VAL1 = 1, AN_ENUM_VAL2 = 2, AN_ENUM_VAL3 = 3 };
typedef int named_struct_typedef;
typedef int anon_struct_typedef;
typedef int struct_ptr_typedef;
typedef void *int_typedef;
typedef struct { int x; } enum_typedef;
typedef int void_ptr_typedef;
typedef struct { int x; } restrict_ptr_typedef;
typedef int func_proto_typedef;
typedef void *arr_typedef;
THERE(union a_struct);
THERE(struct a_union);
THERE(union a_complex_struct);
THERE(enum an_enum);
THERE(named_struct_typedef);
THERE(anon_struct_typedef);
THERE(struct_ptr_typedef);
THERE(int_typedef);
THERE(enum_typedef);
THERE(void_ptr_typedef);
THERE(restrict_ptr_typedef);
THERE(func_proto_typedef);
THERE(arr_typedef);
IMAGE(int in, WANT(0, 0, 0, KNOWN(1, 4)), 0);
//# type_based___fn_wrong_args ok
#define KNOWN(matches, size) (1 + 2 * (matches) + 4 * (size))
struct a_struct { int x; };
typedef int (*func_proto_typedef)(long, int);
THERE(struct a_struct);
THERE(func_proto_typedef);
IMAGE(int in, WANT(KNOWN(1, 4)), 0);
//# type_based___behind_pointers ok
/* behind a pointer names and kinds count and members do not; a forward declaration will do */
#define KNOWN(matches, size) (1 + 2 * (matches) + 4 * (size))
struct a_struct;
struct a_complex_struct { union { struct a_struct *a; }; long b[2]; union a_union *next; };
THERE(struct a_complex_struct);
IMAGE(int in, WANT(0, KNOWN(1, 32)), 0);
