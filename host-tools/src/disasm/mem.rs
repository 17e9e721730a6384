//! Loads, stores and atomic operations.

use super::{Names, alu};
use corelet_core::insn::{Insn, PSEUDO_FUNC, PSEUDO_MAP_FD, PSEUDO_MAP_VALUE};

/// `src_reg` of an `ld_imm64` of a kernel variable, by its BTF id.
const PSEUDO_BTF_ID: u8 = 3;
/// `src_reg` of an `ld_imm64` of a map, and of an address in its value, by the map's place in `fd_array`.
const PSEUDO_MAP_IDX: u8 = 5;
const PSEUDO_MAP_IDX_VALUE: u8 = 6;

/// Modes: the upper three bits of the opcode.
const ABS: u8 = 0x20;
const IND: u8 = 0x40;
const MEM: u8 = 0x60;
const MEMSX: u8 = 0x80;
const ATOMIC: u8 = 0xc0;

/// Bit of an atomic operation that gives back the old value.
const FETCH: i32 = 0x01;
const XCHG: i32 = 0xe1;
const CMPXCHG: i32 = 0xf1;
const LOAD_ACQ: i32 = 0x100;
const STORE_REL: i32 = 0x110;

fn mode(insn: Insn) -> u8 {
    insn.code & 0xe0
}

fn bits(insn: Insn) -> u32 {
    insn.mem_size() * 8
}

pub(super) fn ld(insn: Insn, second: Option<Insn>, names: &Names<'_>) -> String {
    let Insn { code, dst, src, imm, .. } = insn;
    match mode(insn) {
        ABS => format!("r0 = *(u{} *)skb[{imm}]", bits(insn)),
        IND => format!("r0 = *(u{} *)skb[r{src} + {imm}]", bits(insn)),
        _ if insn.is_ld_imm64() => format!("r{dst} = {}", imm64(insn, second, names)),
        _ => format!("BUG_ld_{code:02x}"),
    }
}

/// What a 64-bit immediate is.
fn imm64(insn: Insn, second: Option<Insn>, names: &Names<'_>) -> String {
    let high = second.map_or(0, |s| s.imm);
    let low = insn.imm;
    match (names.referent, insn.src) {
        (Some(name), _) => name.to_owned(),
        (None, PSEUDO_MAP_FD) => format!("map[fd:{low}]"),
        (None, PSEUDO_MAP_VALUE) => format!("map[fd:{low}][0]+{high}"),
        (None, PSEUDO_BTF_ID) => format!("btf[id:{low}]"),
        (None, PSEUDO_FUNC) => format!("subprog[{low:+}]"),
        (None, PSEUDO_MAP_IDX) => format!("map[idx:{low}]"),
        (None, PSEUDO_MAP_IDX_VALUE) => format!("map[idx:{low}]+{high}"),
        (None, _) => format!("{:#x}", u64::from(high as u32) << 32 | u64::from(low as u32)),
    }
}

pub(super) fn ldx(insn: Insn) -> String {
    let Insn { code, dst, src, off, .. } = insn;
    match mode(insn) {
        MEM => format!("r{dst} = *(u{} *)(r{src} {off:+})", bits(insn)),
        MEMSX => format!("r{dst} = *(s{} *)(r{src} {off:+})", bits(insn)),
        _ => format!("BUG_ldx_{code:02x}"),
    }
}

pub(super) fn st(insn: Insn) -> String {
    let Insn { code, dst, off, imm, .. } = insn;
    match mode(insn) {
        MEM => format!("*(u{} *)(r{dst} {off:+}) = {imm}", bits(insn)),
        // no instruction of programs: the verifier puts it in against speculation
        ATOMIC => "nospec".to_owned(),
        _ => format!("BUG_st_{code:02x}"),
    }
}

pub(super) fn stx(insn: Insn) -> String {
    let Insn { code, dst, src, off, imm } = insn;
    let unit = bits(insn);
    match mode(insn) {
        MEM => return format!("*(u{unit} *)(r{dst} {off:+}) = r{src}"),
        ATOMIC => {}
        _ => return format!("BUG_{code:02x}"),
    }
    let place = format!("(u{unit} *)(r{dst} {off:+})");
    let wide = if unit == 64 { "64" } else { "" };
    match imm {
        XCHG => return format!("r{src} = atomic{wide}_xchg({place}, r{src})"),
        CMPXCHG => return format!("r0 = atomic{wide}_cmpxchg({place}, r0, r{src})"),
        LOAD_ACQ => return format!("r{dst} = load_acquire((u{unit} *)(r{src} {off:+}))"),
        STORE_REL => return format!("store_release({place}, r{src})"),
        _ => {}
    }
    let name = match imm & !FETCH {
        0x00 => "add",
        0x40 => "or",
        0x50 => "and",
        0xa0 => "xor",
        _ => return format!("BUG_{code:02x}"),
    };
    if imm & FETCH != 0 {
        return format!("r{src} = atomic{wide}_fetch_{name}({place}, r{src})");
    }
    let sign = alu::sign(imm as u8).unwrap_or_default();
    format!("lock *{place} {sign} r{src}")
}
