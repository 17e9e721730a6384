//# flavors ok
struct flavors {
	char pad[3];
	int c;
	long more;
	int a;
	int b;
};
IMAGE(struct flavors in, WANT(), { .a = 11, .b = 22, .c = 33 });
//# flavors__err_wrong_name poison
struct flavors__err_wrong_name {
	int a, b, c;
};
IMAGE(struct flavors__err_wrong_name in, WANT(), { 11, 22, 33 });
//# flavors___of_the_target ok
/* a target may have flavors too, and of one type several */
struct flavors___first {
	int a, b, c;
};
struct flavors___second {
	int a, b, c;
	int d;
};
THERE(struct flavors___second);
IMAGE(struct flavors___first in, WANT(), { 11, 22, 33 });
