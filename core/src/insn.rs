//! BPF instructions: eight bytes each, in the program's byte order. Names as in `include/uapi/linux/bpf.h`.

use crate::bytes::Endian;
use crate::error::{Error, Result};

/// Bytes of one instruction; a 64-bit immediate load takes two.
pub const INSN_SIZE: usize = 8;

/// Instruction classes, the low three bits of the opcode.
pub mod class {
    /// Loads of immediates (`ld_imm64`) and legacy packet loads.
    pub const LD: u8 = 0;
    /// Load from memory.
    pub const LDX: u8 = 1;
    /// Store an immediate.
    pub const ST: u8 = 2;
    /// Store a register.
    pub const STX: u8 = 3;
    /// 32-bit arithmetic.
    pub const ALU: u8 = 4;
    /// 64-bit jumps, calls and exit.
    pub const JMP: u8 = 5;
    /// Jumps that compare 32 bits.
    pub const JMP32: u8 = 6;
    /// 64-bit arithmetic.
    pub const ALU64: u8 = 7;
}

/// `BPF_LD | BPF_IMM | BPF_DW`: a 64-bit immediate in two instructions.
pub const LD_IMM64: u8 = 0x18;
/// `BPF_JMP | BPF_CALL`.
pub const CALL: u8 = 0x85;
/// Bit of an arithmetic opcode whose operand is a register.
pub const BPF_X: u8 = 0x08;
/// `src_reg` of an `ld_imm64` whose immediate is a map's file descriptor.
pub const PSEUDO_MAP_FD: u8 = 1;
/// `src_reg` of an `ld_imm64` of an address inside a map's value.
pub const PSEUDO_MAP_VALUE: u8 = 2;
/// `src_reg` of an `ld_imm64` of a function's address, relative in instructions.
pub const PSEUDO_FUNC: u8 = 4;
/// `src_reg` of a call to a subprogram, relative in instructions.
pub const PSEUDO_CALL: u8 = 1;
/// `src_reg` of an `ld_imm64` of a typed kernel variable: `BPF_PSEUDO_BTF_ID`.
pub const PSEUDO_BTF_ID: u8 = 3;
/// `src_reg` of a call of a kernel function: `BPF_PSEUDO_KFUNC_CALL`.
pub const PSEUDO_KFUNC_CALL: u8 = 2;
/// Immediate of the call that poison puts in an instruction's place: `0xbad2310`, as libbpf and the kernel write.
pub const POISON_IMM: i32 = 195_896_080;

/// Immediate, with the map's number added, of the calls that replace both halves of a load of a map that was not created:
/// `POISON_LDIMM64_MAP_BASE`, libbpf `src/libbpf.c`.
pub const UNCREATED_MAP: i32 = 2_001_000_000;

/// Immediate of a call of a weak kernel function that is not there: `POISON_CALL_KFUNC_BASE`, libbpf `src/libbpf.c`.
pub const UNRESOLVED_KFUNC: i32 = 2_002_000_000;

/// One instruction, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// Opcode.
    pub code: u8,
    /// Destination register.
    pub dst: u8,
    /// Source register.
    pub src: u8,
    /// Offset of loads and stores in bytes, of jumps in instructions.
    pub off: i16,
    /// Immediate.
    pub imm: i32,
}

impl Insn {
    /// All bits 0: the second half of a 64-bit immediate load but for its immediate.
    pub const ZERO: Insn = Insn { code: 0, dst: 0, src: 0, off: 0, imm: 0 };
    /// What poison puts in an instruction's place.
    pub const POISON: Insn = Insn { code: CALL, dst: 0, src: 0, off: 0, imm: POISON_IMM };

    /// Decodes eight bytes. The register nibbles swap places with the byte order (`struct bpf_insn`'s bitfields).
    pub fn decode(b: [u8; INSN_SIZE], endian: Endian) -> Insn {
        let [code, regs, o0, o1, i0, i1, i2, i3] = b;
        let (dst, src) = match endian {
            Endian::Little => (regs & 15, regs >> 4),
            Endian::Big => (regs >> 4, regs & 15),
        };
        Insn { code, dst, src, off: endian.u16([o0, o1]) as i16, imm: endian.u32([i0, i1, i2, i3]) as i32 }
    }

    /// The eight bytes of the instruction.
    pub fn encode(self, endian: Endian) -> [u8; INSN_SIZE] {
        let regs = match endian {
            Endian::Little => self.dst & 15 | self.src << 4,
            Endian::Big => self.dst << 4 | self.src & 15,
        };
        let [o0, o1] = endian.from_u16(self.off as u16);
        let [i0, i1, i2, i3] = endian.from_u32(self.imm as u32);
        [self.code, regs, o0, o1, i0, i1, i2, i3]
    }

    /// `BPF_CLASS`.
    pub fn class(self) -> u8 {
        self.code & 7
    }

    /// Whether this is the first half of a 64-bit immediate load.
    pub fn is_ld_imm64(self) -> bool {
        self.code == LD_IMM64
    }

    /// Bytes that a load or store moves.
    pub fn mem_size(self) -> u32 {
        match self.code & 0x18 {
            0x00 => 4,
            0x08 => 2,
            0x10 => 1,
            _ => 8,
        }
    }

    /// The same load or store with another size; `None` for a size that no instruction has.
    pub fn with_mem_size(self, size: u32) -> Option<Insn> {
        let bits = match size {
            4 => 0x00,
            2 => 0x08,
            1 => 0x10,
            8 => 0x18,
            _ => return None,
        };
        Some(Insn { code: self.code & !0x18 | bits, ..self })
    }
}

/// The instruction at index `insn` of `insns`.
pub fn read(insns: &[u8], insn: u32, endian: Endian) -> Result<Insn> {
    let at = (insn as usize).saturating_mul(INSN_SIZE);
    let bytes = insns.get(at..at.saturating_add(INSN_SIZE)).and_then(|s| s.try_into().ok());
    bytes.map(|b| Insn::decode(b, endian)).ok_or(Error::NoSuchInsn { insn })
}

/// Puts `value` at index `insn` of `insns`.
pub fn write(insns: &mut [u8], insn: u32, value: Insn, endian: Endian) -> Result<()> {
    let at = (insn as usize).saturating_mul(INSN_SIZE);
    let place = insns.get_mut(at..).and_then(|rest| rest.first_chunk_mut());
    *place.ok_or(Error::NoSuchInsn { insn })? = value.encode(endian);
    Ok(())
}
