//! Which registers and stack slots hold the context, or a pointer to registers that were saved, along all ways through a
//! program: what holds it on one way and something else on another holds nothing.
//!
//! Time: each instruction is looked at again only where it is known to hold less than before; functions by what they are given.

use std::collections::{BTreeMap, BTreeSet};

use corelet_core::insn::{self, BPF_X, Insn, class};

const JMP32: u8 = 6;
const MOV: u8 = 0xb0;
const ADD: u8 = 0x00;
const JA: u8 = 0x00;
const EXIT: u8 = 0x90;
/// `BPF_DW` of a load or store.
const DOUBLE: u8 = 0x18;
/// R10, the frame.
const FRAME: u8 = 10;
/// Registers that a call hands over and takes: R1 to R5, and with the result R0 to R5.
const GIVEN: u16 = 0x3e;
const SCRATCH: u16 = 0x3f;
/// `bpf_probe_read` and its kin, whose R3 is where they read. Source: `include/uapi/linux/bpf.h`.
const PROBE_READS: [i32; 6] = [4, 45, 112, 113, 114, 115];
/// `bpf_task_pt_regs`, which returns a pointer to the registers of a task in user space.
const TASK_PT_REGS: i32 = 175;
/// Helpers that call a function of the program: their number, the registers of the function and of what is passed on to it, and
/// the register in which it comes there. `bpf_for_each_map_elem`, `bpf_find_vma`, `bpf_loop`, `bpf_user_ringbuf_drain`.
const CALLBACKS: [(i32, u8, u8, u8); 4] = [(164, 2, 3, 4), (180, 3, 4, 3), (181, 2, 3, 2), (209, 2, 3, 2)];
/// Ways in which one program's functions are given things; a program of clang has hardly more than one for each.
const MAX_WAYS: usize = 256;

/// What a program is given, and what of it is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// The context itself is registers: kprobes, uprobes, perf events.
    Registers,
    /// The first argument in the context is a pointer to registers: raw tracepoints of system calls.
    Pointer,
    /// No registers, but it may ask for those of a task.
    Nothing,
}

/// A function of an object.
pub(super) struct Code<'x> {
    pub(super) insns: Vec<Insn>,
    /// Functions that it calls, by instruction.
    pub(super) calls: BTreeMap<u32, u32>,
    /// Functions whose addresses it loads, by instruction.
    pub(super) addresses: BTreeMap<u32, u32>,
    /// Instructions that relocation changes.
    pub(super) relocated: &'x BTreeSet<(u32, u32)>,
}

/// Registers by bits, and slots of 8 bytes of the stack, the lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Places {
    registers: u16,
    slots: u64,
}

impl Places {
    fn has(self, register: u8) -> bool {
        self.registers & 1 << (register & 15) != 0
    }

    fn set(&mut self, register: u8, held: bool) {
        let bit = 1 << (register & 15);
        self.registers = if held { self.registers | bit } else { self.registers & !bit };
    }

    fn and(self, other: Places) -> Places {
        Places { registers: self.registers & other.registers, slots: self.slots & other.slots }
    }
}

/// What is held before an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    context: Places,
    /// Pointers to registers, or to a place in them that no relocation found.
    saved: Places,
}

impl State {
    fn and(self, other: State) -> State {
        State { context: self.context.and(other.context), saved: self.saved.and(other.saved) }
    }

    fn each(&mut self, mut change: impl FnMut(&mut Places)) {
        change(&mut self.context);
        change(&mut self.saved);
    }
}

/// The slot that an offset from the frame is in.
fn slot(off: i16) -> Option<u32> {
    (-512..0).contains(&off).then(|| (i32::from(off) + 512) as u32 / 8)
}

/// The first read of registers at a place that no relocation found, as function and instruction, of the program that begins at
/// function `entry`.
pub(super) fn first_read<'x>(
    entry: u32,
    given: Given,
    code: &dyn Fn(u32) -> Option<Code<'x>>,
) -> Option<(u32, u32)> {
    let start = State { context: Places { registers: 1 << 1, slots: 0 }, saved: Places::default() };
    let mut ways = vec![(entry, start)];
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    while let Some((function, state)) = ways.pop() {
        if seen.len() >= MAX_WAYS || !seen.insert((function, state)) {
            continue;
        }
        let Some(code) = code(function) else { continue };
        let (read, calls) = walk(function, &code, given, state);
        found.extend(read.map(|insn| (function, insn)));
        ways.extend(calls);
    }
    // the program's own before those of what it calls
    found.into_iter().min_by_key(|&(function, insn)| (function != entry, function, insn))
}

/// The first such read of one function, and what it calls with something in its arguments.
fn walk(function: u32, code: &Code<'_>, given: Given, start: State) -> (Option<u32>, Vec<(u32, State)>) {
    let relocated = |at: usize| code.relocated.contains(&(function, at as u32));
    let mut before: Vec<Option<State>> = vec![None; code.insns.len()];
    let mut work = vec![(0usize, start)];
    while let Some((at, comes)) = work.pop() {
        let (Some(insn), Some(known)) = (code.insns.get(at), before.get_mut(at)) else { continue };
        let merged = known.map_or(comes, |known| known.and(comes));
        if *known == Some(merged) {
            continue;
        }
        *known = Some(merged);
        let after = behind(insn, merged, relocated(at), given);
        let jump = matches!(insn.class(), class::JMP | JMP32);
        let operation = insn.code & 0xf0;
        if jump && operation == EXIT {
            continue;
        }
        if jump && insn.code != insn::CALL {
            let far = insn.class() == JMP32 && operation == JA;
            let by = if far { i64::from(insn.imm) } else { i64::from(insn.off) };
            work.extend(usize::try_from(at as i64 + 1 + by).ok().map(|to| (to, after)));
            if operation == JA {
                continue;
            }
        }
        work.push((at + if insn.is_ld_imm64() { 2 } else { 1 }, after));
    }
    let mut read = None;
    let mut calls = Vec::new();
    for (at, (insn, state)) in code.insns.iter().zip(&before).enumerate() {
        let Some(state) = state else { continue };
        let registers = |register: u8| {
            state.saved.has(register) || given == Given::Registers && state.context.has(register)
        };
        let loads = insn.class() == class::LDX && registers(insn.src) && !relocated(at);
        let asks =
            insn.code == insn::CALL && insn.src == 0 && PROBE_READS.contains(&insn.imm) && registers(3);
        if read.is_none() && (loads || asks) {
            read = Some(at as u32);
        }
        if let Some(&callee) = code.calls.get(&(at as u32)) {
            let mut handed = *state;
            handed.each(|places| *places = Places { registers: places.registers & GIVEN, slots: 0 });
            if handed != State::default() {
                calls.push((callee, handed));
            }
        }
        let helper = CALLBACKS.iter().find(|h| insn.code == insn::CALL && insn.src == 0 && insn.imm == h.0);
        if let Some(&(_, of, passed, comes)) = helper {
            let mut handed = State::default();
            handed.context.set(comes, state.context.has(passed));
            handed.saved.set(comes, state.saved.has(passed));
            if handed != State::default() {
                calls.extend(loaded(code, at, of).map(|callee| (callee, handed)));
            }
        }
    }
    (read, calls)
}

/// The function whose address `register` has at instruction `at`, where that was loaded shortly before.
fn loaded(code: &Code<'_>, at: usize, register: u8) -> Option<u32> {
    let before = code.insns.get(..at)?.iter().enumerate().rev();
    let writes = |insn: &Insn| !matches!(insn.class(), class::ST | class::STX | class::JMP | JMP32);
    let (load, _) =
        before.filter(|(_, insn)| writes(insn) && insn.code != 0).find(|(_, i)| i.dst == register)?;
    code.addresses.get(&(load as u32)).copied()
}

/// What is held behind `insn`.
fn behind(insn: &Insn, before: State, relocated: bool, given: Given) -> State {
    let mut after = before;
    let (dst, src) = (insn.dst, insn.src);
    match insn.class() {
        class::ALU64 if insn.code & 0xf0 == MOV && insn.code & BPF_X != 0 && insn.off == 0 => {
            after.each(|places| places.set(dst, places.has(src)));
        }
        // a place within them that the compiler knew
        class::ALU64 if insn.code & 0xf0 == ADD && insn.code & BPF_X == 0 && !relocated => {}
        class::ALU | class::ALU64 | class::LD => after.each(|places| places.set(dst, false)),
        class::LDX => {
            let whole = insn.code & DOUBLE == DOUBLE;
            let slot = slot(insn.off).filter(|_| whole && src == FRAME);
            after.each(|places| places.set(dst, slot.is_some_and(|slot| places.slots >> slot & 1 == 1)));
            let first = given == Given::Pointer && before.context.has(src) && insn.off == 0 && whole;
            if first {
                after.saved.set(dst, true);
            }
        }
        class::ST | class::STX if dst == FRAME => {
            let kept = insn.class() == class::STX && insn.code & DOUBLE == DOUBLE;
            if let Some(slot) = slot(insn.off) {
                after.each(|places| {
                    let held = kept && places.has(src);
                    places.slots = places.slots & !(1 << slot) | u64::from(held) << slot;
                });
            }
        }
        class::JMP if insn.code == insn::CALL => {
            after.each(|places| places.registers &= !SCRATCH);
            after.saved.set(0, insn.src == 0 && insn.imm == TASK_PT_REGS);
        }
        _ => {}
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insn(code: u8, dst: u8, src: u8, off: i16) -> Insn {
        Insn { code, dst, src, off, imm: 0 }
    }

    fn load(dst: u8, src: u8, off: i16) -> Insn {
        insn(0x79, dst, src, off)
    }

    const EXIT: Insn = Insn { code: 0x95, dst: 0, src: 0, off: 0, imm: 0 };

    /// The first read of functions whose calls are by number in `imm`.
    fn read(given: Given, functions: &[&[Insn]], relocated: &[(u32, u32)]) -> Option<(u32, u32)> {
        let relocated: BTreeSet<_> = relocated.iter().copied().collect();
        let code = |function: u32| {
            let insns = functions.get(function as usize)?.to_vec();
            let calls = (0..).zip(&insns).filter(|(_, i)| i.code == insn::CALL && i.src == insn::PSEUDO_CALL);
            let calls = calls.map(|(at, i)| (at, i.imm as u32)).collect();
            let addresses = (0..).zip(&insns).filter(|(_, i)| i.is_ld_imm64() && i.src == insn::PSEUDO_FUNC);
            let addresses = addresses.map(|(at, i)| (at, i.imm as u32)).collect();
            Some(Code { insns, calls, addresses, relocated: &relocated })
        };
        first_read(0, given, &code)
    }

    #[test]
    fn copies_of_the_context_are_followed_along_every_way() {
        let code = [
            insn(0xbf, 6, 1, 0), // r6 = r1
            insn(0x15, 2, 0, 2), // if r2 == 0 goto +2
            insn(0xb7, 1, 0, 0), // r1 = 0
            insn(0x85, 0, 0, 0), // a call
            load(2, 6, 16),      // both ways have it in r6
            load(2, 1, 8),       // one way has something else in r1
            EXIT,
            load(2, 6, 0), // nothing comes here
        ];
        assert_eq!(read(Given::Registers, &[&code], &[]), Some((0, 4)));
        assert_eq!(read(Given::Registers, &[&code], &[(0, 4)]), None);
        // in a raw tracepoint that is an argument
        assert_eq!(read(Given::Pointer, &[&code], &[]), None);
    }

    #[test]
    fn the_stack_and_subprograms_have_it_too() {
        let entry = [
            insn(0x7b, 10, 1, -16), // *(u64 *)(r10 - 16) = r1
            insn(0x85, 0, 0, 0),    // a helper
            load(1, 10, -16),       // r1 = *(u64 *)(r10 - 16)
            Insn { code: insn::CALL, dst: 0, src: insn::PSEUDO_CALL, off: 0, imm: 1 },
            EXIT,
        ];
        let callee = [insn(0xb7, 0, 0, 0), load(0, 1, 8), EXIT];
        assert_eq!(read(Given::Registers, &[&entry, &callee], &[]), Some((1, 1)));
        let mut other = entry;
        other[1] = insn(0x7b, 10, 2, -16); // something else in its place
        assert_eq!(read(Given::Registers, &[&other, &callee], &[]), None);
    }

    #[test]
    fn a_callback_has_what_is_passed_on_to_it() {
        let address = Insn { code: 0x18, dst: 2, src: insn::PSEUDO_FUNC, off: 0, imm: 1 };
        let helper = |imm| Insn { code: insn::CALL, dst: 0, src: 0, off: 0, imm };
        let entry = |imm| [insn(0xbf, 3, 1, 0), address, insn(0, 0, 0, 0), helper(imm), EXIT];
        let callee = [load(0, 2, 8), EXIT];
        assert_eq!(read(Given::Registers, &[&entry(181), &callee], &[]), Some((1, 0)));
        // of a map's elements it is the fourth argument, and the second is a key
        assert_eq!(read(Given::Registers, &[&entry(164), &callee], &[]), None);
    }

    #[test]
    fn registers_of_a_task_are_asked_for_in_any_program() {
        let helper = |imm| Insn { code: insn::CALL, dst: 0, src: 0, off: 0, imm };
        let code = |imm| [helper(imm), load(1, 0, 8), EXIT];
        assert_eq!(read(Given::Nothing, &[&code(175)], &[]), Some((0, 1)));
        assert_eq!(read(Given::Nothing, &[&code(175)], &[(0, 1)]), None);
        assert_eq!(read(Given::Nothing, &[&code(158)], &[]), None);
    }

    #[test]
    fn registers_behind_a_pointer_are_read_by_helpers_or_directly() {
        let helper = |imm| Insn { code: insn::CALL, dst: 0, src: 0, off: 0, imm };
        let code = |last: Insn| [load(3, 1, 0), insn(0x07, 3, 0, 0), last, EXIT];
        assert_eq!(read(Given::Pointer, &[&code(helper(113))], &[]), Some((0, 2)));
        assert_eq!(read(Given::Pointer, &[&code(load(0, 3, 8))], &[]), Some((0, 2)));
        // relocation finds the place
        assert_eq!(read(Given::Pointer, &[&code(helper(113))], &[(0, 1)]), None);
        // handed to a helper that does not read there
        assert_eq!(read(Given::Pointer, &[&code(helper(14))], &[]), None);
        // the second argument, a number
        let second = [load(3, 1, 8), helper(113), EXIT];
        assert_eq!(read(Given::Pointer, &[&second], &[]), None);
    }
}
