/* What a libc would bring for events.c: the start, write(2), and the memory functions that compilers call by name. Build it with
 * -ffreestanding -fno-builtin, so that its loops do not become calls of themselves, and link with -nostdlib -static. */
#include <stddef.h>

int main(int argc, char **argv);

#if defined(__aarch64__)
#define WRITE 64
#define EXIT_GROUP 94
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n mov x0, sp\n b start\n");
#elif defined(__riscv)
#define WRITE 64
#define EXIT_GROUP 94
__asm__(".globl _start\n_start:\n.option push\n.option norelax\n lla gp, __global_pointer$\n.option pop\n"
	" mv a0, sp\n andi sp, sp, -16\n tail start\n");
#elif defined(__arm__)
#define WRITE 4
#define EXIT_GROUP 248
__asm__(".globl _start\n.type _start, %function\n.arm\n_start: mov r0, sp\n mov fp, #0\n mov lr, #0\n bic sp, sp, #7\n bl start\n");
#elif defined(__x86_64__)
#define WRITE 1
#define EXIT_GROUP 231
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
#else
#error "no start for this architecture"
#endif

static long call(long number, long a, long b, long c)
{
#if defined(__aarch64__)
	register long nr __asm__("x8") = number, r __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
	__asm__ volatile("svc 0" : "+r"(r) : "r"(nr), "r"(x1), "r"(x2) : "memory");
	return r;
#elif defined(__riscv)
	register long nr __asm__("a7") = number, r __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
	__asm__ volatile("ecall" : "+r"(r) : "r"(nr), "r"(a1), "r"(a2) : "memory");
	return r;
#elif defined(__arm__)
	register long nr __asm__("r7") = number, r __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c;
	__asm__ volatile("svc 0" : "+r"(r) : "r"(nr), "r"(r1), "r"(r2) : "memory");
	return r;
#else
	long r = number;
	__asm__ volatile("syscall" : "+a"(r) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
#endif
}

long write(int fd, const void *bytes, size_t len)
{
	return call(WRITE, fd, (long)bytes, (long)len);
}

/* The kernel leaves on the stack: argc, the arguments, a null. */
__attribute__((used)) void start(long *stack)
{
	int code = main((int)stack[0], (char **)(stack + 1));

	for (;;)
		call(EXIT_GROUP, code, 0, 0);
}

void *memcpy(void *to, const void *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((char *)to)[i] = ((const char *)from)[i];
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	if ((size_t)((char *)to - (char *)from) >= len)
		return memcpy(to, from, len);
	while (len-- > 0)
		((char *)to)[len] = ((const char *)from)[len];
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((char *)to)[i] = (char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((const unsigned char *)a)[i] != ((const unsigned char *)b)[i])
			return ((const unsigned char *)a)[i] - ((const unsigned char *)b)[i];
	return 0;
}

int bcmp(const void *a, const void *b, size_t len)
{
	return memcmp(a, b, len);
}

size_t strlen(const char *text)
{
	size_t len = 0;

	while (text[len])
		len++;
	return len;
}

#if defined(__arm__)
/* Tables for unwinding name them, and nothing unwinds. */
void __aeabi_unwind_cpp_pr0(void)
{
}

void __aeabi_unwind_cpp_pr1(void)
{
}
#endif
