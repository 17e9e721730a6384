//# nesting ok
struct nesting_inner { int pad, a; };
union nesting_other { int b; char pad[16]; };
struct nesting {
	int pad;
	union { struct nesting_inner a; } a;
	struct { int pad; union nesting_other b; } b;
};
IMAGE(struct nesting in, WANT(), { .a.a.a = 0x11, .b.b.b = 0x22 });
//# nesting___anon_embed ok
/* the inner types are written out where they are used */
struct nesting {
	int pad;
	union { struct { char pad[5]; int a; } a; } a;
	struct { union { int b; } b; } b;
};
IMAGE(struct nesting in, WANT(), { .a.a.a = 0x11, .b.b.b = 0x22 });
//# nesting___struct_union_mixup ok
struct nesting {
	long pad;
	struct { int pad; union { char x; int a; } a; } a;
	union { struct { int pad; int b; } b; } b;
};
IMAGE(struct nesting in, WANT(), { .a.a.a = 0x11, .b.b.b = 0x22 });
//# nesting___extra_nesting ok
struct nesting {
	int pad;
	struct { struct { union { int pad1;
		struct { int pad2; struct { struct { int pad3; union { struct { int a; }; }; } a; }; }; }; };
	} a;
	int pad4;
	struct { struct { struct { union { struct { union { int b; }; } b; }; }; }; } b;
};
IMAGE(struct nesting in, WANT(), { .a.a.a = 0x11, .b.b.b = 0x22 });
//# nesting___dup_compat_types ok
/* three of the name, and all three say the same */
struct inner { int pad, a; };
struct nesting { int pad; struct { struct inner a; } a; struct { struct { int b; } b; } b; };
struct nesting___twin { int pad; struct { struct { int x, a; } a; } a; struct { union { int b; } b; } b; };
struct nesting___triplet { int pad; union { struct inner a; } a; union { struct { int b, c; } b; } b; };
THERE(struct nesting___twin);
THERE(struct nesting___triplet);
IMAGE(struct nesting in, WANT(), { .a.a.a = 0x11, .b.b.b = 0x22 });
//# nesting___err_missing_field poison
struct nesting { struct { struct { int other; } a; } a; struct { struct { int b; } b; } b; };
IMAGE(struct nesting in, WANT(), { .b.b.b = 0x22 });
//# nesting___err_array_field poison
struct nesting { struct { struct { int a[1]; } a; } a; struct { struct { int b; } b; } b; };
IMAGE(struct nesting in, WANT(), { .a.a.a = { 0x11 }, .b.b.b = 0x22 });
//# nesting___err_missing_container poison
struct nesting { struct { int a; } a; struct { struct { int b; } b; } b; };
IMAGE(struct nesting in, WANT(), { .a.a = 0x11, .b.b.b = 0x22 });
//# nesting___err_nonstruct_container poison
struct nesting { int a; struct { struct { int b; } b; } b; };
IMAGE(struct nesting in, WANT(), { .a = 0x11, .b.b.b = 0x22 });
//# nesting___err_array_container poison
struct nesting { struct { struct { int a; } a[1]; } a; struct { struct { int b; } b; } b; };
IMAGE(struct nesting in, WANT(), { .a.a = { { 0x11 } }, .b.b.b = 0x22 });
//# nesting___err_dup_incompat_types fails
struct nesting { struct { struct { int a; } a; } a; struct { struct { int b; } b; } b; };
struct nesting___twin { int pad; struct { struct { int a; } a; } a; struct { struct { int b; } b; } b; };
THERE(struct nesting___twin);
IMAGE(struct nesting in, WANT(), { .a.a.a = 0x11, .b.b.b = 0x22 });
//# nesting___err_partial_match_dups poison
/* one has the first field, the other the second: what the first relocation rules out stays out */
struct nesting { struct { struct { int a; } a; } a; };
struct nesting___twin { struct { struct { int b; } b; } b; };
THERE(struct nesting___twin);
IMAGE(struct nesting in, WANT(), { .a.a.a = 0x11 });
//# nesting___err_too_deep poison
struct nesting { struct { struct { struct { int a; } a; } a; } a; struct { struct { int b; } b; } b; };
IMAGE(struct nesting in, WANT(), { .a.a.a.a = 0x11, .b.b.b = 0x22 });
