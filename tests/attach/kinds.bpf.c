/*
 * A program for each way of attaching. Each counts in a slot of its own, `hits[n]`, so that a workload whose outcome is known
 * shows that it runs; a manifest takes some of them at a time. Nothing of a kernel's types is used but names, so that the one
 * object serves every board.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*bpf_seq_write)(void *seq, const void *data, u32 len) = (void *)127;

enum kind {
	KPROBE, MULTI, MULTI_RETURN, SESSION, SYSCALL, SYSCALL_RETURN, RAW, RAW_WRITABLE, TRACEPOINT_BTF, ENTRY, EXIT, MODIFY,
	HOOK, SAMPLE, BEFORE, INSTEAD, SLEEPABLE, FUNCTION, VARIABLE, MISSING, KINDS
};

u64 hits[KINDS];
/* Processes that count: all if 0. */
u32 only;

static __attribute__((always_inline)) int hit(enum kind kind)
{
	if (!only || only == bpf_get_current_pid_tgid() >> 32)
		__sync_fetch_and_add(&hits[kind], 1);
	return 0;
}

SEC("kprobe/dummy") int kprobe(void *ctx) { return hit(KPROBE); }
SEC("kprobe.multi/vfs_rea*") int multi(void *ctx) { return hit(MULTI); }
SEC("kretprobe.multi/vfs_read") int multi_return(void *ctx) { return hit(MULTI_RETURN); }
SEC("kprobe.session/vfs_rea?") int session(void *ctx) { return hit(SESSION); }
SEC("ksyscall/openat") int syscall(void *ctx) { return hit(SYSCALL); }
SEC("kretsyscall/openat") int syscall_return(void *ctx) { return hit(SYSCALL_RETURN); }
SEC("raw_tp/sys_enter") int raw(void *ctx) { return hit(RAW); }
SEC("raw_tp.w/sys_enter") int raw_writable(void *ctx) { return hit(RAW_WRITABLE); }
SEC("tp_btf/sys_enter") int tracepoint_btf(void *ctx) { return hit(TRACEPOINT_BTF); }
SEC("fentry/vfs_read") int entry(void *ctx) { return hit(ENTRY); }
SEC("fexit/vfs_read") int leave(void *ctx) { return hit(EXIT); }
SEC("fmod_ret/security_file_open") int modify(void *ctx) { return hit(MODIFY); }
SEC("lsm/file_open") int hook(void *ctx) { return hit(HOOK); }
SEC("lsm.s/file_open") int sleepable(void *ctx) { return hit(SLEEPABLE); }
SEC("perf_event") int sample(void *ctx) { return hit(SAMPLE); }

/* What another program replaces. */
__attribute__((noinline)) int callee(int number)
{
	asm volatile("" : "+r"(number));
	return hit(BEFORE) + number;
}

/* No raw tracepoint: the verifier then wants 0 of what replaces its functions. */
SEC("kprobe/vfs_read") int caller(void *ctx) { return callee(1) - 1; }
SEC("freplace/caller:callee") int instead(int number) { return hit(INSTEAD) + number; }

extern void bpf_rcu_read_lock(void) __attribute__((section(".ksyms")));
extern void bpf_rcu_read_unlock(void) __attribute__((section(".ksyms")));
extern void bpf_no_such_function(void) __attribute__((section(".ksyms"), weak));
extern const int bpf_prog_active __attribute__((section(".ksyms")));

static const void *(*bpf_per_cpu_ptr)(const void *ptr, u32 cpu) = (void *)153;

/* Functions of the kernel, one that it does not have, and a variable of its by its type. */
SEC("tp_btf/sys_enter") int typed(void *ctx)
{
	bpf_rcu_read_lock();
	hit(FUNCTION);
	bpf_rcu_read_unlock();
	if (bpf_no_such_function)
		bpf_no_such_function();
	else
		hit(MISSING);
	const int *active = bpf_per_cpu_ptr(&bpf_prog_active, 0);
	if (active && *active >= 0)
		hit(VARIABLE);
	return 0;
}

struct bpf_iter_meta {
	void *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	void *task;
};

/* A line for each task, and one at the end. */
SEC("iter/task") int tasks(struct bpf_iter__task *ctx)
{
	if (ctx->task)
		bpf_seq_write(ctx->meta->seq, "task\n", 5);
	else
		bpf_seq_write(ctx->meta->seq, "end\n", 4);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
