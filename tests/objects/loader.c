/*
 * Loads an object by libbpf as its own tool's program does before it attaches anything, and closes it.
 *
 *     loader OBJECT [WORD]...     lines `open=ERRNO`, `load=ERRNO` and `programs=N`, how many are in the kernel then
 *     loader                      lines `programs=N`, `maps=N`, `links=N`: what the kernel has now
 *     loader --put MAP KEY VALUE  writes a u64 for each CPU into the per-CPU map that has this name in the kernel
 *     loader --get MAP KEY        line `MAP.KEY=N N...`: the u64s of its value, each the sum over all CPUs
 *
 * A WORD is MAP=ENTRIES, the size of a map; MAP@TYPE,KEY,VALUE,ENTRIES, what the maps in a map of maps are; PROGRAM:SEC, the kind of
 * a program by another section's name; or -PROGRAM, one that is left out.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_CPUS 8
#define MOST_WORDS 4

/* The linker puts it in place of syscall(2), as in the loader that measures its memory. */
long __real_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int say(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static int count(const char *what, int (*next)(__u32, __u32 *))
{
	__u32 id = 0;
	int n = 0;

	while (!next(id, &id))
		n++;
	printf("%s=%d\n", what, n);
	return n;
}

/* Does what a word says; whether the object has what it names. */
static int tell(struct bpf_object *object, char *word)
{
	char *at = word + strcspn(word, "=@:"), kind = *at;
	enum bpf_attach_type attach;
	unsigned int def[4] = {};
	struct bpf_program *program;
	enum bpf_prog_type type;
	struct bpf_map *map;
	int fd;

	if (*word == '-') {
		program = bpf_object__find_program_by_name(object, word + 1);
		return program && !bpf_program__set_autoload(program, false);
	}
	*at++ = 0;
	if (kind == ':') {
		program = bpf_object__find_program_by_name(object, word);
		return program && !libbpf_prog_type_by_name(at, &type, &attach) && !bpf_program__set_type(program, type) &&
		       !bpf_program__set_expected_attach_type(program, attach);
	}
	map = bpf_object__find_map_by_name(object, word);
	if (!map)
		return 0;
	if (kind == '=')
		return !bpf_map__set_max_entries(map, strtoul(at, NULL, 0));
	sscanf(at, "%u,%u,%u,%u", &def[0], &def[1], &def[2], &def[3]);
	fd = bpf_map_create(def[0], NULL, def[1], def[2], def[3], NULL);
	return fd >= 0 && !bpf_map__set_inner_map_fd(map, fd);
}

/* Descriptor of the map of this name, as a tool finds one by its pin. */
static int find_map(const char *name, struct bpf_map_info *info)
{
	__u32 id = 0, len = sizeof(*info);
	int fd;

	while (!bpf_map_get_next_id(id, &id)) {
		fd = bpf_map_get_fd_by_id(id);
		if (fd < 0)
			continue;
		memset(info, 0, sizeof(*info));
		if (!bpf_map_get_info_by_fd(fd, info, &len) && !strcmp(info->name, name))
			return fd;
		close(fd);
	}
	return -1;
}

static int entry(char **word, int words)
{
	int put = !strcmp(word[0], "--put"), cpu, cpus = libbpf_num_possible_cpus();
	static __u64 values[MOST_CPUS * MOST_WORDS], sum[MOST_WORDS];
	struct bpf_map_info info;
	__u32 key, n, i;
	int fd;

	if (words != 3 + put || cpus < 1 || cpus > MOST_CPUS)
		return 2;
	fd = find_map(word[1], &info);
	key = strtoul(word[2], NULL, 0);
	n = (info.value_size + 7) / 8;
	if (fd < 0 || n > MOST_WORDS) {
		fprintf(stderr, "no such map: %s\n", word[1]);
		return 1;
	}
	if (put) {
		for (cpu = 0; cpu < cpus; cpu++)
			values[cpu * n] = strtoull(word[3], NULL, 0);
		return bpf_map_update_elem(fd, &key, values, BPF_ANY) ? 1 : 0;
	}
	if (bpf_map_lookup_elem(fd, &key, values))
		return 1;
	printf("%s.%u=", word[1], key);
	for (i = 0; i < n; i++) {
		for (cpu = 0; cpu < cpus; cpu++)
			sum[i] += values[cpu * n + i];
		printf("%s%llu", i ? " " : "", (unsigned long long)sum[i]);
	}
	putchar('\n');
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_program *program;
	struct bpf_object *object;
	int i, n = 0;

	libbpf_set_print(say);
	if (argc < 2) {
		count("programs", bpf_prog_get_next_id);
		count("maps", bpf_map_get_next_id);
		count("links", bpf_link_get_next_id);
		return 0;
	}
	if (!strncmp(argv[1], "--", 2))
		return entry(argv + 1, argc - 1);
	object = bpf_object__open_file(argv[1], NULL);
	printf("open=%d\n", object ? 0 : errno);
	if (!object)
		return 1;
	for (i = 2; i < argc; i++)
		if (!tell(object, argv[i])) {
			fprintf(stderr, "the object does not take `%s`\n", argv[i]);
			return 2;
		}
	if (bpf_object__load(object)) {
		printf("load=%d\n", errno);
		return 1;
	}
	bpf_object__for_each_program(program, object)
		n += bpf_program__fd(program) >= 0;
	printf("load=0\nprograms=%d\n", n);
	bpf_object__close(object);
	return 0;
}
