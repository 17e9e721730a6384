/* The types of a made-up kernel of 32 bits, 6.1 by its words: the state of a task by its name of today, longs of 4 bytes. */
struct list_head { struct list_head *next, *prev; } list;
struct pt_regs { unsigned int uregs[18]; } registers;
struct mm_struct { unsigned int hiwater_rss, hiwater_vm; } mm;
struct zone { unsigned int _watermark[4]; } zone;
struct task_struct { int pid; unsigned int __state; struct mm_struct *mm; } task;
struct trace_event_raw_sys_exit { long long ent; int id; int ret; } sys_exit;
/* What a tracepoint's programs are given: the request, where older kernels gave its queue first. */
struct request { int tag; };
typedef void (*btf_trace_block_rq_issue)(void *, struct request *);
btf_trace_block_rq_issue issue;
