//! Running a program on an image: by rbpf, which knows little-endian programs only, and by an interpreter of our own for
//! both byte orders, which is held against rbpf wherever that can run.
//!
//! The interpreter does what compiled self-checking programs need and refuses the rest: no maps, no helpers, no subprograms.
//! Source: `Documentation/bpf/standardization/instruction-set.rst`.

use corelet_core::Endian;
use corelet_core::insn::{INSN_SIZE, Insn, LD_IMM64, class};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With `exit`, and this in r0.
    Returned(u64),
    /// At an instruction that relocation had poisoned.
    Poison,
    /// At one that cannot be run.
    Fault(String),
}

/// Where the image is, and where the stack ends, in the interpreter's memory.
const IMAGE: u64 = 0x1_0000;
const STACK_END: u64 = 0x9_0000;
const STACK: usize = 512;
/// Instructions of one run.
const MAX_STEPS: usize = 100_000;

/// Runs little-endian instructions in rbpf.
pub fn rbpf(insns: &[u8], image: &[u8]) -> End {
    let mut image = image.to_vec();
    let vm = match rbpf::EbpfVmRaw::new(Some(insns)) {
        Ok(vm) => vm,
        Err(e) => return End::Fault(e.to_string()),
    };
    match vm.execute_program(&mut image) {
        Ok(r0) => End::Returned(r0),
        Err(e) if e.to_string().contains(&format!("{:#x}", corelet_core::insn::POISON_IMM)) => End::Poison,
        Err(e) => End::Fault(e.to_string()),
    }
}

/// Runs instructions of either byte order on memory of the same.
pub fn interpret(insns: &[u8], endian: Endian, image: &[u8]) -> End {
    let code: Vec<Insn> = insns
        .chunks_exact(INSN_SIZE)
        .map(|c| Insn::decode(c.try_into().expect("chunks of eight"), endian))
        .collect();
    let mut machine = Machine { regs: [0; 11], image: image.to_vec(), stack: vec![0; STACK], endian };
    (machine.regs[1], machine.regs[10]) = (IMAGE, STACK_END);
    match machine.run(&code) {
        Ok(end) => end,
        Err(why) => End::Fault(why),
    }
}

struct Machine {
    regs: [u64; 11],
    image: Vec<u8>,
    stack: Vec<u8>,
    endian: Endian,
}

type Step<T> = Result<T, String>;

impl Machine {
    fn run(&mut self, code: &[Insn]) -> Step<End> {
        let mut pc = 0usize;
        for _ in 0..MAX_STEPS {
            let insn = *code.get(pc).ok_or_else(|| format!("no insn #{pc}"))?;
            if insn == Insn::POISON {
                return Ok(End::Poison);
            }
            let number = pc;
            let at = |what: String| format!("insn #{number}: {what}");
            pc += 1;
            match insn.class() {
                class::LD if insn.code == LD_IMM64 && insn.src == 0 => {
                    let high = code.get(pc).ok_or_else(|| at("half a load".to_owned()))?.imm;
                    self.set(insn.dst, u64::from(high as u32) << 32 | u64::from(insn.imm as u32))?;
                    pc += 1;
                }
                class::ALU | class::ALU64 => self.alu(insn).map_err(at)?,
                class::LDX => {
                    let value = self.load(self.address(insn.src, insn.off)?, insn).map_err(at)?;
                    self.set(insn.dst, value)?;
                }
                class::ST => {
                    let value = i64::from(insn.imm) as u64;
                    self.store(self.address(insn.dst, insn.off)?, insn, value).map_err(at)?;
                }
                class::STX => {
                    let value = self.get(insn.src)?;
                    self.store(self.address(insn.dst, insn.off)?, insn, value).map_err(at)?;
                }
                class::JMP if insn.code == 0x95 => return Ok(End::Returned(self.regs[0])),
                class::JMP | JMP32 => {
                    if self.taken(insn).map_err(at)? {
                        pc = pc.checked_add_signed(insn.off.into()).ok_or("a jump to before the start")?;
                    }
                }
                _ => return Err(at(format!("opcode {:#04x}", insn.code))),
            }
        }
        Err(format!("more than {MAX_STEPS} instructions"))
    }

    fn get(&self, reg: u8) -> Step<u64> {
        self.regs.get(usize::from(reg)).copied().ok_or(format!("register {reg}"))
    }

    fn set(&mut self, reg: u8, value: u64) -> Step<()> {
        // r10 is the frame pointer and cannot be written
        let slot = self.regs[..10].get_mut(usize::from(reg)).ok_or(format!("register {reg}"))?;
        *slot = value;
        Ok(())
    }

    fn address(&self, reg: u8, off: i16) -> Step<u64> {
        Ok(self.get(reg)?.wrapping_add(i64::from(off) as u64))
    }

    /// The memory that a load or store is about.
    fn bytes(&mut self, address: u64, insn: Insn) -> Step<&mut [u8]> {
        let size = insn.mem_size() as usize;
        let from = |start: u64| usize::try_from(address.checked_sub(start)?).ok();
        let image = from(IMAGE).and_then(|at| self.image.get_mut(at..at.checked_add(size)?));
        let stack =
            from(STACK_END - STACK as u64).and_then(|at| self.stack.get_mut(at..at.checked_add(size)?));
        image.or(stack).ok_or(format!("{size} bytes at {address:#x}, where no memory is"))
    }

    /// `BPF_MEM`, or `BPF_MEMSX`, which extends the sign.
    fn load(&mut self, address: u64, insn: Insn) -> Step<u64> {
        let signed = match insn.code & 0xe0 {
            0x60 => false,
            0x80 => true,
            _ => return Err(format!("opcode {:#04x}", insn.code)),
        };
        let endian = self.endian;
        let bytes = self.bytes(address, insn)?;
        let spare = 64 - 8 * bytes.len() as u32;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = match endian {
            Endian::Little => bytes.iter().rev().fold(0, fold),
            Endian::Big => bytes.iter().fold(0, fold),
        };
        Ok(if signed { ((value << spare) as i64 >> spare) as u64 } else { value })
    }

    fn store(&mut self, address: u64, insn: Insn, value: u64) -> Step<()> {
        if insn.code & 0xe0 != 0x60 {
            return Err(format!("opcode {:#04x}", insn.code));
        }
        let endian = self.endian;
        let bytes = self.bytes(address, insn)?;
        let len = bytes.len();
        match endian {
            Endian::Little => bytes.copy_from_slice(&value.to_le_bytes()[..len]),
            Endian::Big => bytes.copy_from_slice(&value.to_be_bytes()[8 - len..]),
        }
        Ok(())
    }

    fn operand(&self, insn: Insn) -> Step<u64> {
        if insn.code & 0x08 == 0 { Ok(i64::from(insn.imm) as u64) } else { self.get(insn.src) }
    }

    fn alu(&mut self, insn: Insn) -> Step<()> {
        let wide = insn.class() == class::ALU64;
        let (dst, src) = (self.get(insn.dst)?, self.operand(insn)?);
        let (a, b) = if wide { (dst, src) } else { (dst & U32, src & U32) };
        let shift = (b & if wide { 63 } else { 31 }) as u32;
        let unknown = || Err(format!("opcode {:#04x}, offset {}", insn.code, insn.off));
        // an offset tells the signed forms of newer instruction sets apart
        if insn.off != 0 && insn.code & 0xf0 != 0xb0 {
            return unknown();
        }
        let value = match insn.code & 0xf0 {
            0x00 => a.wrapping_add(b),
            0x10 => a.wrapping_sub(b),
            0x20 => a.wrapping_mul(b),
            0x30 => a.checked_div(b).unwrap_or(0),
            0x40 => a | b,
            0x50 => a & b,
            0x60 => a << shift,
            0x70 => a >> shift,
            0x80 => a.wrapping_neg(),
            0x90 => a.checked_rem(b).unwrap_or(a),
            0xa0 => a ^ b,
            0xb0 => match insn.off {
                0 => b,
                8 => i64::from(b as i8) as u64,
                16 => i64::from(b as i16) as u64,
                32 => i64::from(b as i32) as u64,
                _ => return unknown(),
            },
            0xc0 if wide => (a as i64 >> shift) as u64,
            0xc0 => (a as i32 >> shift) as u64,
            _ => return unknown(),
        };
        self.set(insn.dst, if wide { value } else { value & U32 })
    }

    fn taken(&self, insn: Insn) -> Step<bool> {
        let wide = insn.class() == class::JMP;
        let (a, b) = (self.get(insn.dst)?, self.operand(insn)?);
        let (a, b) = if wide { (a, b) } else { (a & U32, b & U32) };
        let signed = |v: u64| if wide { v as i64 } else { i64::from(v as i32) };
        let (x, y) = (signed(a), signed(b));
        Ok(match insn.code & 0xf0 {
            0x00 if wide => true,
            0x10 => a == b,
            0x20 => a > b,
            0x30 => a >= b,
            0x40 => a & b != 0,
            0x50 => a != b,
            0x60 => x > y,
            0x70 => x >= y,
            0xa0 => a < b,
            0xb0 => a <= b,
            0xc0 => x < y,
            0xd0 => x <= y,
            _ => return Err(format!("opcode {:#04x}", insn.code)),
        })
    }
}

const U32: u64 = u32::MAX as u64;
/// Jumps that compare 32 bits.
const JMP32: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(code: &[Insn], endian: Endian) -> Vec<u8> {
        code.iter().flat_map(|i| i.encode(endian)).collect()
    }

    fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Insn {
        Insn { code, dst, src, off, imm }
    }

    const EXIT: Insn = Insn { code: 0x95, dst: 0, src: 0, off: 0, imm: 0 };

    #[test]
    fn memory_is_of_the_programs_byte_order() {
        // r0 = *(u16 *)(r1 + 2); *(u32 *)(r10 - 4) = r0; r0 = *(u8 *)(r10 - 4)
        let code = [insn(0x69, 0, 1, 2, 0), insn(0x63, 10, 0, -4, 0), insn(0x71, 0, 10, -4, 0), EXIT];
        let image = [1, 2, 3, 4];
        assert_eq!(interpret(&encode(&code, Endian::Little), Endian::Little, &image), End::Returned(3));
        assert_eq!(rbpf(&encode(&code, Endian::Little), &image), End::Returned(3));
        assert_eq!(interpret(&encode(&code, Endian::Big), Endian::Big, &image), End::Returned(0));
        assert_eq!(
            interpret(&encode(&code[..1], Endian::Big), Endian::Big, &image),
            End::Fault("no insn #1".to_owned())
        );
    }

    #[test]
    fn every_operation_is_rbpfs() {
        let operands = [0, 1, -1, 2, 31, 33, 0x7fff_ffff, i32::MIN, 0x1234_5678];
        let mut compared = 0;
        for class in [class::ALU, class::ALU64, class::JMP, JMP32] {
            for op in (0..=0xd0).step_by(0x10) {
                let code = class | op as u8;
                let jump = class == class::JMP || class == JMP32;
                // call, exit, byte swaps, shifts past the width (which rbpf does not mask)
                if jump && matches!(op, 0x80 | 0x90) || !jump && op == 0xd0 || class == JMP32 && op == 0 {
                    continue;
                }
                for a in operands {
                    for b in operands {
                        let shift = !jump && matches!(op, 0x60 | 0x70 | 0xc0);
                        if shift && !(0..32).contains(&b) || !jump && matches!(op, 0x30 | 0x90) && b == 0 {
                            continue;
                        }
                        // r0 = a; r0 <<= 31; r0 ^= a; then the operation, by register and by immediate
                        let start = [
                            insn(0xb7, 0, 0, 0, a),
                            insn(0x67, 0, 0, 0, 31),
                            insn(0xa7, 0, 0, 0, a),
                            insn(0xb7, 2, 0, 0, b),
                        ];
                        let end = [EXIT, insn(0xb7, 0, 0, 0, 77), EXIT];
                        for tried in [insn(code, 0, 0, jump.into(), b), insn(code | 8, 0, 2, jump.into(), 0)]
                        {
                            let code = encode(&[&start[..], &[tried], &end].concat(), Endian::Little);
                            let ours = interpret(&code, Endian::Little, &[]);
                            // a jump always has no operand, a negation none in a register
                            if tried.code == 0x0d || tried.code & 0xf8 == 0x88
                                // rbpf does not extend the sign of these
                                || jump && tried.imm < 0 && matches!(op, 0x20 | 0x30 | 0xa0 | 0xb0)
                            {
                                continue;
                            }
                            assert_eq!(ours, rbpf(&code, &[0]), "{tried:?} of {a:#x}, {b:#x}");
                            compared += 1;
                        }
                    }
                }
            }
        }
        assert!(compared > 5000, "{compared}");
    }

    #[test]
    fn poison_and_what_cannot_be_run_are_told_apart() {
        let run = |code: &[Insn]| {
            let code = encode(code, Endian::Little);
            let (ours, theirs) = (interpret(&code, Endian::Little, &[0]), rbpf(&code, &[0]));
            assert_eq!(
                std::mem::discriminant(&ours),
                std::mem::discriminant(&theirs),
                "{ours:?}, {theirs:?}"
            );
            ours
        };
        assert_eq!(run(&[Insn::POISON, EXIT]), End::Poison);
        assert!(matches!(run(&[insn(0x85, 0, 0, 0, 999), EXIT]), End::Fault(_)));
        assert!(matches!(run(&[insn(0x79, 0, 1, 64, 0), EXIT]), End::Fault(_)));
        // a jump around it
        assert_eq!(run(&[insn(0x05, 0, 0, 1, 0), Insn::POISON, EXIT]), End::Returned(0));
    }
}
