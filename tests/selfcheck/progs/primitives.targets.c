//# primitives ok
enum primitives_enum { A, B, C = 3 };
struct primitives { int pad; int (*f)(const char *); void *d; enum primitives_enum c; int b; char a; };
IMAGE(struct primitives in, WANT(), { .a = 1, .b = -2, .c = 3, .d = (void *)4, .f = (void *)5 });
//# primitives___diff_enum_def ok
enum primitives_enum___other { OTHER = -1, MORE = 3 };
struct primitives { char a; int b; void *d; int (*f)(const char *); enum primitives_enum___other c; };
IMAGE(struct primitives in, WANT(), { 1, -2, (void *)4, (void *)5, 3 });
//# primitives___diff_func_proto ok
enum primitives_enum { A, B, C = 3 };
struct primitives { long (*f)(void *, int, long); char a; int b; enum primitives_enum c; void *d; };
IMAGE(struct primitives in, WANT(), { (void *)5, 1, -2, 3, (void *)4 });
//# primitives___diff_ptr_type ok
enum primitives_enum { A, B, C = 3 };
struct whatever { int x; };
struct primitives { char a; int b; enum primitives_enum c; const struct whatever *const d; struct whatever *f; };
IMAGE(struct primitives in, WANT(), { 1, -2, 3, (void *)4, (void *)5 });
//# primitives___err_non_enum poison
struct primitives { char a; int b; int c; void *d; int (*f)(const char *); };
IMAGE(struct primitives in, WANT(), { 1, -2, 3, (void *)4, (void *)5 });
//# primitives___err_non_int poison
enum primitives_enum { A, B, C = 3 };
struct primitives { char a; int *b; enum primitives_enum c; void *d; int (*f)(const char *); };
IMAGE(struct primitives in, WANT(), { 1, (void *)-2, 3, (void *)4, (void *)5 });
//# primitives___err_non_ptr poison
enum primitives_enum { A, B, C = 3 };
struct primitives { char a; int b; enum primitives_enum c; u64 d; int (*f)(const char *); };
IMAGE(struct primitives in, WANT(), { 1, -2, 3, 4, (void *)5 });
//# primitives___anonymous_enum ok
/* an enum without a name stands for any */
struct primitives { char a; int b; enum { X, Y = 3 } c; void *d; int (*f)(const char *); };
IMAGE(struct primitives in, WANT(), { 1, -2, 3, (void *)4, (void *)5 });
//# primitives___err_other_enum poison
enum other_enum { A, B, C = 3 };
struct primitives { char a; int b; enum other_enum c; void *d; int (*f)(const char *); };
IMAGE(struct primitives in, WANT(), { 1, -2, 3, (void *)4, (void *)5 });
