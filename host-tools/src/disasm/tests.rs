//! Every form of instruction, by its encoding. The kernel's verifier writes the same: `tests/disasm.rs` compares.

use super::{Helpers, Names, jump_distance, text};
use corelet_core::Endian;
use corelet_core::insn::{CALL, Insn};

fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Insn {
    Insn { code, dst, src, off, imm }
}

fn plain(i: Insn) -> String {
    text(i, None, &Names { helpers: &Helpers::default(), referent: None })
}

fn all(rows: &[(u8, u8, u8, i16, i32, &str)]) {
    for &(code, dst, src, off, imm, expected) in rows {
        assert_eq!(plain(insn(code, dst, src, off, imm)), expected, "{code:#04x} {off} {imm}");
    }
}

#[test]
fn arithmetic() {
    all(&[
        (0x07, 1, 0, 0, -8, "r1 += -8"),
        (0x0f, 1, 2, 0, 0, "r1 += r2"),
        (0x04, 1, 0, 0, 8, "w1 += 8"),
        (0x1c, 1, 2, 0, 0, "w1 -= w2"),
        (0x2f, 1, 2, 0, 0, "r1 *= r2"),
        (0x3f, 1, 2, 0, 0, "r1 /= r2"),
        (0x3f, 1, 2, 1, 0, "r1 s/= r2"),
        (0x34, 1, 0, 1, 3, "w1 s/= 3"),
        (0x4f, 1, 2, 0, 0, "r1 |= r2"),
        (0x57, 1, 0, 0, 255, "r1 &= 255"),
        (0x67, 1, 0, 0, 32, "r1 <<= 32"),
        (0x77, 1, 0, 0, 32, "r1 >>= 32"),
        (0x87, 1, 0, 0, 0, "r1 = -r1"),
        (0x84, 1, 0, 0, 0, "w1 = -w1"),
        (0x9f, 1, 2, 0, 0, "r1 %= r2"),
        (0x97, 1, 0, 1, 5, "r1 s%= 5"),
        (0xaf, 1, 2, 0, 0, "r1 ^= r2"),
        (0xb7, 1, 0, 0, 1, "r1 = 1"),
        (0xb4, 1, 0, 0, -1, "w1 = -1"),
        (0xbf, 1, 2, 0, 0, "r1 = r2"),
        (0xbc, 1, 2, 0, 0, "w1 = w2"),
        (0xc7, 1, 0, 0, 63, "r1 s>>= 63"),
        (0xcc, 1, 2, 0, 0, "w1 s>>= w2"),
    ]);
}

#[test]
fn moves_that_extend_or_cast_and_byte_order() {
    all(&[
        (0xbf, 1, 2, 8, 0, "r1 = (s8)r2"),
        (0xbf, 1, 2, 16, 0, "r1 = (s16)r2"),
        (0xbf, 1, 2, 32, 0, "r1 = (s32)r2"),
        (0xbc, 1, 2, 16, 0, "w1 = (s16)w2"),
        (0xbf, 1, 2, 1, 0x1_0000, "r1 = addr_space_cast(r2, 1, 0)"),
        (0xbf, 1, 2, -1, 0, "r1 = &(void __percpu *)(r2)"),
        (0xd4, 1, 0, 0, 16, "r1 = le16 r1"),
        (0xdc, 1, 0, 0, 32, "r1 = be32 r1"),
        (0xd7, 1, 0, 0, 64, "r1 = bswap64 r1"),
    ]);
}

#[test]
fn loads_and_stores() {
    all(&[
        (0x71, 1, 2, 0, 0, "r1 = *(u8 *)(r2 +0)"),
        (0x69, 1, 10, -2, 0, "r1 = *(u16 *)(r10 -2)"),
        (0x61, 1, 2, 4, 0, "r1 = *(u32 *)(r2 +4)"),
        (0x79, 1, 6, 2336, 0, "r1 = *(u64 *)(r6 +2336)"),
        (0x91, 1, 2, 4, 0, "r1 = *(s8 *)(r2 +4)"),
        (0x89, 1, 2, 4, 0, "r1 = *(s16 *)(r2 +4)"),
        (0x81, 1, 2, 4, 0, "r1 = *(s32 *)(r2 +4)"),
        (0x72, 10, 0, -1, -1, "*(u8 *)(r10 -1) = -1"),
        (0x7a, 10, 0, -8, 0, "*(u64 *)(r10 -8) = 0"),
        (0x63, 10, 1, -4, 0, "*(u32 *)(r10 -4) = r1"),
        (0x6b, 10, 1, -2, 0, "*(u16 *)(r10 -2) = r1"),
        (0x30, 0, 0, 0, 23, "r0 = *(u8 *)skb[23]"),
        (0x28, 0, 0, 0, 12, "r0 = *(u16 *)skb[12]"),
        (0x40, 0, 7, 0, 14, "r0 = *(u32 *)skb[r7 + 14]"),
    ]);
}

#[test]
fn atomics() {
    all(&[
        (0xdb, 1, 2, 8, 0x00, "lock *(u64 *)(r1 +8) += r2"),
        (0xc3, 1, 2, -4, 0x40, "lock *(u32 *)(r1 -4) |= r2"),
        (0xdb, 1, 2, 0, 0x50, "lock *(u64 *)(r1 +0) &= r2"),
        (0xdb, 1, 2, 0, 0xa0, "lock *(u64 *)(r1 +0) ^= r2"),
        (0xdb, 1, 2, 0, 0x01, "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)"),
        (0xc3, 1, 2, 0, 0x41, "r2 = atomic_fetch_or((u32 *)(r1 +0), r2)"),
        (0xc3, 1, 2, 0, 0x51, "r2 = atomic_fetch_and((u32 *)(r1 +0), r2)"),
        (0xdb, 1, 2, 0, 0xa1, "r2 = atomic64_fetch_xor((u64 *)(r1 +0), r2)"),
        (0xdb, 1, 2, 0, 0xe1, "r2 = atomic64_xchg((u64 *)(r1 +0), r2)"),
        (0xc3, 1, 2, 0, 0xf1, "r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)"),
        (0xd3, 1, 2, 4, 0x100, "r1 = load_acquire((u8 *)(r2 +4))"),
        (0xcb, 1, 2, 4, 0x110, "store_release((u16 *)(r1 +4), r2)"),
        (0xdb, 1, 2, 4, 0x77, "BUG_db"),
    ]);
}

#[test]
fn jumps() {
    let rows: &[(u8, u8, u8, i16, i32, &str)] = &[
        (0x05, 0, 0, 3, 0, "goto pc+3"),
        (0x06, 0, 0, 0, -70_000, "gotol pc-70000"),
        (0xe5, 0, 0, 5, 0, "may_goto pc+5"),
        (0x15, 1, 0, -2, 0, "if r1 == 0x0 goto pc-2"),
        (0x1d, 1, 2, 4, 0, "if r1 == r2 goto pc+4"),
        (0x16, 1, 0, 4, -1, "if w1 == 0xffffffff goto pc+4"),
        (0x26, 1, 0, 4, 7, "if w1 > 0x7 goto pc+4"),
        (0x35, 1, 0, 4, 7, "if r1 >= 0x7 goto pc+4"),
        (0x45, 1, 0, 4, 7, "if r1 & 0x7 goto pc+4"),
        (0x5e, 1, 2, 4, 0, "if w1 != w2 goto pc+4"),
        (0x65, 1, 0, 4, -1, "if r1 s> 0xffffffff goto pc+4"),
        (0x7d, 1, 2, 4, 0, "if r1 s>= r2 goto pc+4"),
        (0xad, 1, 2, 4, 0, "if r1 < r2 goto pc+4"),
        (0xb5, 1, 0, 4, 1, "if r1 <= 0x1 goto pc+4"),
        (0xc6, 1, 0, 4, 0, "if w1 s< 0x0 goto pc+4"),
        (0xdd, 1, 2, 4, 0, "if r1 s<= r2 goto pc+4"),
    ];
    all(rows);
    for &(code, dst, src, off, imm, line) in rows {
        let distance = line.rsplit_once("pc").unwrap().1.parse::<i64>().unwrap();
        assert_eq!(jump_distance(insn(code, dst, src, off, imm)), Some(distance + 1));
    }
    all(&[(0x95, 0, 0, 0, 0, "exit"), (0x0d, 3, 0, 0, 0, "gotox r3")]);
    assert_eq!(jump_distance(insn(0x95, 0, 0, 7, 0)), None);
    assert_eq!(jump_distance(insn(CALL, 0, 1, 7, 1)), None);
}

#[test]
fn calls() {
    all(&[
        (CALL, 0, 0, 0, 1, "call bpf_map_lookup_elem#1"),
        (CALL, 0, 0, 0, 211, "call bpf_cgrp_storage_delete#211"),
        (CALL, 0, 0, 0, 212, "call unknown#212"),
        (CALL, 0, 0, 0, -1, "call unknown#-1"),
        (CALL, 0, 0, 0, 195_896_080, "call unknown#195896080"),
        (CALL, 0, 1, 0, 12, "call pc+12"),
        (CALL, 0, 2, 0, 1234, "call kernel-function#1234"),
    ]);
    let named = Names { helpers: &Helpers::default(), referent: Some("parent_of") };
    assert_eq!(text(insn(CALL, 0, 1, 0, -1), None, &named), "call parent_of");
}

#[test]
fn immediates_of_64_bits_and_what_they_point_at() {
    let pair = |src, low, high, referent| {
        let names = Names { helpers: &Helpers::default(), referent };
        text(insn(0x18, 1, src, 0, low), Some(insn(0, 0, 0, 0, high)), &names)
    };
    assert_eq!(pair(0, -1, 0, None), "r1 = 0xffffffff");
    assert_eq!(pair(0, 5, 6, None), "r1 = 0x600000005");
    assert_eq!(pair(1, 4, 0, None), "r1 = map[fd:4]");
    assert_eq!(pair(2, 4, 16, None), "r1 = map[fd:4][0]+16");
    assert_eq!(pair(3, 77, 0, None), "r1 = btf[id:77]");
    assert_eq!(pair(4, 12, 0, None), "r1 = subprog[+12]");
    assert_eq!(pair(5, 1, 0, None), "r1 = map[idx:1]");
    assert_eq!(pair(6, 1, 8, None), "r1 = map[idx:1]+8");
    assert_eq!(pair(0, 0, 0, Some("map[counts]")), "r1 = map[counts]");
    assert_eq!(plain(insn(0x18, 1, 0, 0, 9)), "r1 = 0x9", "its second half is cut off");
}

#[test]
fn any_instruction_is_a_line() {
    for code in 0..=255u8 {
        for (dst, src, off, imm) in [(0, 0, 0, 0), (15, 15, i16::MIN, i32::MIN), (9, 3, i16::MAX, i32::MAX)] {
            let line = plain(insn(code, dst, src, off, imm));
            assert!(!line.is_empty() && line.lines().count() == 1, "{code:#04x}: {line:?}");
        }
    }
}

#[test]
fn the_byte_order_of_the_object_is_that_of_its_instructions() {
    // r1 = *(u32 *)(r10 -4), registers in swapped halves of their byte
    let little = Insn::decode([0x61, 0xa1, 0xfc, 0xff, 0, 0, 0, 0], Endian::Little);
    let big = Insn::decode([0x61, 0x1a, 0xff, 0xfc, 0, 0, 0, 0], Endian::Big);
    assert_eq!([plain(little), plain(big)], ["r1 = *(u32 *)(r10 -4)"; 2].map(str::to_owned));
}
