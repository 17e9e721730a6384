//# kernel ok
struct signal_struct { int live; int nr_threads; };
struct task_struct {
	unsigned int __state;
	void *stack;
	int pid, tgid;
	struct task_struct *real_parent, *group_leader;
	struct { struct signal_struct *signal; };
	char comm[16];
};
THERE(struct signal_struct);
IMAGE(struct task_struct in, WANT(8, 40, 32), { 2, 0, 101, 100, 0, 0, { 0 }, "selfchecks" });
//# kernel___before_5_14 ok
struct signal_struct { int nr_threads; };
struct task_struct {
	volatile long state;
	char comm[16];
	int pid, tgid;
	struct task_struct *group_leader;
	struct signal_struct *signal;
};
THERE(struct signal_struct);
IMAGE(struct task_struct in, WANT(4, 40, 32), { 2, "selfchecks", 101, 100, 0, 0 });
