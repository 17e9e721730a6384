/* Prints each SEC() name that libbpf knows, with `+` where more may follow, and the program and attach type it makes of it. */
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEAD "supported section(type) names are:"

static char names[8192];

/* libbpf lists its names when it is asked of one that it does not know. */
static int note(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[sizeof(names)];
	char *head;

	vsnprintf(line, sizeof(line), format, args);
	head = strstr(line, HEAD);
	if (head)
		strcpy(names, head + strlen(HEAD));
	return 0;
}

int main(void)
{
	enum bpf_attach_type attach;
	enum bpf_prog_type type;
	char *name;

	libbpf_set_print(note);
	libbpf_prog_type_by_name("no such name", &type, &attach);
	libbpf_set_print(NULL);
	for (name = strtok(names, " \n"); name; name = strtok(NULL, " \n")) {
		char bare[128];

		snprintf(bare, sizeof(bare), "%s", name);
		bare[strcspn(bare, "+")] = 0;
		type = attach = 0;
		if (libbpf_prog_type_by_name(bare, &type, &attach)) {
			fprintf(stderr, "%s: listed, and not known\n", bare);
			return 1;
		}
		printf("%s %d %d\n", name, type, attach);
	}
	return 0;
}
