//# enumval ok
enum named_enum { NAMED_VAL1 = 1, NAMED_VAL2 = 2, NAMED_VAL3 = 3 };
typedef enum { ANON_VAL1 = 0x10, ANON_VAL2 = 0x20, ANON_VAL3 = 0x30 } anon_enum;
THERE(enum named_enum);
THERE(anon_enum);
IMAGE(int in, WANT(1, 1, 1, 1, 1, 1, 1, 2, 0x10, 0x20, 3), 0);
//# enumval___diff ok
enum named_enum___diff { OTHER = 7, NAMED_VAL3 = 303, NAMED_VAL1 = 101, NAMED_VAL2 = 202 };
typedef enum { ANON_VAL1 = 0x11, ANON_VAL2 = 0x22, ANON_VAL3 = 0x33 } anon_enum___diff;
THERE(enum named_enum___diff);
THERE(anon_enum___diff);
IMAGE(int in, WANT(1, 1, 1, 1, 1, 1, 101, 202, 0x11, 0x22, 303), 0);
//# enumval___val3_missing ok
enum named_enum { NAMED_VAL1 = 111, NAMED_VAL2 = 222 };
typedef enum { ANON_VAL1 = 0x111, ANON_VAL2 = 0x222 } anon_enum;
THERE(enum named_enum);
THERE(anon_enum);
IMAGE(int in, WANT(1, 1, 0, 1, 1, 0, 111, 222, 0x111, 0x222), 0);
//# enumval___err_missing poison
enum named_enum { NAMED_VAL2 = 2 };
typedef enum { ANON_VAL1 = 0x111, ANON_VAL2 = 0x222 } anon_enum;
THERE(enum named_enum);
THERE(anon_enum);
IMAGE(int in, WANT(0, 1, 0, 1, 1, 0, 0, 2, 0x111, 0x222), 0);
//# enumval___of_64_bits ok
/* an enum may have grown to 64 bits: its value fills both halves of the instruction */
enum named_enum { NAMED_VAL1 = 0x100000001, NAMED_VAL2 = 2, NAMED_VAL3 = 0xffffffff00000000 };
typedef enum { ANON_VAL1 = -1, ANON_VAL2 = 0x22, ANON_VAL3 = -0x100000000 } anon_enum;
THERE(enum named_enum);
THERE(anon_enum);
IMAGE(int in, WANT(1, 1, 1, 1, 1, 1, 0x100000001, 2, -1, 0x22, 0xffffffff00000000), 0);
