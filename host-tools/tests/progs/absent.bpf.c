/* Programs on what a kernel has, and on what it has not, in every way in which its types tell. */
#define SEC(name) __attribute__((section(name)))

#define ON(kind, name) \
	SEC(name "/there") int kind##_there(void *ctx) { return 0; } \
	SEC(name "/gone") int kind##_gone(void *ctx) { return 0; }

ON(tp_btf, "tp_btf")
ON(fentry, "fentry")
ON(iter, "iter")
ON(raw_tp, "raw_tp")
ON(tp, "tp/sched")
ON(kprobe, "kprobe")
ON(ksyscall, "ksyscall")

SEC("tp/syscalls/sys_exit_there") int call_there(void *ctx) { return 0; }
SEC("tp/syscalls/sys_enter_gone") int call_gone(void *ctx) { return 0; }

extern int there_kfunc(int first) SEC(".ksyms");
extern int gone_kfunc(int first) SEC(".ksyms");
extern int gone_weak(int first) SEC(".ksyms") __attribute__((weak));
extern const int there_variable SEC(".ksyms");
extern const int gone_variable SEC(".ksyms");

static __attribute__((noinline)) int deep(int first) { return gone_kfunc(first); }

SEC("syscall") int kfunc_there(void *ctx) { return there_kfunc(1); }
SEC("syscall") int kfunc_gone(void *ctx) { return deep(1); }
SEC("syscall") int kfunc_weak(void *ctx) { return gone_weak ? gone_weak(1) : 0; }
SEC("syscall") int variable_there(void *ctx) { return there_variable; }
SEC("syscall") int variable_gone(void *ctx) { return gone_variable; }

char _license[] SEC("license") = "Dual MIT/GPL";
