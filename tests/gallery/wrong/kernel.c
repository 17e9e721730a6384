/* The types of a made-up kernel of 32 bits: the state of a task by its name of today, a signed long of 4 bytes. */
struct pt_regs { unsigned int uregs[18]; };
struct task_struct { int pid; unsigned int __state; };
struct trace_event_raw_sys_exit { long long ent; int id; int ret; };
struct task_struct task;
struct trace_event_raw_sys_exit sys_exit;
struct pt_regs regs;
