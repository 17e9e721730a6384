//! Which registers and stack slots hold the context, or a pointer to registers that were saved, along all ways through a
//! program: what holds it on one way and something else on another holds nothing. A function that is given the address of
//! something in its caller's frame finds there what the caller kept in it.
//!
//! Time: functions are looked at by what they are given; of one, as [`ways`] says.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use corelet_core::insn::{self, BPF_X, Insn, class};

use super::super::ways::{self, Knowledge};

const MOV: u8 = 0xb0;
const ADD: u8 = 0x00;
/// `BPF_DW` of a load or store.
const DOUBLE: u8 = 0x18;
/// R10, the frame.
const FRAME: u8 = 10;
/// Registers that a call hands over and takes: R1 to R5, and with the result R0 to R5.
const GIVEN: RangeInclusive<u8> = 1..=5;
const SCRATCH: RangeInclusive<u8> = 0..=5;
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
    /// Of the function's own frame.
    slots: u64,
    /// Of the frame that [`Address::above`] means.
    above: u64,
}

impl Places {
    fn has(self, register: u8) -> bool {
        self.registers & 1 << (register & 15) != 0
    }

    fn set(&mut self, register: u8, held: bool) {
        let bit = 1 << (register & 15);
        self.registers = if held { self.registers | bit } else { self.registers & !bit };
    }

    fn frame(&mut self, above: bool) -> &mut u64 {
        if above { &mut self.above } else { &mut self.slots }
    }

    fn and(self, other: Places) -> Places {
        Places {
            registers: self.registers & other.registers,
            slots: self.slots & other.slots,
            above: self.above & other.above,
        }
    }
}

/// An address on the stack that the compiler knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Address {
    /// In the frame of a caller, else in the function's own.
    above: bool,
    /// From that frame's R10.
    off: i64,
}

impl Address {
    /// The slot that is `off` bytes further.
    fn slot(self, off: i16) -> Option<u32> {
        let off = self.off.checked_add(off.into())?;
        (-512..0).contains(&off).then(|| (off + 512) as u32 / 8)
    }
}

/// What is held before an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    context: Places,
    /// Pointers to registers, or to a place in them that no relocation found.
    saved: Places,
    /// By register.
    addresses: [Option<Address>; 16],
}

impl State {
    /// Where nothing is held but the frame.
    fn empty() -> State {
        let mut addresses = [None; 16];
        addresses[usize::from(FRAME)] = Some(Address { above: false, off: 0 });
        State { context: Places::default(), saved: Places::default(), addresses }
    }

    fn each(&mut self, mut change: impl FnMut(&mut Places)) {
        change(&mut self.context);
        change(&mut self.saved);
    }

    fn address(&self, register: u8) -> Option<Address> {
        self.addresses[usize::from(register & 15)]
    }

    fn point(&mut self, register: u8, address: Option<Address>) {
        self.addresses[usize::from(register & 15)] = address;
    }

    /// What a function begins with to which `registers` are handed over, each as from where and to where; `None` if that is
    /// nothing. Of two frames to which they point, the nearer one's slots go along.
    fn handed(&self, registers: impl Iterator<Item = (u8, u8)> + Clone) -> Option<State> {
        let mut addresses = registers.clone().filter_map(|(from, _)| self.address(from));
        let above = !addresses.any(|address| !address.above);
        let mut handed = State::empty();
        for (places, own) in [(&mut handed.context, self.context), (&mut handed.saved, self.saved)] {
            places.above = if above { own.above } else { own.slots };
            registers.clone().for_each(|(from, to)| places.set(to, own.has(from)));
        }
        if handed.context.above | handed.saved.above != 0 {
            for (from, to) in registers {
                let address = self.address(from).filter(|address| address.above == above);
                handed.point(to, address.map(|address| Address { above: true, ..address }));
            }
        }
        if handed.addresses == State::empty().addresses {
            handed.each(|places| places.above = 0);
        }
        (handed != State::empty()).then_some(handed)
    }
}

impl Knowledge for State {
    fn and(&self, other: &State) -> State {
        let mut addresses = self.addresses;
        for (address, other) in addresses.iter_mut().zip(other.addresses) {
            *address = address.filter(|_| *address == other);
        }
        State { context: self.context.and(other.context), saved: self.saved.and(other.saved), addresses }
    }
}

/// The first read of registers at a place that no relocation found, as function and instruction, of the program that begins at
/// function `entry`.
pub(super) fn first_read<'x>(
    entry: u32,
    given: Given,
    code: &dyn Fn(u32) -> Option<Code<'x>>,
) -> Option<(u32, u32)> {
    let mut start = State::empty();
    start.context.set(1, true);
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
    let step = |at: usize, insn: &Insn, before: &State| behind(insn, *before, relocated(at), given);
    let before = ways::before(&code.insns, start, step, |_, _| None);
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
            calls.extend(state.handed(GIVEN.zip(GIVEN)).map(|handed| (callee, handed)));
        }
        let helper = CALLBACKS.iter().find(|h| insn.code == insn::CALL && insn.src == 0 && insn.imm == h.0);
        if let Some(&(_, of, passed, comes)) = helper {
            let handed = state.handed(std::iter::once((passed, comes)));
            calls.extend(handed.and_then(|handed| Some((loaded(code, at, of)?, handed))));
        }
    }
    (read, calls)
}

/// The function whose address `register` has at instruction `at`, where that was loaded shortly before.
fn loaded(code: &Code<'_>, at: usize, register: u8) -> Option<u32> {
    let before = code.insns.get(..at)?.iter().enumerate().rev();
    let writes = |insn: &Insn| !matches!(insn.class(), class::ST | class::STX | class::JMP | class::JMP32);
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
            after.point(dst, before.address(src));
        }
        // a place within them that the compiler knew
        class::ALU64 if insn.code & 0xf0 == ADD && insn.code & BPF_X == 0 && !relocated => {
            let address = before.address(dst);
            let further =
                address.and_then(|a| Some(Address { off: a.off.checked_add(insn.imm.into())?, ..a }));
            after.point(dst, further);
        }
        class::ALU | class::ALU64 | class::LD => {
            after.each(|places| places.set(dst, false));
            after.point(dst, None);
        }
        class::LDX => {
            let whole = insn.code & DOUBLE == DOUBLE;
            let address = before.address(src).filter(|_| whole);
            let slot = address.and_then(|address| Some((address.above, address.slot(insn.off)?)));
            after.each(|places| {
                let held = slot.is_some_and(|(above, slot)| *places.frame(above) >> slot & 1 == 1);
                places.set(dst, held);
            });
            after.point(dst, None);
            let first = given == Given::Pointer && before.context.has(src) && insn.off == 0 && whole;
            if first {
                after.saved.set(dst, true);
            }
        }
        class::ST | class::STX => {
            let kept = insn.class() == class::STX && insn.code & DOUBLE == DOUBLE;
            let address = before.address(dst);
            if let Some((above, slot)) = address.and_then(|a| Some((a.above, a.slot(insn.off)?))) {
                after.each(|places| {
                    let held = kept && places.has(src);
                    let slots = places.frame(above);
                    *slots = *slots & !(1 << slot) | u64::from(held) << slot;
                });
            }
        }
        class::JMP if insn.code == insn::CALL => {
            for register in SCRATCH {
                after.each(|places| places.set(register, false));
                after.point(register, None);
            }
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
    fn what_a_struct_on_the_stack_keeps_is_found_by_whom_its_address_is_given_to() {
        let address = Insn { code: 0x18, dst: 2, src: insn::PSEUDO_FUNC, off: 0, imm: 1 };
        let call = |src, imm| Insn { code: insn::CALL, dst: 0, src, off: 0, imm };
        let point = |dst, imm| [insn(0xbf, dst, 10, 0), Insn { code: 0x07, dst, src: 0, off: 0, imm }];
        // *(u64 *)(r10 - 16) = r1, and r10 - 24, where the struct begins, as the first argument
        let [copy, add] = point(1, -24);
        let entry = [insn(0x7b, 10, 1, -16), copy, add, call(insn::PSEUDO_CALL, 1), EXIT];
        let member = |register, off| [load(3, register, off), load(0, 3, 8), EXIT];
        assert_eq!(read(Given::Registers, &[&entry, &member(1, 8)], &[]), Some((1, 1)));
        assert_eq!(read(Given::Registers, &[&entry, &member(1, 0)], &[]), None);
        assert_eq!(read(Given::Registers, &[&entry, &member(2, 8)], &[]), None);
        // handed on by whom it was given to
        let on = [call(insn::PSEUDO_CALL, 2), EXIT];
        assert_eq!(read(Given::Registers, &[&entry, &on, &member(1, 8)], &[]), Some((2, 1)));
        // something else put there, by another way to the same place
        let [other, up] = point(4, -24);
        let entry = [insn(0x7b, 10, 1, -16), copy, add, other, up, insn(0x7b, 4, 2, 8), call(1, 1), EXIT];
        assert_eq!(read(Given::Registers, &[&entry, &member(1, 8)], &[]), None);
        // by a callback
        let [copy, add] = point(3, -24);
        let entry = [insn(0x7b, 10, 1, -16), copy, add, address, insn(0, 0, 0, 0), call(0, 181), EXIT];
        assert_eq!(read(Given::Registers, &[&entry, &member(2, 8)], &[]), Some((1, 1)));
        assert_eq!(read(Given::Pointer, &[&entry, &member(2, 8)], &[]), None);
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
