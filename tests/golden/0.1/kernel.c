/* A kernel's types in small: what the objects beside this file are relocated against. Nothing here is anybody's kernel. */

struct signal_struct {
	long flags;
	unsigned int nr_threads;
};

struct task_struct {
	unsigned long stack[5];
	int exit_state;
	int pid;
	int tgid;
	unsigned int in_execve : 1;
	unsigned int jobctl_mode : 5;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	char comm[16];
};

enum zone_type { ZONE_DMA32, ZONE_NORMAL, ZONE_MOVABLE };

/* One name, two layouts: as the kernel's own e1000 and e1000e have with struct e1000_adapter. */
struct twin___first {
	int a, b;
};

struct twin___second {
	int b, a;
};

struct unused {
	char bytes[64];
};

struct task_struct init_task;
struct signal_struct init_signals;
enum zone_type zone;
struct twin___first first;
struct twin___second second;
struct unused unused;
