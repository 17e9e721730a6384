/*
 * Prints what libbpf makes of an object on a kernel's types: what it would ask of the kernel, and the debug lines of its
 * relocation, `prog 'P': relo #N: …`.
 *
 * Nothing reaches the running kernel. libbpf relocates only while it loads, so it is let load into a kernel that is not
 * there: its calls of syscall(2) come to the function below, which says yes to everything. What libbpf reads of the running
 * kernel (its types for attaching, its release, its configuration) is taken from the arguments instead.
 *
 * Each call becomes a line: `call COMMAND RESULT ATTRIBUTE`, and for each address in the attribute ` OFFSET=BYTES`; all
 * bytes in hexadecimal digits. `dup FD FD` is a descriptor that gets another number, `absent PROGRAM TARGET` a
 * program whose attach target the kernel does not have and which is given another.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *kernel_types, *kernel_release;
static struct bpf_object *object;
static struct {
	__u32 key, value;
} sizes[4096];

static void hex(const void *from, size_t len)
{
	const unsigned char *byte = from;

	while (len--)
		printf("%02x", *byte++);
}

static void bytes_at(size_t offset, __u64 address, size_t len)
{
	if (!address || !len)
		return;
	printf(" %zu=", offset);
	hex((const void *)(unsigned long)address, len);
}

#define BYTES(attr, member, len) bytes_at(offsetof(union bpf_attr, member), (attr)->member, len)

static int new_fd(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static long bpf_call(int command, const union bpf_attr *attr, unsigned int size)
{
	union bpf_attr whole = {};
	long result;

	memcpy(&whole, attr, size < sizeof(whole) ? size : sizeof(whole));
	attr = &whole;
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
		result = new_fd();
		break;
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
		result = 0;
		break;
	case BPF_PROG_BIND_MAP:
	case BPF_OBJ_PIN:
		return 0;
	case BPF_OBJ_GET:
		errno = ENOENT;
		return -1;
	default:
		errno = EINVAL;
		return -1;
	}
	/* libbpf tries out what a kernel can do with maps and programs of its own */
	if (command == BPF_MAP_CREATE && !strncmp(attr->map_name, "libbpf_", 7))
		return result;
	if (command == BPF_PROG_LOAD &&
	    (!attr->prog_btf_fd || (int)attr->prog_btf_fd != bpf_object__btf_fd(object)))
		return result;
	if (command == BPF_MAP_CREATE && result >= 0 && result < 4096) {
		sizes[result].key = attr->key_size;
		sizes[result].value = attr->value_size;
	}
	printf("call %d %ld ", command, result);
	hex(attr, size);
	switch (command) {
	case BPF_PROG_LOAD:
		BYTES(attr, insns, attr->insn_cnt * 8ul);
		BYTES(attr, license, attr->license ? strlen((char *)(unsigned long)attr->license) + 1 : 0);
		BYTES(attr, func_info, (size_t)attr->func_info_cnt * attr->func_info_rec_size);
		BYTES(attr, line_info, (size_t)attr->line_info_cnt * attr->line_info_rec_size);
		break;
	case BPF_BTF_LOAD:
		BYTES(attr, btf, attr->btf_size);
		break;
	case BPF_MAP_UPDATE_ELEM:
		if (attr->map_fd < 4096) {
			BYTES(attr, key, sizes[attr->map_fd].key);
			BYTES(attr, value, sizes[attr->map_fd].value);
		}
		break;
	}
	putchar('\n');
	return result;
}

long syscall(long number, ...)
{
	long a, b, c;
	va_list args;

	va_start(args, number);
	a = va_arg(args, long);
	b = va_arg(args, long);
	c = va_arg(args, long);
	va_end(args);
	switch (number) {
	case SYS_bpf:
		return bpf_call(a, (const union bpf_attr *)b, c);
	case SYS_memfd_create:
		return new_fd();
	case SYS_dup3:
		printf("dup %ld %ld\n", a, b);
		if (a >= 0 && a < 4096 && b >= 0 && b < 4096)
			sizes[b] = sizes[a];
		return dup3(a, b, c);
	default:
		errno = ENOSYS;
		return -1;
	}
}

/* Where maps are pinned there is a bpffs. */
int statfs(const char *path, struct statfs *s)
{
	memset(s, 0, sizeof(*s));
	s->f_type = 0xcafe4a11;
	return 0;
}

int statfs64(const char *path, struct statfs64 *s)
{
	memset(s, 0, sizeof(*s));
	s->f_type = 0xcafe4a11;
	return 0;
}

/* The kernel's types are another kernel's, and the configuration is what standard input says. */
static const char *path_of(const char *path)
{
	if (!strcmp(path, "/sys/kernel/btf/vmlinux"))
		return kernel_types;
	if (!strncmp(path, "/boot/config-", 13) || !strcmp(path, "/proc/config.gz"))
		return "/dev/null";
	return path;
}

FILE *fopen64(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen64");

	return real(path_of(path), mode);
}

FILE *fopen(const char *path, const char *mode)
{
	return fopen64(path, mode);
}

int open64(const char *path, int flags, ...)
{
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");

	return real(path_of(path), flags, 0);
}

int faccessat(int folder, const char *path, int mode, int flags)
{
	int (*real)(int, const char *, int, int) = dlsym(RTLD_NEXT, "faccessat");

	return real(folder, path_of(path), mode, flags);
}

int uname(struct utsname *name)
{
	memset(name, 0, sizeof(*name));
	strcpy(name->sysname, "Linux");
	snprintf(name->release, sizeof(name->release), "%s", kernel_release);
	return 0;
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

/* The word behind the `/` of a program's section. */
static const char *target_of(const struct bpf_program *program)
{
	const char *slash = strchr(bpf_program__section_name(program), '/');

	return slash ? slash + 1 : "";
}

/* Whether the kernel's types have what a program attaches to by name, and something of that sort that they have. */
static bool is_absent(const struct bpf_program *program, const char **another)
{
	const char *prefix = "";
	static struct btf *kernel;
	__u32 kind = BTF_KIND_FUNC;
	char target[256];

	switch (bpf_program__expected_attach_type(program)) {
	case BPF_TRACE_RAW_TP:
		prefix = "btf_trace_", kind = BTF_KIND_TYPEDEF, *another = "sched_switch";
		break;
	case BPF_TRACE_ITER:
		prefix = "bpf_iter_", *another = "task";
		break;
	case BPF_LSM_MAC:
		prefix = "bpf_lsm_", *another = "file_open";
		break;
	case BPF_TRACE_FENTRY:
	case BPF_TRACE_FEXIT:
	case BPF_MODIFY_RETURN:
		*another = "bpf_fentry_test1";
		break;
	default:
		return false;
	}
	if (!kernel)
		kernel = btf__parse(kernel_types, NULL);
	snprintf(target, sizeof(target), "%s%s", prefix, target_of(program));
	return btf__find_by_name_kind(kernel, target, kind) < 0;
}

static void prepare(struct bpf_program *program)
{
	const char *another;

	bpf_program__set_autoload(program, true);
	if (bpf_program__type(program) == BPF_PROG_TYPE_UNSPEC) {
		/* a section that this libbpf does not know yet */
		printf("absent %s %s\n", bpf_program__name(program), target_of(program));
		bpf_program__set_type(program, BPF_PROG_TYPE_SOCKET_FILTER);
	} else if (is_absent(program, &another)) {
		printf("absent %s %s\n", bpf_program__name(program), target_of(program));
		bpf_program__set_attach_target(program, 0, another);
	}
}

/* What a tool sets before it loads, where the kernel would refuse nothing: any number serves. */
static void give_size(struct bpf_map *map)
{
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_STACK_TRACE:
		if (!bpf_map__value_size(map))
			bpf_map__set_value_size(map, 127 * sizeof(__u64));
		/* fallthrough */
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_PROG_ARRAY:
		if (!bpf_map__max_entries(map))
			bpf_map__set_max_entries(map, 1024);
		break;
	case BPF_MAP_TYPE_CPUMAP:
		/* not more than a kernel's CPUs */
		bpf_map__set_max_entries(map, 2);
		break;
	default:
		break;
	}
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	struct bpf_program *program;
	struct bpf_map *map;

	if (argc != 5) {
		fprintf(stderr, "usage: %s OBJECT RELOCATION_TYPES KERNEL_TYPES RELEASE <CONFIG\n", argv[0]);
		return 2;
	}
	kernel_types = argv[3];
	kernel_release = argv[4];
	libbpf_set_print(print_relocations);
	options.btf_custom_path = argv[2];
	options.kconfig = calloc(1, 1 << 20);
	if (!options.kconfig || fread((char *)options.kconfig, 1, (1 << 20) - 1, stdin) == 0)
		options.kconfig = NULL;
	object = bpf_object__open_file(argv[1], &options);
	if (!object)
		return 1;
	bpf_object__for_each_program(program, object)
		prepare(program);
	bpf_object__for_each_map(map, object)
		give_size(map);
	/* what comes after relocation may fail: the lines are what counts */
	bpf_object__load(object);
	bpf_object__close(object);
	return 0;
}
