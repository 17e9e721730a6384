//# enum64val ok
enum unsigned_enum64 { UNSIGNED_VAL1 = 0x1ffffffff, UNSIGNED_VAL2 = 2, UNSIGNED_VAL3 = 0x3ffffffff };
enum signed_enum64 { SIGNED_VAL1 = 0x1ffffffff, SIGNED_VAL2 = -2, SIGNED_VAL3 = 0x3ffffffff };
THERE(enum unsigned_enum64);
THERE(enum signed_enum64);
IMAGE(int in, WANT(1, 1, 1, 1, 1, 1, 0x1ffffffff, 2, 0x1ffffffff, -2), 0);
//# enum64val___diff ok
/* the signed one fits into 32 bits now */
enum unsigned_enum64 { UNSIGNED_VAL1 = 0x101ffffffff, UNSIGNED_VAL2 = 0x202ffffffff, UNSIGNED_VAL3 = 0x303ffffffff };
enum signed_enum64 { SIGNED_VAL1 = -101, SIGNED_VAL2 = -202, SIGNED_VAL3 = -303 };
THERE(enum unsigned_enum64);
THERE(enum signed_enum64);
IMAGE(int in, WANT(1, 1, 1, 1, 1, 1, 0x101ffffffff, 0x202ffffffff, -101, -202), 0);
//# enum64val___val3_missing ok
enum unsigned_enum64 { UNSIGNED_VAL1 = 0x111ffffffff, UNSIGNED_VAL2 = 0x222 };
enum signed_enum64 { SIGNED_VAL1 = 0x111ffffffff, SIGNED_VAL2 = -222 };
THERE(enum unsigned_enum64);
THERE(enum signed_enum64);
IMAGE(int in, WANT(1, 1, 0, 1, 1, 0, 0x111ffffffff, 0x222, 0x111ffffffff, -222), 0);
//# enum64val___err_missing poison
enum unsigned_enum64 { UNSIGNED_VAL2 = 0x222ffffffff };
enum signed_enum64 { SIGNED_VAL1 = 0x111ffffffff, SIGNED_VAL2 = -222 };
THERE(enum unsigned_enum64);
THERE(enum signed_enum64);
IMAGE(int in, WANT(0, 1, 0, 1, 1, 0, 0, 0x222ffffffff, 0x111ffffffff, -222), 0);
