/*
 * Memory of one NUMA node used from another: MIB are written on CPU 0, then read for SECONDS on CPU 1, which is of another node. The
 * kernel moves the pages to where they are used. Says `done=1`.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIB 4
#define SECONDS 5
#define PAGE 4096

static int go_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

int main(void)
{
	size_t len = MIB << 20, at;
	volatile char *memory = aligned_alloc(PAGE, len);
	time_t end;

	if (!memory || go_to(0))
		return 1;
	memset((char *)memory, 1, len);
	if (go_to(1))
		return 1;
	for (end = time(NULL) + SECONDS; time(NULL) < end;)
		for (at = 0; at < len; at += PAGE)
			(void)memory[at];
	puts("done=1");
	return 0;
}
