/* Loads a pack and prints its events as JSON, one a line, until nothing has come for some seconds.
 *
 *     events PACK SECONDS [OPTIONS of corelet-loader]
 *
 * With a libc, or without one beside start.c. */
#include "../corelet.h"

/* of unistd.h, or of start.c */
long write(int fd, const void *bytes, size_t len);

static void say(int fd, const char *words, size_t len)
{
	while (len > 0) {
		long n = write(fd, words, len);
		if (n <= 0)
			return;
		words += n;
		len -= (size_t)n;
	}
}

static void hear(void *context, const char *words, size_t len)
{
	(void)context;
	say(2, words, len);
}

static void print(void *context, const corelet_event *event)
{
	char line[4096];
	size_t len = corelet_print(event, 1, line, sizeof(line) - 1);

	(void)context;
	line[len] = '\n';
	say(1, line, len + 1);
}

int main(int argc, char **argv)
{
	corelet_pack pack = { .name = argc > 1 ? argv[1] : "", .hear = hear };
	corelet *loaded;
	corelet_polled polled = { 0 };
	char why[1];
	unsigned rounds = 0;
	int failed;

	for (const char *digit = argc > 2 ? argv[2] : ""; *digit; digit++)
		rounds = rounds * 10 + (unsigned)(*digit - '0');
	rounds *= 10; /* of a tenth of a second */
	if (argc > 3) {
		pack.options = (const char *const *)argv + 3;
		pack.options_len = (size_t)argc - 3;
	}
	/* whatever fails is heard too, so that its words are not wanted here */
	failed = corelet_load(&pack, &loaded, why, sizeof(why));
	if (failed)
		return -failed;
	failed = corelet_attach(loaded);
	if (!failed)
		say(2, "ready\n", 6);
	while (!failed && rounds > 0) {
		failed = corelet_poll(loaded, 100, print, 0, &polled);
		rounds -= polled.events == 0;
	}
	corelet_close(loaded);
	return -failed;
}
