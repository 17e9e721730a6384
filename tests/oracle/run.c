/*
 * Runs a command and says on the standard error what it took: microseconds of user and system time, KiB at its peak.
 * The shell's `time` counts in hundredths of a second, which is more than the commands take that are measured here.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage used;
	int status;
	pid_t child;

	if (argc < 2)
		return 2;
	child = vfork();
	if (child == 0) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &used) < 0)
		return 1;
	fprintf(stderr, "%ld %ld\n",
		(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec,
		used.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
