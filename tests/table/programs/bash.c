/*
 * What bashreadline probes of bash: a function readline() that gives a line. Says `pid=`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline)) char *readline(const char *prompt)
{
	return *prompt ? strdup("echo a known line") : NULL;
}

int main(void)
{
	char *line = readline("$ ");

	if (line)
		printf("pid=%d\n", (int)getpid());
	free(line);
	return 0;
}
