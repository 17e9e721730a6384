/*
 * What gethostlatency probes of libc.so.6, in a program that calls it: each way of looking up the name of a host, once, with an
 * address for a name. Says `pid=`.
 */
#define _GNU_SOURCE
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME "10.7.0.2"

int main(void)
{
	struct addrinfo *found;

	if (getaddrinfo(NAME, NULL, NULL, &found) || !gethostbyname(NAME) || !gethostbyname2(NAME, AF_INET))
		return 1;
	freeaddrinfo(found);
	printf("pid=%d\n", (int)getpid());
	return 0;
}
