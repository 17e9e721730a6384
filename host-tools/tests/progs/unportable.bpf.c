/* What cannot be loaded: the two candidates for struct twin in kernel.c have `b` in different places. */
struct twin {
	int b;
} __attribute__((preserve_access_index));

__attribute__((section("raw_tracepoint/sched_switch"), used)) int ambiguous(struct twin *ctx)
{
	return ctx->b;
}

char LICENSE[] __attribute__((section("license"), used)) = "GPL";
