//# size ok
struct size { int int_field; struct { int x; } struct_field; union { int x; } union_field; int arr_field[4]; void *ptr_field; enum { VALUE = 123 } enum_field; float float_field; };
IMAGE(struct size in, WANT(4, 4, 4, 16, 4, 8, 4, 4, 0, 4, 8, 12, 16, 32, 40, 44), {});
//# size___diff_sz ok
struct size { u64 int_field; struct { int x, y, z; } struct_field; union { int x; char y[123]; } union_field; char arr_field[10]; void *ptr_field; enum { OTHER = 0xffffffff00000000 } enum_field; double float_field; };
IMAGE(struct size in, WANT(8, 12, 124, 10, 1, 8, 8, 8, 0, 8, 20, 144, 145, 160, 168, 176), {});
//# size___diff_offs ok
struct size { float float_field; enum { YET_OTHER = 123 } enum_field; void *ptr_field; int arr_field[4]; union { int x; } union_field; struct { int x; } struct_field; int int_field; };
IMAGE(struct size in, WANT(4, 4, 4, 16, 4, 8, 4, 4, 40, 36, 32, 16, 20, 8, 4, 0), {});
//# size___err_ambiguous fails
struct size___one { int int_field; struct { int x; } struct_field; union { int x; } union_field; int arr_field[4]; void *ptr_field; enum { VALUE = 123 } enum_field; float float_field; };
struct size___two { int pad; int int_field; struct { int x; } struct_field; union { int x; } union_field; int arr_field[4]; void *ptr_field; enum { VALUE_2 = 123 } enum_field; float float_field; };
THERE(struct size___two);
IMAGE(struct size___one in, WANT(4, 4, 4, 16, 4, 8, 4, 4, 0, 4, 8, 12, 16, 32, 40, 44), {});
