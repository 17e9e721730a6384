//! Instructions that a kernel's verifier may come to, with what is known on the PC: relocated values, configuration values, and the
//! addresses of weak symbols that the kernel lacks. A poisoned instruction among them is a danger; any other is in a branch that the
//! verifier drops, whatever it is that the branch asks: a field, the version, the architecture, a symbol; or in a subprogram that
//! nothing there calls.
//!
//! Constants are followed through registers and the stack along every way; what two ways bring differently is not known. A read-only
//! variable may be set before loading, so it is not known either. Behind poison the walk goes on, so that each place is named.
//!
//! Time: as [`ways`] says.

use std::collections::{BTreeMap, BTreeSet};

use corelet_core::Endian;
use corelet_core::insn::{self, BPF_X, INSN_SIZE, Insn, POISON_IMM, class};
use corelet_core::object::Referent;

use super::collect::Collected;
use super::ways::{self, Knowledge};
use crate::relocate::Program;

const FRAME: u8 = 10;
/// `BPF_MODE` of loads and stores: plain ones.
const MODE: u8 = 0xe0;
const MEM: u8 = 0x60;

/// What a register or a slot of the stack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Unknown,
    Constant(u64),
    /// An address in `.kconfig`.
    Kconfig(i64),
    /// An address on the stack, from the frame pointer.
    Frame(i64),
}

/// What is known before an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    registers: [Value; 11],
    /// Bytes and value, by offset from the frame pointer.
    slots: BTreeMap<i64, (u32, Value)>,
}

impl State {
    fn get(&self, register: u8) -> Value {
        self.registers.get(usize::from(register)).copied().unwrap_or(Value::Unknown)
    }

    fn set(&mut self, register: u8, value: Value) {
        if let Some(place) = self.registers.get_mut(usize::from(register)) {
            *place = value;
        }
    }

    /// Forgets what lies in these bytes of the stack.
    fn forget(&mut self, from: i64, to: i64) {
        self.slots.retain(|&at, &mut (size, _)| at + i64::from(size) <= from || at >= to);
    }
}

impl Knowledge for State {
    fn and(&self, other: &State) -> State {
        let mut both = self.clone();
        for (mine, theirs) in both.registers.iter_mut().zip(other.registers) {
            if *mine != theirs {
                *mine = Value::Unknown;
            }
        }
        both.slots.retain(|at, held| other.slots.get(at) == Some(held));
        both
    }
}

/// What is known of a kernel.
pub(super) struct Known<'x> {
    /// The values of configuration externs, as the object's `.kconfig` has them.
    pub(super) kconfig: &'x [u8],
    /// Instructions that load the address of a weak symbol which the kernel lacks, as function and instruction.
    pub(super) zero: &'x BTreeSet<(u32, u32)>,
}

/// The instructions that are come to from the functions `entries`, as function and instruction.
pub(super) fn reached(
    c: &Collected<'_>,
    programs: &[Program],
    entries: impl Iterator<Item = u32>,
    known: &Known<'_>,
) -> BTreeSet<(u32, u32)> {
    let referents: BTreeMap<(u32, u32), Referent> =
        c.references.iter().map(|r| ((r.function, r.insn), r.to)).collect();
    let mut out = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut functions: Vec<u32> = entries.collect();
    while let Some(function) = functions.pop() {
        let Some(program) = programs.get(function as usize).filter(|_| seen.insert(function)) else {
            continue;
        };
        let (chunks, _) = program.insns.bytes.as_chunks::<INSN_SIZE>();
        let insns: Vec<Insn> = chunks.iter().map(|b| Insn::decode(*b, program.insns.endian)).collect();
        let code =
            Code { insns: &insns, function, referents: &referents, known, endian: program.insns.endian };
        for at in code.walk() {
            out.insert((function, at));
            if let Some(Referent::Call { function } | Referent::FunctionAddress { function }) =
                referents.get(&(function, at))
            {
                functions.push(*function);
            }
        }
    }
    out
}

struct Code<'x> {
    insns: &'x [Insn],
    function: u32,
    referents: &'x BTreeMap<(u32, u32), Referent>,
    known: &'x Known<'x>,
    endian: Endian,
}

impl Code<'_> {
    /// The instructions that are come to.
    fn walk(&self) -> Vec<u32> {
        let objects = self.objects();
        let mut start = State { registers: [Value::Unknown; 11], slots: BTreeMap::new() };
        start.set(FRAME, Value::Frame(0));
        let step = |at: usize, insn: &Insn, before: &State| self.behind(at, insn, before, &objects);
        let before = ways::before(self.insns, start, step, taken);
        (0..).zip(before).filter_map(|(at, known)| known.map(|_| at)).collect()
    }

    /// Offsets of what has its address taken, lowest first: a call that is given one may write from there to the next.
    fn objects(&self) -> BTreeSet<i64> {
        let mut out = BTreeSet::new();
        let copies = (self.insns.iter().enumerate()).filter(|(_, i)| is_move(i) && i.src == FRAME);
        for (at, copy) in copies {
            let adds = self.insns.iter().skip(at + 1).take(8);
            let mut adds =
                adds.filter(|i| i.class() == class::ALU64 && i.dst == copy.dst && i.code & 0xf8 == 0);
            out.extend(adds.next().map(|add| i64::from(add.imm)));
        }
        out
    }

    fn behind(&self, at: usize, insn: &Insn, before: &State, objects: &BTreeSet<i64>) -> State {
        let mut after = before.clone();
        let (dst, src) = (before.get(insn.dst), before.get(insn.src));
        match insn.class() {
            class::LD => after.set(insn.dst, self.loaded(at, insn)),
            class::ALU | class::ALU64 => after.set(insn.dst, arithmetic(insn, dst, src)),
            class::LDX => {
                let plain = insn.code & MODE == MEM;
                let value = match src {
                    Value::Kconfig(base) if plain => {
                        self.configured(base + i64::from(insn.off), insn.mem_size())
                    }
                    Value::Frame(base) if plain => match before.slots.get(&(base + i64::from(insn.off))) {
                        Some(&(size, value)) if size == insn.mem_size() => value,
                        _ => Value::Unknown,
                    },
                    _ => Value::Unknown,
                };
                after.set(insn.dst, value);
            }
            class::ST | class::STX => {
                if let Value::Frame(base) = dst {
                    let (from, size) = (base + i64::from(insn.off), insn.mem_size());
                    after.forget(from, from + i64::from(size));
                    let value = match insn.class() {
                        class::ST => Value::Constant(i64::from(insn.imm) as u64),
                        _ => src,
                    };
                    let value = match value {
                        Value::Constant(number) => Value::Constant(truncated(number, size)),
                        address if size == 8 => address,
                        _ => Value::Unknown,
                    };
                    if insn.code & MODE == MEM {
                        after.slots.insert(from, (size, value));
                    }
                }
                if insn.code & MODE != MEM {
                    after.set(insn.src, Value::Unknown);
                    after.set(0, Value::Unknown);
                }
            }
            class::JMP if insn.code == insn::CALL && insn.imm == POISON_IMM => {
                // what it was told to compute
                (0..FRAME).for_each(|register| after.set(register, Value::Unknown));
            }
            class::JMP if insn.code == insn::CALL => {
                for register in 1..=5 {
                    if let Value::Frame(from) = before.get(register) {
                        let end = objects.range(from + 1..).next().copied().unwrap_or(0);
                        after.forget(from, end.max(from + 1));
                    }
                }
                (0..=5).for_each(|register| after.set(register, Value::Unknown));
            }
            _ => {}
        }
        after
    }

    /// What an `ld_imm64` loads.
    fn loaded(&self, at: usize, insn: &Insn) -> Value {
        let place = (self.function, at as u32);
        match self.referents.get(&place) {
            Some(Referent::Kconfig { offset, .. }) => Value::Kconfig((*offset).into()),
            Some(_) if self.known.zero.contains(&place) => Value::Constant(0),
            None if insn.is_ld_imm64() && insn.src == 0 => {
                let high = self.insns.get(at + 1).map_or(0, |second| second.imm as u32);
                Value::Constant(u64::from(high) << 32 | u64::from(insn.imm as u32))
            }
            _ => Value::Unknown,
        }
    }

    fn configured(&self, from: i64, size: u32) -> Value {
        let bytes =
            usize::try_from(from).ok().and_then(|from| self.known.kconfig.get(from..)?.get(..size as usize));
        let Some(bytes) = bytes else { return Value::Unknown };
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Value::Constant(match self.endian {
            Endian::Little => bytes.iter().rev().fold(0, add),
            Endian::Big => bytes.iter().fold(0, add),
        })
    }
}

fn is_move(insn: &Insn) -> bool {
    insn.class() == class::ALU64 && insn.code & 0xf8 == 0xb8 && insn.off == 0
}

fn truncated(number: u64, size: u32) -> u64 {
    if size >= 8 { number } else { number & ((1 << (size * 8)) - 1) }
}

/// What an arithmetic instruction computes. Numbers of operations: `include/uapi/linux/bpf.h`.
fn arithmetic(insn: &Insn, dst: Value, src: Value) -> Value {
    let wide = insn.class() == class::ALU64;
    let operand = if insn.code & BPF_X != 0 { src } else { Value::Constant(i64::from(insn.imm) as u64) };
    let operation = insn.code & 0xf0;
    let address = wide && insn.off == 0;
    let (a, b) = match (operation, dst, operand) {
        (0xb0, _, value) if address => return value,
        (0x00, Value::Frame(base), Value::Constant(by)) if address => {
            return Value::Frame(base.wrapping_add(by as i64));
        }
        (0x00, Value::Kconfig(base), Value::Constant(by)) if address => {
            return Value::Kconfig(base.wrapping_add(by as i64));
        }
        (0xb0, _, Value::Constant(b)) if insn.off == 0 => (0, b),
        (_, Value::Constant(a), Value::Constant(b)) if insn.off == 0 => (a, b),
        _ => return Value::Unknown,
    };
    let bits = if wide { 64 } else { 32 };
    let (a, b) = if wide { (a, b) } else { (truncated(a, 4), truncated(b, 4)) };
    let by = (b % bits) as u32;
    let result = match operation {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a << by,
        0x70 => a >> by,
        0x80 => a.wrapping_neg(),
        0xa0 => a ^ b,
        0xb0 => b,
        0xc0 if wide => ((a as i64) >> by) as u64,
        0xc0 => ((a as u32 as i32) >> by) as u32 as u64,
        _ => return Value::Unknown,
    };
    Value::Constant(if wide { result } else { truncated(result, 4) })
}

/// Whether a conditional jump is taken; `None` where that is not known.
fn taken(insn: &Insn, state: &State) -> Option<bool> {
    let operand = match insn.code & BPF_X != 0 {
        true => state.get(insn.src),
        false => Value::Constant(i64::from(insn.imm) as u64),
    };
    let (Value::Constant(a), Value::Constant(b)) = (state.get(insn.dst), operand) else { return None };
    let wide = insn.class() == class::JMP;
    let (a, b) = if wide { (a, b) } else { (truncated(a, 4), truncated(b, 4)) };
    let signed = |n: u64| if wide { n as i64 } else { i64::from(n as u32 as i32) };
    Some(match insn.code & 0xf0 {
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        0x40 => a & b != 0,
        0x50 => a != b,
        0x60 => signed(a) > signed(b),
        0x70 => signed(a) >= signed(b),
        0xa0 => a < b,
        0xb0 => a <= b,
        0xc0 => signed(a) < signed(b),
        0xd0 => signed(a) <= signed(b),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: Insn = Insn { code: 0x95, dst: 0, src: 0, off: 0, imm: 0 };

    fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Insn {
        Insn { code, dst, src, off, imm }
    }

    /// What is come to of one function, which loads a configuration value of these bytes at its instruction 0.
    fn walk(insns: &[Insn], kconfig: &[u8]) -> Vec<u32> {
        let referents = BTreeMap::from([((0, 0), Referent::Kconfig { index: 0, offset: 0 })]);
        let known = Known { kconfig, zero: &BTreeSet::new() };
        Code { insns, function: 0, referents: &referents, known: &known, endian: Endian::Little }.walk()
    }

    #[test]
    fn a_configuration_value_decides() {
        let code = [
            insn(0x18, 1, 0, 0, 0), // r1 = &VALUE
            Insn::ZERO,
            insn(0x61, 1, 1, 0, 0),    // r1 = *(u32 *)r1
            insn(0x25, 1, 0, 1, 0x50), // if r1 > 0x50 goto +1
            Insn::POISON,
            EXIT,
        ];
        assert_eq!(walk(&code, &[0x51, 0, 0, 0]), [0, 2, 3, 5]);
        assert_eq!(walk(&code, &[0x50, 0, 0, 0]), [0, 2, 3, 4, 5]);
        // not known: both ways
        assert_eq!(walk(&code, &[]), [0, 2, 3, 4, 5]);
    }

    #[test]
    fn the_stack_keeps_a_constant_until_a_call_may_write_there() {
        let code = |place: i32| {
            vec![
                insn(0xb4, 1, 0, 0, 3),       // w1 = 3
                insn(0x7b, 10, 1, -16, 0),    // *(u64 *)(r10 - 16) = r1
                insn(0xbf, 2, 10, 0, 0),      // r2 = r10
                insn(0x07, 2, 0, 0, place),   // r2 += place
                insn(insn::CALL, 0, 0, 0, 1), // a helper
                insn(0x79, 1, 10, -16, 0),    // r1 = *(u64 *)(r10 - 16)
                insn(0x15, 1, 0, 1, 3),       // if r1 == 3 goto +1
                Insn::POISON,
                EXIT,
            ]
        };
        assert_eq!(walk(&code(-8), &[]).len(), 8);
        assert_eq!(walk(&code(-16), &[]).len(), 9);
    }

    #[test]
    fn ways_that_bring_different_values_leave_a_jump_open() {
        let code = [
            insn(0xb7, 1, 0, 0, 1), // r1 = 1
            insn(0x15, 6, 0, 1, 0), // if r6 == 0 goto +1
            insn(0xb7, 1, 0, 0, 2), // r1 = 2
            insn(0x15, 1, 0, 1, 1), // if r1 == 1 goto +1
            Insn::POISON,
            EXIT,
        ];
        assert_eq!(walk(&code, &[]).len(), 6);
    }

    #[test]
    fn arithmetic_is_the_machines() {
        let of = |code, imm, number| {
            arithmetic(&insn(code, 1, 0, 0, imm), Value::Constant(number), Value::Unknown)
        };
        assert_eq!(of(0x07, -1, 5), Value::Constant(4));
        assert_eq!(of(0x04, -1, 0), Value::Constant(0xffff_ffff));
        assert_eq!(of(0xc7, 32, 0xffff_fff8 << 32), Value::Constant(-8i64 as u64));
        assert_eq!(of(0xc4, 1, 0x8000_0000), Value::Constant(0xc000_0000));
        assert_eq!(of(0x37, 2, 8), Value::Unknown);
    }
}
