/* A kernel that is one struct, and with MODULE a module of it or, with OTHER too, of one that was configured otherwise. */
struct list { struct list *next, *prev; };

struct module {
	int state;
	struct list list;
#ifdef OTHER
	void *more;
#endif
	char name[56];
	int (*init)(void);
};

struct module *find(const char *name) { return name ? 0 : (struct module *)name; }

#ifdef MODULE
struct module __this_module = { .name = "belongs" };
static const char vermagic[] __attribute__((section(".modinfo"), used)) = "vermagic=6.1.0-test SMP mod_unload aarch64";
#endif
