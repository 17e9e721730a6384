#include "types.h"

struct ambiguous { int first; };

typedef struct { int x, y; } point_t;
typedef int (*callback_t)(point_t *at, double by, float f);

#ifndef __bpf__
#define PERCPU __attribute__((section(".data..percpu"), used))
#else
#define PERCPU
#endif
PERCPU u64 counter = 1;
PERCPU static struct holder holders[2];

enum { NAMELESS_A = 3, NAMELESS_B };

int registered(struct device *dev, u32 flags, char *__restrict name)
{
	struct only_in_body { int in_body; struct device *dev; };
	struct only_in_body local = { (int)flags, dev };
	{
		union in_block { long l; void *p; };
		union in_block block = { .p = name };
		local.in_body += (int)block.l;
	}
	return local.in_body + NAMELESS_A;
}

static int __attribute__((noinline)) same_name(int a) { return a + 1; }

int call(callback_t cb, point_t *at, struct holder *holder)
{
	holders[0] = *holder;
	return cb(at, 1.5, 2.5f) + same_name(at->x) + holder->to->first;
}
