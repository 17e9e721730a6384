/* The types of a 32-bit kernel in small, with `int` where such a kernel has `long`. Pointers have 4 bytes by the
 * architecture that the test names; clang lays them out in 8, which changes offsets and nothing else. */

struct item {
	unsigned int key;
	int state;
	unsigned int flags;
	struct item *next;
	struct item *owner;
	int pid;
};

struct item item;
