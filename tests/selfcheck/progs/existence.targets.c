//# existence ok
struct existence { int a; struct { int b; }; int c; int arr[1]; struct { int x; } s; };
IMAGE(struct existence in, WANT(1, 1, 1, 1, 1, 1, 2, 3, 4, 5), { 1, { 2 }, 3, { 4 }, { 5 } });
//# existence___minimal ok
struct existence { int a; };
IMAGE(struct existence in, WANT(1, 0, 0, 0, 0, 42, -2, -3, -4, -5), { 42 });
//# existence___wrong_field_defs ok
struct existence { void *a; int b[1]; struct { int x; } c; int arr; int s; };
IMAGE(struct existence in, WANT(0, 0, 0, 0, 0, -1, -2, -3, -4, -5), {});
//# existence___err_wrong_int_sz poison
/* a field of another size exists; a signed one cannot be read */
struct existence { short a; struct { int b; }; int c; int arr[1]; struct { int x; } s; };
IMAGE(struct existence in, WANT(1, 1, 1, 1, 1, 1, 2, 3, 4, 5), { 1, { 2 }, 3, { 4 }, { 5 } });
//# existence___err_wrong_int_type ok
struct existence { int *a; struct { int b; }; int c; int arr[1]; struct { int x; } s; };
IMAGE(struct existence in, WANT(0, 1, 1, 1, 1, -1, 2, 3, 4, 5), { 0, { 2 }, 3, { 4 }, { 5 } });
//# existence___err_wrong_int_kind ok
struct existence { int a; struct { int b; }; enum { X } c; int arr[1]; struct { int x; } s; };
IMAGE(struct existence in, WANT(1, 1, 0, 1, 1, 1, 2, -3, 4, 5), { 1, { 2 }, 0, { 4 }, { 5 } });
//# existence___err_wrong_arr_kind ok
struct existence { int a; struct { int b; }; int c; int arr; struct { int x; } s; };
IMAGE(struct existence in, WANT(1, 1, 1, 0, 1, 1, 2, 3, -4, 5), { 1, { 2 }, 3, 0, { 5 } });
//# existence___err_wrong_arr_value_type ok
struct existence { int a; struct { int b; }; int c; struct { int x; } arr[1]; struct { int x; } s; };
IMAGE(struct existence in, WANT(1, 1, 1, 0, 1, 1, 2, 3, -4, 5), { 1, { 2 }, 3, {}, { 5 } });
//# existence___err_wrong_struct_type ok
struct existence { int a; struct { int b; }; int c; int arr[1]; int s; };
IMAGE(struct existence in, WANT(1, 1, 1, 1, 0, 1, 2, 3, 4, -5), { 1, { 2 }, 3, { 4 }, 0 });
