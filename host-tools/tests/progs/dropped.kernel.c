/* Types that dropped.bpf.c finds wanting, each in another way. */

struct box___ptr {
	int *value;
	int arr[8];
};

struct box___other {
	int __value;
};

struct box___short {
	int value;
	int arr[2];
};

struct box___good {
	int value;
	int arr[8];
};

struct inner {
	long a;
};

struct shape {
	struct inner in;
};

typedef int only;

enum color { RED };

struct box___ptr ptr;
struct box___other other;
struct box___short shorter;
struct box___good good;
struct shape shape;
only o;
enum color color;
