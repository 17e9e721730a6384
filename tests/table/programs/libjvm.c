/*
 * What javagc probes of libjvm.so: the USDT probes of a garbage collection, which takes PAUSE microseconds. Says `pid=`.
 *
 * A probe is a nop and a note that says where it is, as systemtap's <sys/sdt.h> writes them.
 */
#include <stdio.h>
#include <unistd.h>

#define PAUSE 20000

#if __SIZEOF_POINTER__ == 8
#define ADDRESS ".8byte "
#else
#define ADDRESS ".4byte "
#endif

#define PROBE(name)                                                                                                  \
	__asm__ volatile("990: nop\n"                                                                                \
			 ".pushsection .note.stapsdt,\"\",\"note\"\n"                                                \
			 ".balign 4\n"                                                                               \
			 ".4byte 992f-991f, 994f-993f, 3\n"                                                          \
			 "991: .asciz \"stapsdt\"\n"                                                                 \
			 "992: .balign 4\n"                                                                          \
			 "993: " ADDRESS "990b\n" ADDRESS "_.stapsdt.base\n" ADDRESS "0\n"                           \
			 ".asciz \"hotspot\"\n"                                                                      \
			 ".asciz \"" name "\"\n"                                                                     \
			 ".asciz \"\"\n"                                                                             \
			 "994: .balign 4\n"                                                                          \
			 ".popsection\n")

/* Where it is linked to tells whether the addresses of the notes have been moved since. */
__asm__(".pushsection .stapsdt.base,\"a\"\n"
	".weak _.stapsdt.base\n"
	"_.stapsdt.base: .space 1\n"
	".popsection\n");

int main(void)
{
	PROBE("gc__begin");
	usleep(PAUSE);
	PROBE("gc__end");
	PROBE("mem__pool__gc__begin");
	usleep(PAUSE);
	PROBE("mem__pool__gc__end");
	printf("pid=%d\n", (int)getpid());
	return 0;
}
