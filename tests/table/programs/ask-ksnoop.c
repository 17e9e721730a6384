/*
 * What ksnoop's own program does for `ksnoop "vfs_read(count)"`: writes what to record of vfs_read(), its third argument, into the
 * map that the BPF programs look into. Then one read(2) of a known size. Says `pid=` and `count=`.
 *
 * The structures are those of ksnoop.h in libbpf-tools 0.31, by their sizes; what is not asked for stays 0.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAP "ksnoop_func_map"
#define COUNT 1234
#define THIRD_ARGUMENT 2
#define UNKNOWN_TYPE 0xffffffff

struct value {
	char name[256];
	__u32 base_arg, offset, size;
	__u64 type_id, flags, predicate;
};

struct trace {
	__u64 btf, dump;
	struct {
		char name[96], module[96];
		__s32 id;
		__u8 arguments;
		__u64 ip;
		struct value values[6];
	} function;
	__u64 links[2];
	__u8 traces;
	__u32 filter_pid;
	__u64 prev_ip, next_ip;
	struct value values[6];
	__u64 flags, task;
	__u32 pid, cpu;
	__u64 time, data_flags;
	struct {
		__u64 raw;
		__u32 err_type;
		__s32 err;
		__u32 offset;
		__u16 len;
	} data[6];
	__u16 len;
	char buffer[6 * 2048];
};

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(__NR_bpf, command, attr, sizeof(*attr));
}

/* A descriptor of the map, whose entries must have this size. */
static int find(const char *name, size_t size)
{
	union bpf_attr attr = {};

	while (!bpf(BPF_MAP_GET_NEXT_ID, &attr)) {
		union bpf_attr id = { .map_id = attr.next_id }, ask = {};
		struct bpf_map_info info = {};
		int fd = bpf(BPF_MAP_GET_FD_BY_ID, &id);

		ask.info.bpf_fd = fd;
		ask.info.info_len = sizeof(info);
		ask.info.info = (unsigned long)&info;
		if (fd >= 0 && !bpf(BPF_OBJ_GET_INFO_BY_FD, &ask) && !strcmp(info.name, name) &&
		    info.value_size == size)
			return fd;
		attr.start_id = attr.next_id;
	}
	return -1;
}

static unsigned long address(const char *symbol)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	char line[512], name[256];
	unsigned long at;

	while (symbols && fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%lx %*c %255s", &at, name) == 2 && !strcmp(name, symbol))
			return at;
	return 0;
}

int main(void)
{
	int cpus = sysconf(_SC_NPROCESSORS_CONF), map = find(MAP, sizeof(struct trace));
	struct trace *traces = calloc(cpus, sizeof(*traces));
	unsigned long ip = address("vfs_read");
	union bpf_attr attr = {};
	char buffer[COUNT];
	__u64 key = ip;
	int i, fd;

	if (map < 0 || !traces || !ip)
		return 1;
	for (i = 0; i < cpus; i++) {
		struct trace *trace = &traces[i];

		strcpy(trace->function.name, "vfs_read");
		trace->function.ip = ip;
		trace->traces = 1;
		trace->filter_pid = getpid();
		strcpy(trace->values[0].name, "count");
		trace->values[0].base_arg = THIRD_ARGUMENT;
		trace->values[0].size = sizeof(__u64);
		trace->values[0].type_id = UNKNOWN_TYPE;
	}
	fd = open("/dev/zero", O_RDONLY);
	attr.map_fd = map;
	attr.key = (unsigned long)&key;
	attr.value = (unsigned long)traces;
	if (bpf(BPF_MAP_UPDATE_ELEM, &attr))
		return 1;
	if (read(fd, buffer, COUNT) != COUNT)
		return 1;
	printf("pid=%d\ncount=%d\n", (int)getpid(), COUNT);
	return 0;
}
