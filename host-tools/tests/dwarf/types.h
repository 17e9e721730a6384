/* What both units see. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

struct list { struct list *next, *prev; };
enum state { IDLE = -1, RUNNING, DONE = 7 };
enum wide { SMALL = 1, LARGE = 0x123456789abcULL };

struct declared_here;
struct ambiguous;

struct device {
	struct list node;
	struct declared_here *defined_in_other;
	struct never_defined *opaque;
	int (*probe)(struct device *dev, const char *name, ...);
	union {
		u32 word;
		u8 bytes[4];
	};
	u32 low : 3, middle : 7;
	int sign : 5;
	u64 long_field : 33;
	enum state state;
	enum wide wide;
	short grid[2][3][4];
	_Bool flag;
	const volatile void *restrict_me;
	char tail[];
};

/* Two units, two shapes of what it points to. */
struct holder { struct ambiguous *to; int count; };
