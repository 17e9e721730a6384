#include "types.h"

struct own { struct device *dev; struct list link; struct ambiguous *to; };

int registered_too(struct own *own, struct device *dev)
{
	return own->dev == dev && dev->low;
}
