/*
 * Lets libbpf relocate pairs of an object and a kernel's types, and prints nothing, so that what libbpf executes can be counted.
 *
 * Nothing reaches the running kernel: libbpf's calls of syscall(2) come to the function below, which says yes to everything until
 * programs are loaded. libbpf.c beside this file is the one whose results are compared.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
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
	if (argc % 2 == 0) {
		fprintf(stderr, "usage: %s [OBJECT BTF]...\n", argv[0]);
		return 2;
	}
	libbpf_set_print(NULL);
	for (argv++; argv[0] && argv[1]; argv += 2)
		if (relocate(argv[0], argv[1]))
			return 1;
	return 0;
}
