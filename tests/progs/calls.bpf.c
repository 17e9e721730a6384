/*
 * calls: what one process reads, opens and maps: arguments and results of kernel functions and system calls.
 *
 * No architecture is named here and none when this is compiled: corelet_tracing.h has the registers of all, and the pack says
 * which are the target's. Where the kernel refuses a kprobe at a function's first instruction (6.12 on RISC-V), the programs
 * that begin behind what ftrace may write there, and fexit, take their place: the manifest's alternatives.
 */
#include <corelet_types.h>
#include <bpf/bpf_helpers.h>
#include <corelet_tracing.h>

enum what { READ, READ_RETURNED, OPEN, MAP };

struct event {
	enum what what;
	__u32 pid;
	/* READ: bytes wanted. OPEN: flags. MAP: address, length, protection, flags, file, page. */
	__u64 args[6];
	/* READ_RETURNED: bytes, or an error */
	__s64 returned;
	char path[32];
};
const struct event *event_type __unused;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events SEC(".maps");

/* The process that is watched; all if 0. */
const volatile __u32 pid = 0;

static __always_inline struct event *begin(enum what what)
{
	__u32 who = bpf_get_current_pid_tgid() >> 32;

	if (pid && who != pid)
		return NULL;
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return NULL;
	__builtin_memset(event, 0, sizeof(*event));
	event->what = what;
	event->pid = who;
	return event;
}

static __always_inline int on_read(size_t count)
{
	struct event *event = begin(READ);

	if (!event)
		return 0;
	event->args[0] = count;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline int on_returned(long result)
{
	struct event *event = begin(READ_RETURNED);

	if (!event)
		return 0;
	event->returned = result;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline int on_map(unsigned long address, unsigned long length, unsigned long protection, unsigned long flags,
				  unsigned long file, unsigned long page)
{
	struct event *event = begin(MAP);

	if (!event)
		return 0;
	event->args[0] = address;
	event->args[1] = length;
	event->args[2] = protection;
	event->args[3] = flags;
	event->args[4] = (__s32)file;
	event->args[5] = page;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline int on_open(const char *path, int flags)
{
	struct event *event = begin(OPEN);

	if (!event)
		return 0;
	event->args[0] = flags;
	bpf_probe_read_user_str(event->path, sizeof(event->path), path);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("kprobe/vfs_read")
int BPF_KPROBE(reads, void *file, char *buffer, size_t count)
{
	return on_read(count);
}

SEC("kretprobe/vfs_read")
int BPF_KRETPROBE(reads_returned, unsigned long result)
{
	/* an ssize_t: 4 bytes on 32 bits, with their sign */
	return on_returned(corelet_long(result));
}

/* Of six arguments two are on the stack on 32-bit ARM. */
SEC("kprobe/ksys_mmap_pgoff")
int BPF_KPROBE(maps, unsigned long address, unsigned long length, unsigned long protection, unsigned long flags,
	       unsigned long file, unsigned long page)
{
	return on_map(address, length, protection, flags, file, page);
}

/* A system call, whose function takes registers on one architecture and arguments on another. */
SEC("ksyscall/openat")
int BPF_KSYSCALL(opens, int folder, const char *path, int flags)
{
	return on_open(path, flags);
}

SEC("kprobe/vfs_read+8")
int BPF_KPROBE(reads_later, void *file, char *buffer, size_t count)
{
	return on_read(count);
}

SEC("fexit/vfs_read")
int BPF_PROG(reads_left, void *file, char *buffer, size_t count, void *position, long result)
{
	return on_returned(result);
}

SEC("kprobe/ksys_mmap_pgoff+8")
int BPF_KPROBE(maps_later, unsigned long address, unsigned long length, unsigned long protection, unsigned long flags,
	       unsigned long file, unsigned long page)
{
	return on_map(address, length, protection, flags, file, page);
}

SEC("kprobe/__riscv_sys_openat+8")
int BPF_KSYSCALL(opens_later, int folder, const char *path, int flags)
{
	return on_open(path, flags);
}

char LICENSE[] SEC("license") = "GPL";
