//# mods ok
struct mods_sub { int x, y; };
typedef struct mods_sub sub_t;
typedef const int arr_t[7];
struct mods { int pad; int a; const int b; char *c; const char *volatile d; int e[3]; arr_t f; struct mods_sub g; sub_t h; };
IMAGE(struct mods in, WANT(),
	{ .a = 1, .b = 2, .c = (void *)3, .d = (void *)4, .e = { 0, 0, 5 }, .f = { 0, 6 }, .g = { 7 }, .h = { 0, 8 } });
//# mods___mod_swap ok
/* each qualifier where there was none, and the other way round */
typedef int *volatile int_ptr_t;
struct mods {
	struct { int x; volatile int y; } h;
	const volatile struct { const int x; int y; } g;
	int b;
	const volatile int a;
	const char *volatile c;
	char *restrict d;
	volatile int f[7];
	const int e[3];
};
IMAGE(struct mods in, WANT(),
	{ .a = 1, .b = 2, .c = (void *)3, .d = (void *)4, .e = { 0, 0, 5 }, .f = { 0, 6 }, .g = { 7 }, .h = { 0, 8 } });
//# mods___typedefs ok
typedef int int1_t;
typedef int1_t int2_t;
typedef const int2_t int3_t;
typedef volatile int3_t int4_t;
typedef int arr1_t[5];
typedef arr1_t arr2_t;
typedef char *const ptr1_t;
typedef ptr1_t ptr2_t;
typedef struct { int3_t pad; int2_t x; int4_t y; } sub1_t;
typedef const sub1_t sub2_t;
typedef volatile sub2_t sub3_t;
struct mods { sub1_t g; sub3_t h; arr2_t f; arr1_t e; ptr2_t c; ptr1_t d; int2_t a; int4_t b; };
IMAGE(struct mods in, WANT(),
	{ .a = 1, .b = 2, .c = (void *)3, .d = (void *)4, .e = { 0, 0, 5 }, .f = { 0, 6 }, .g = { .x = 7 }, .h = { .y = 8 } });
