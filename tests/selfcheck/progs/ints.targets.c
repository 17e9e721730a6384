//# ints ok
struct ints { int pad; s64 s64_field; u64 u64_field; s32 s32_field; u32 u32_field; s16 s16_field; u16 u16_field; s8 s8_field; u8 u8_field; };
IMAGE(struct ints in, WANT(0, 1, 8), { 0, 8, 7, 6, 5, 4, 3, 2, 1 });
//# ints___bool ok
struct ints { _Bool u8_field; s8 s8_field; u16 u16_field; s16 s16_field; u32 u32_field; s32 s32_field; u64 u64_field; s64 s64_field; };
IMAGE(struct ints in, WANT(0, 1, 8), { 1, 2, 3, 4, 5, 6, 7, 8 });
//# ints___reverse_sign ok
struct ints { s8 u8_field; u8 s8_field; s16 u16_field; u16 s16_field; s32 u32_field; u32 s32_field; s64 u64_field; u64 s64_field; };
IMAGE(struct ints in, WANT(1, 0, 8), { 1, 2, 3, 4, 5, 6, 7, 8 });
//# ints___unsigned_resized ok
/* as `unsigned long` is 8 bytes in a program and 4 in a 32-bit kernel: loads and stores are of the target's size */
struct ints { u16 u8_field; s8 s8_field; u64 u16_field; s16 s16_field; u8 u32_field; s32 s32_field; u32 u64_field; s64 s64_field; };
IMAGE(struct ints in, WANT(0, 1, 4), { 1, 2, 3, 4, 5, 6, 7, 8 });
//# ints___err_signed_resized poison
struct ints { u8 u8_field; s8 s8_field; u16 u16_field; s32 s16_field; u32 u32_field; s32 s32_field; u64 u64_field; s64 s64_field; };
IMAGE(struct ints in, WANT(0, 1, 8), { 1, 2, 3, 4, 5, 6, 7, 8 });
//# ints___err_sign_lost poison
struct ints { u8 u8_field; s8 s8_field; u16 u16_field; s16 s16_field; s64 u32_field; s32 s32_field; u64 u64_field; s64 s64_field; };
IMAGE(struct ints in, WANT(1, 1, 8), { 1, 2, 3, 4, 5, 6, 7, 8 });
