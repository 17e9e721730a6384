//# misc ok
struct misc_a { int a1, x, a2; };
struct misc_b { int x, b1, b2; };
struct misc_extensible { int a, more, b; };
THERE(struct misc_a);
THERE(struct misc_b);
IMAGE(struct misc_extensible in[3], WANT(), { { 1, 2 }, { 3, 4 }, { 5, 6 } });
