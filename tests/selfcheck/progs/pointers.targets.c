//# pointers ok
struct pointers { long pad; const char *names[3]; unsigned long flags; void *data; struct pointers *next; struct { void *inner; } sub; };
IMAGE(struct pointers in, WANT(8, 24, 64),
	{ .next = (void *)0x11, .data = (void *)0x22, .flags = 0x33, .names = { [2] = (void *)0x44 }, .sub = { (void *)0x55 } });
//# pointers___of_4_bytes ok pointers=4
/* clang's pointers for BPF have 8 bytes, so each lies across its neighbour here: only the first 4 bytes are read */
struct __attribute__((packed)) pointers {
	union {
		struct { struct pointers *next; } __attribute__((packed));
		struct { u32 pad0; void *data; } __attribute__((packed));
		struct { u32 pad1[2]; u32 flags; } __attribute__((packed));
		struct { u32 pad2[3]; const char *names[3]; } __attribute__((packed));
		struct { u32 pad3[6]; union { struct { void *inner; } __attribute__((packed)); u32 size; } sub; } __attribute__((packed));
	};
};
THERE(struct pointers);
IMAGE(u32 in[16], WANT(4, 20, 36), { 0x11, 0x22, 0x33, 0, 0, 0x44, 0x55, -1, -1 });
