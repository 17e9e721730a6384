/* What programs of absent.bpf.c look for, each once: nothing here is anybody's kernel. */

typedef void (*btf_trace_sched_switch)(void *data, int prev);
typedef void (*btf_trace_there)(void *data, int first);

struct tracepoints {
	btf_trace_sched_switch sched_switch;
	btf_trace_there there;
} tracepoints;

int there(int first) { return first; }
int bpf_iter_there(int first) { return first; }
int there_kfunc(int first) { return first; }
int there_variable;
int __arm64_sys_read(int fd) { return fd; }
int __arm64_sys_there(int fd) { return fd; }
