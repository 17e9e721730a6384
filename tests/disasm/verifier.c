/*
 * Asks the running kernel to verify programs, and prints its log of each: what the kernel calls every instruction.
 * Standard input: for each program a 32-bit number of instructions and then them, all in the machine's order.
 * Standard output: the logs, each ended by a form feed. A program that is accepted is closed at once; none is attached.
 */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	static struct bpf_insn insns[4096];
	static char log[1 << 16];
	uint32_t count;

	while (fread(&count, sizeof(count), 1, stdin) == 1) {
		union bpf_attr attr;
		int fd;

		if (count > 4096 || fread(insns, sizeof(insns[0]), count, stdin) != count)
			return 2;
		log[0] = 0;
		memset(&attr, 0, sizeof(attr));
		attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
		attr.insns = (uintptr_t)insns;
		attr.insn_cnt = count;
		attr.license = (uintptr_t)"GPL";
		attr.log_level = 2;
		attr.log_buf = (uintptr_t)log;
		attr.log_size = sizeof(log);
		fd = syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
		if (fd >= 0)
			close(fd);
		fputs(log, stdout);
		putchar('\f');
	}
	return 0;
}
