/*
 * Datagrams over IPv4, for the tests on boards.
 *
 *     datagrams PORT           receives until none has come for three seconds; prints how many came
 *     datagrams ADDRESS PORT   sends three
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct timeval silence = {.tv_sec = 3};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), n = 0;
	char byte = 'd';

	if (fd < 0 || argc < 2)
		return 2;
	at.sin_port = htons(atoi(argv[argc - 1]));
	if (argc == 2) {
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
		    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)))
			return 1;
		while (recv(fd, &byte, 1, 0) >= 0)
			n++;
		printf("%d\n", n);
		return 0;
	}
	if (inet_pton(AF_INET, argv[1], &at.sin_addr) != 1)
		return 2;
	for (n = 0; n < 3; n++)
		if (sendto(fd, &byte, 1, 0, (struct sockaddr *)&at, sizeof(at)) < 0)
			return 1;
	return 0;
}
