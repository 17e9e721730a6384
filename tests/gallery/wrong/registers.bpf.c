/* Wrong: registers where the compiler saw them. */
struct user_pt_regs { unsigned long long regs[31], sp, pc, pstate; };
unsigned long long bytes;
__attribute__((section("kprobe/vfs_read"), used)) int reads(struct user_pt_regs *ctx)
{
	bytes += ctx->regs[2];
	return 0;
}
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
