/*
 * Two threads and a futex: the first waits for it WAITS times, until the second changes it and wakes. Says `pid=`, and `futex=`, the
 * address of it.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAITS 5
#define BETWEEN 50000 /* microseconds */

/* The call whose tracepoint is `sys_enter_futex`: on 32 bits, that with times of 64. */
#ifdef SYS_futex_time64
#define FUTEX SYS_futex_time64
#else
#define FUTEX SYS_futex
#endif

static _Atomic int turn;

static void *wake(void *nothing)
{
	int i;

	for (i = 1; i <= WAITS; i++) {
		usleep(BETWEEN);
		turn = i;
		syscall(FUTEX, &turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	return nothing;
}

int main(void)
{
	pthread_t thread;
	int i;

	printf("pid=%d\nfutex=%lu\n", (int)getpid(), (unsigned long)&turn);
	fflush(stdout);
	if (pthread_create(&thread, NULL, wake, NULL))
		return 1;
	for (i = 0; i < WAITS; i++)
		while (turn == i)
			syscall(FUTEX, &turn, FUTEX_WAIT, i, NULL, NULL, 0);
	/* without joining the thread, which is a wait for a futex of its own */
	_exit(0);
}
