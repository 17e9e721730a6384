/* Wrong: a register by its offset alone. */
unsigned long long bytes;
__attribute__((section("kprobe/vfs_read"), used)) int reads(unsigned long long *ctx)
{
	bytes += ctx[2];
	return 0;
}
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
