/* What a tracing tool asks of a kernel: pointers that are followed, a field in one of two places, a shape. */
#include "selfcheck.h"

struct signal_struct {
	int nr_threads;
} CORE;

struct task_struct {
	int pid;
	int tgid;
	unsigned int __state;
	char comm[16];
	struct signal_struct *signal;
	struct task_struct *group_leader;
} CORE;

/* before 5.14 */
struct task_struct___o {
	volatile long state;
} CORE;

struct task_struct___no_such {
	int no_such_field;
} CORE;

CHECK(in, struct task_struct)
{
	struct task_struct___o *old = (void *)in;
	struct task_struct___no_such *none = (void *)in;
	long state = FIELD_EXISTS(in->__state) ? in->__state : old->state;

	EXPECT(in->pid == 101 && in->tgid == 100);
	EXPECT(in->comm[0] == 's' && in->comm[8] == 'k' && in->comm[15] == 0);
	EXPECT(FIELD_SIZE(in->comm) == 16);
	EXPECT(state == 2);
	EXPECT(!FIELD_EXISTS(none->no_such_field));
	EXPECT(TYPE_MATCHES(struct signal_struct) && TYPE_SIZE(struct signal_struct) == want[0]);
	EXPECT(FIELD_OFFSET(in->signal) == want[1]);
	EXPECT(FIELD_OFFSET(in->group_leader) == want[2]);
	return 0;
}
