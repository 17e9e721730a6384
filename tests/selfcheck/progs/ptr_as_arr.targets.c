//# ptr_as_arr ok
struct ptr_as_arr { int a; };
IMAGE(struct ptr_as_arr in[3], WANT(), { { 1 }, { 2 }, { 3 } });
//# ptr_as_arr___diff_sz ok
struct ptr_as_arr { char pad[21]; int a; char more[64]; };
IMAGE(struct ptr_as_arr in[3], WANT(), { { .a = 1 }, { .a = 2 }, { .a = 3 } });
