/*
 * Prints what libbpf's relocation does to an object on a kernel's types: its debug lines `prog 'P': relo #N: …`.
 *
 * Nothing reaches the running kernel. libbpf relocates only while it loads, so it is let load into a kernel that is not
 * there: its calls of syscall(2) come to the function below, which says yes to everything until programs are loaded.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...)
{
	va_list args;
	int command;

	va_start(args, number);
	command = va_arg(args, int);
	va_end(args);
	if (number != SYS_bpf) {
		errno = ENOSYS;
		return -1;
	}
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_PROG_BIND_MAP:
		return 0;
	default:
		errno = EINVAL;
		return -1;
	}
}

static int print_relocations(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[4096];

	vsnprintf(line, sizeof(line), format, args);
	if (strstr(line, ": relo #"))
		fputs(line, stdout);
	else if (level == LIBBPF_WARN)
		fputs(line, stderr);
	return 0;
}

static int relocate(const char *path, const char *btf)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	struct bpf_program *program;
	struct bpf_object *object;

	options.btf_custom_path = btf;
	object = bpf_object__open_file(path, &options);
	if (!object)
		return 1;
	bpf_object__for_each_program(program, object) {
		bpf_program__set_autoload(program, true);
		/* as if it traced a program: what traces the kernel makes libbpf ask for the running kernel's types */
		bpf_program__set_attach_target(program, STDOUT_FILENO, NULL);
	}
	/* what comes after relocation may fail: the lines are what counts */
	bpf_object__load(object);
	bpf_object__close(object);
	return 0;
}

int main(int argc, char **argv)
{
	int quiet = argc > 1 && strcmp(argv[1], "-q") == 0;

	/* with -q nothing is printed, any number of pairs are relocated, and what libbpf executes can be counted */
	if (argc != 3 && !quiet) {
		fprintf(stderr, "usage: %s OBJECT BTF, or %s -q [OBJECT BTF]...\n", argv[0], argv[0]);
		return 2;
	}
	libbpf_set_print(quiet ? NULL : print_relocations);
	for (argv += 1 + quiet; argv[0] && argv[1]; argv += 2)
		if (relocate(argv[0], argv[1]))
			return 1;
	return 0;
}
