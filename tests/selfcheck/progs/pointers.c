/* A target whose pointers have 4 bytes: loads and stores of pointers are of the target's size. */
#include "selfcheck.h"

struct pointers {
	struct pointers *next;
	void *data;
	unsigned long flags;
	const char *names[3];
	struct {
		void *inner;
	} sub;
} CORE;

CHECK(in, struct pointers)
{
	EXPECT((long)in->next == 0x11);
	EXPECT((long)in->data == 0x22);
	EXPECT(in->flags == 0x33);
	EXPECT((long)in->names[2] == 0x44);
	EXPECT((long)in->sub.inner == 0x55);
	in->data = (void *)0x66;
	EXPECT((long)in->data == 0x66);
	EXPECT((long)in->next == 0x11);
	EXPECT(in->flags == 0x33);
	EXPECT(FIELD_SIZE(in->next) == want[0] && FIELD_SIZE(in->names) == 3 * want[0]);
	EXPECT(FIELD_OFFSET(in->names[2]) == want[1]);
	EXPECT(TYPE_SIZE(struct pointers) == want[2]);
	return 0;
}
