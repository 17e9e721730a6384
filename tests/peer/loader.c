/*
 * A loader as people write them with libbpf, linked statically: what our loader is held against on the boards.
 *
 *     loader OBJECT BTF [WORD]...        opens, loads and attaches the object, and closes it
 *     loader --each OBJECT BTF [WORD]... the same for each program alone, which libbpf does not tell of a whole object
 *
 * A WORD is MAP=ENTRIES, the size of a map, or PROGRAM, or PROGRAM:TARGET, or PROGRAM:BINARY:FUNCTION. If there is any of
 * the last three, the other programs are left out. TARGET is the kernel's function.
 *
 * Lines on the standard output: `load=ERRNO` of the whole object or `load.PROGRAM=ERRNO` of one alone, `attach.PROGRAM=ERRNO`,
 * and at the end `resident=KIB` and `anonymous=KIB`, the peaks. They are looked for in /proc/self/smaps_rollup before and after
 * each system call that libbpf makes for the kernel's BPF, and at each step here: counters such as VmHWM are not exact (kernels
 * from 6.2 batch those for each CPU).
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_LINKS 1024
#define SAMPLES_PER_SECOND 49
#define STACK_DEPTH 127
#define ENTRIES 1024

static int rollup = -1;
static unsigned long resident, anonymous;
static char **words;

static unsigned long field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static void measure(void)
{
	unsigned long now;
	char text[1024];
	ssize_t len;

	len = pread(rollup, text, sizeof(text) - 1, 0);
	if (len <= 0)
		return;
	text[len] = 0;
	now = field(text, "\nRss:");
	if (now > resident)
		resident = now;
	now = field(text, "\nAnonymous:");
	if (now > anonymous)
		anonymous = now;
}

long __real_syscall(long number, ...);

/* The linker puts it in place of syscall(2), through which libbpf calls bpf(2) and perf_event_open(2). */
long __wrap_syscall(long number, ...)
{
	long a[6], done;
	va_list args;
	int i, saved;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	measure();
	done = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	saved = errno;
	measure();
	errno = saved;
	return done;
}

static int say(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* What the words say of a program: NULL nothing, "" its name alone, else what stands behind the colon. */
static const char *word_of(const char *name)
{
	size_t len = strlen(name);
	char **word;

	for (word = words; *word; word++)
		if (!strncmp(*word, name, len) && ((*word)[len] == 0 || (*word)[len] == ':'))
			return *word + len + ((*word)[len] == ':');
	return NULL;
}

static bool some_are_named(void)
{
	char **word;

	for (word = words; *word; word++)
		if (!strchr(*word, '='))
			return true;
	return false;
}

/* What the tools' own programs set by hand, unless a word says it. */
static void give_sizes(struct bpf_object *object)
{
	struct bpf_map *map;
	char **word;
	size_t len;

	bpf_object__for_each_map(map, object) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_STACK_TRACE && !bpf_map__value_size(map))
			bpf_map__set_value_size(map, STACK_DEPTH * sizeof(__u64));
		if (!bpf_map__max_entries(map) && bpf_map__type(map) != BPF_MAP_TYPE_PERF_EVENT_ARRAY)
			bpf_map__set_max_entries(map, ENTRIES);
		len = strlen(bpf_map__name(map));
		for (word = words; *word; word++)
			if (!strncmp(*word, bpf_map__name(map), len) && (*word)[len] == '=')
				bpf_map__set_max_entries(map, strtoul(*word + len + 1, NULL, 0));
	}
}

static bool by_trampoline(const struct bpf_program *program)
{
	return bpf_program__type(program) == BPF_PROG_TYPE_TRACING;
}

/* The kernel's errno where libbpf hands it on. */
static int retarget(struct bpf_object *object)
{
	struct bpf_program *program;
	const char *target;

	bpf_object__for_each_program(program, object) {
		target = word_of(bpf_program__name(program));
		if (target && *target && by_trampoline(program) && bpf_program__autoload(program) &&
		    bpf_program__set_attach_target(program, 0, target))
			return errno;
	}
	return 0;
}

/* Of programs that sample, one event for each CPU. */
static int attach_perf(struct bpf_program *program, struct bpf_link **links, int *count)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = SAMPLES_PER_SECOND,
	};
	int cpu, fd, cpus = libbpf_num_possible_cpus();

	for (cpu = 0; cpu < cpus && *count < MAX_LINKS; cpu++) {
		fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
		if (fd < 0)
			return errno;
		links[*count] = bpf_program__attach_perf_event(program, fd);
		if (!links[*count])
			return errno;
		++*count;
	}
	return 0;
}

static int attach(struct bpf_program *program, struct bpf_link **links, int *count)
{
	const char *target = word_of(bpf_program__name(program)), *section = bpf_program__section_name(program);
	LIBBPF_OPTS(bpf_uprobe_opts, uprobe);
	bool returns = strstr(section, "retprobe");
	char binary[256];

	if (*count == MAX_LINKS)
		return E2BIG;
	if (bpf_program__type(program) == BPF_PROG_TYPE_PERF_EVENT)
		return attach_perf(program, links, count);
	if (!target || !*target || by_trampoline(program)) {
		links[*count] = bpf_program__attach(program);
	} else if (strchr(target, ':')) {
		snprintf(binary, sizeof(binary), "%.*s", (int)(strchr(target, ':') - target), target);
		uprobe.func_name = strchr(target, ':') + 1;
		uprobe.retprobe = returns;
		links[*count] = bpf_program__attach_uprobe_opts(program, -1, binary, 0, &uprobe);
	} else {
		links[*count] = bpf_program__attach_kprobe(program, returns, target);
	}
	if (!links[*count])
		return errno;
	++*count;
	return 0;
}

/* With `only`, that program alone, by its number; else those that the words name, or all. */
static int load(const char *path, const char *btf, int only)
{
	static struct bpf_link *links[MAX_LINKS];
	LIBBPF_OPTS(bpf_object_open_opts, options);
	bool named = some_are_named();
	struct bpf_program *program;
	struct bpf_object *object;
	int error, number = 0, count = 0;
	const char *one = "";

	options.btf_custom_path = btf;
	object = bpf_object__open_file(path, &options);
	if (!object)
		return -errno;
	measure();
	bpf_object__for_each_program(program, object) {
		bool wanted = word_of(bpf_program__name(program));

		if (only >= 0) {
			wanted = number == only;
			if (wanted)
				one = bpf_program__name(program);
		}
		if (only >= 0 || named)
			bpf_program__set_autoload(program, wanted);
		number++;
	}
	give_sizes(object);
	error = retarget(object);
	if (!error && bpf_object__load(object))
		error = errno;
	measure();
	printf("load%s%s=%d\n", *one ? "." : "", one, error);
	if (!error) {
		bpf_object__for_each_program(program, object)
			if (bpf_program__autoload(program))
				printf("attach.%s=%d\n", bpf_program__name(program), attach(program, links, &count));
		measure();
	}
	while (count)
		bpf_link__destroy(links[--count]);
	bpf_object__close(object);
	return number;
}

int main(int argc, char **argv)
{
	bool each = argc > 1 && !strcmp(argv[1], "--each");
	int i, programs;

	argv += 1 + each;
	if (argc < 3 + each) {
		fputs("usage: loader [--each] OBJECT BTF [WORD]...\n", stderr);
		return 2;
	}
	words = argv + 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	rollup = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	libbpf_set_print(say);
	programs = load(argv[0], argv[1], each ? 0 : -1);
	if (programs < 0)
		printf("load=%d\n", -programs);
	for (i = 1; each && i < programs; i++)
		load(argv[0], argv[1], i);
	printf("resident=%lu\nanonymous=%lu\n", resident, anonymous);
	return 0;
}
