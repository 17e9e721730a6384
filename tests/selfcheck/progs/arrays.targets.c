//# arrays ok
struct elem { int c; };
struct arrays { int pad; int a[5]; char b[2][3][4]; struct elem c[3]; struct elem d[1][2]; struct elem f[][2]; };
IMAGE(struct { struct arrays in; struct elem rest[4]; } in, WANT(20),
	{ .in.a = { [2] = 2 }, .in.b = { [1] = { [2] = { [3] = 3 } } }, .in.c[1] = { 4 }, .in.d[0][0] = { 5 }, .rest[2] = { 6 } });
//# arrays___diff_arr_dim ok
struct elem { int c; };
struct arrays { int a[7]; char b[3][4][5]; struct elem c[4]; struct elem d[2][3]; struct elem f[2][3]; };
IMAGE(struct arrays in, WANT(28),
	{ .a = { [2] = 2 }, .b = { [1] = { [2] = { [3] = 3 } } }, .c[1] = { 4 }, .d[0][0] = { 5 }, .f[1][0] = { 6 } });
//# arrays___diff_arr_val_sz ok
struct elem { char pad[3]; int more; int c; };
struct arrays { int a[5]; char b[2][3][4]; struct elem c[3]; struct elem d[1][2]; struct elem f[2][2]; };
IMAGE(struct arrays in, WANT(20),
	{ .a = { [2] = 2 }, .b = { [1] = { [2] = { [3] = 3 } } }, .c[1] = { .c = 4 }, .d[0][0] = { .c = 5 }, .f[1][0] = { .c = 6 } });
//# arrays___equiv_zero_sz_arr ok
struct elem { int c; };
struct arrays { int a[5]; char b[2][3][4]; struct elem c[3]; struct elem d[1][2]; struct elem f[0][2]; };
IMAGE(struct { struct arrays in; struct elem rest[4]; } in, WANT(20),
	{ .in.a = { [2] = 2 }, .in.b = { [1] = { [2] = { [3] = 3 } } }, .in.c[1] = { 4 }, .in.d[0][0] = { 5 }, .rest[2] = { 6 } });
//# arrays___fixed_arr ok
struct elem { int c; };
struct arrays { int a[5]; char b[2][3][4]; struct elem c[3]; struct elem d[1][2]; struct elem f[3][2]; int behind; };
IMAGE(struct arrays in, WANT(20),
	{ .a = { [2] = 2 }, .b = { [1] = { [2] = { [3] = 3 } } }, .c[1] = { 4 }, .d[0][0] = { 5 }, .f[1][0] = { 6 } });
//# arrays___err_too_small poison
struct elem { int c; };
struct arrays { int a[2]; char b[2][3][4]; struct elem c[3]; struct elem d[1][2]; struct elem f[][2]; };
IMAGE(struct arrays in, WANT(8), { .a = { 2, 2 } });
//# arrays___err_too_shallow poison
struct elem { int c; };
struct arrays { int a[5]; char b[2][3]; struct elem c[3]; struct elem d[1][2]; struct elem f[][2]; };
IMAGE(struct arrays in, WANT(20), { .a = { [2] = 2 } });
//# arrays___err_non_array poison
struct elem { int c; };
struct arrays { int a; char b[2][3][4]; struct elem c[3]; struct elem d[1][2]; struct elem f[][2]; };
IMAGE(struct arrays in, WANT(4), { .a = 2 });
//# arrays___err_wrong_val_type poison
struct elem { int c; };
struct arrays { int a[5]; char b[2][3][4]; int c[3]; struct elem d[1][2]; struct elem f[][2]; };
IMAGE(struct arrays in, WANT(20), { .a = { [2] = 2 }, .b = { [1] = { [2] = { [3] = 3 } } }, .c = { [1] = 4 } });
//# arrays___err_bad_zero_sz_arr poison
/* only the last member of a struct may be an array that states no elements and still have some */
struct elem { int c; };
struct arrays { struct elem f[0][2]; int a[5]; char b[2][3][4]; struct elem c[3]; struct elem d[1][2]; };
IMAGE(struct arrays in, WANT(20), { .a = { [2] = 2 }, .b = { [1] = { [2] = { [3] = 3 } } }, .c[1] = { 4 }, .d[0][0] = { 5 } });
//# arrays___err_bad_signed_arr_elem_sz poison
struct elem { int c; };
struct arrays { short a[5]; char b[2][3][4]; struct elem c[3]; struct elem d[1][2]; struct elem f[][2]; };
IMAGE(struct arrays in, WANT(10), { .a = { [2] = 2 } });
