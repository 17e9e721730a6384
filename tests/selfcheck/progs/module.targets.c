//# module_probed ok
struct in_both { long pad; int a; };
THERE(struct in_both);
//#+ module
struct in_both { int a; };
struct module_context { char *buf; long off; int len; };
THERE(struct in_both);
IMAGE(struct module_context in, WANT(8, 1), { 0, 6, 5 });
//# module_direct ok
/* the second of three modules has it; the last has only a twin of what the kernel has */
struct in_both { int a; };
THERE(struct in_both);
//#+ module
struct other_context { int x; };
THERE(struct other_context);
//#+ module
struct module_context { int len; char pad[20]; long off; };
IMAGE(struct module_context in, WANT(0, 1), { .len = 5, .off = 6 });
//#+ module
struct in_both { int pad[100]; int a; };
THERE(struct in_both);
//# module___err_ambiguous fails
/* two modules with a private struct of one name, as e1000 and e1000e have */
struct in_both { int a; };
THERE(struct in_both);
//#+ module
struct module_context { int len; long off; };
IMAGE(struct module_context in, WANT(0, 1), { 5, 6 });
//#+ module
struct module_context { long off; int len; };
THERE(struct module_context);
//# module___err_kernel_first poison
/* the kernel's own struct of the name has no such field, and the module's is not asked any more */
struct in_both { int a; };
struct module_context { int other; };
THERE(struct in_both);
THERE(struct module_context);
//#+ module
struct module_context { int len; long off; };
IMAGE(struct module_context in, WANT(0, 1), { 5, 6 });
//# module___err_none poison
struct in_both { int a; };
IMAGE(struct in_both in, WANT(0, 0), { 0 });
