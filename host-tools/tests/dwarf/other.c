#include "types.h"

struct ambiguous { long other; };
struct declared_here { struct device *back; unsigned char name[16]; };

static long __attribute__((noinline)) same_name(long a, long b) { return a * b; }

long other(struct declared_here *here, struct holder *holder)
{
	return here->back->middle + same_name(holder->to->other, holder->count);
}
