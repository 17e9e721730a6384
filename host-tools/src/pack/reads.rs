//! Reads of a constant size through a relocated address, as BPF_CORE_READ makes them:
//! `bpf_probe_read_kernel(&p, 8, &task->real_parent)`.
//!
//! Relocation moves the address and resizes loads; the size that a helper is given is a constant of the compiler's, which no
//! relocation covers. Where the kernel's member is smaller (a pointer or a `long` of a 32-bit kernel), the neighbour comes
//! along: a pointer that is NULL is not, a key of a map has a second half of its own, a number that is printed is wrong.
//!
//! Found by following registers through one straight run of instructions after another: what is known ends at every target
//! of a jump. A read whose address is not known is passed over. A pointer that is read too wide and then only has the next
//! member's offset added is right, since the kernel takes the low half of an address; where its use is not seen, it is
//! reported.
//!
//! The same walk finds arrays whose elements have another size in the kernel and that are indexed by a variable: relocation finds
//! where the array begins, and how far apart its elements lie is a constant of the compiler's. Seen is an index that is scaled by
//! the size which the object's elements have (a shift or a product) and added to the array's address, before or behind its offset.

use std::collections::{BTreeMap, BTreeSet};

use corelet_core::btf::Btf;
use corelet_core::id::TypeId;
use corelet_core::insn::{self, BPF_X, INSN_SIZE, Insn, class};
use corelet_core::relo::{Observer, ReloKind, Scratch, Spec};
use serde::Serialize;

use super::ways;
use crate::explain::Place;
use crate::relocate::{Program, Relo, Verdict, Watcher};

/// A read of more bytes than the member has in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WideRead {
    /// The program or subprogram.
    pub program: String,
    /// The call, from the function's start.
    pub insn: u32,
    /// File and line, where the object says.
    pub source: Option<String>,
    /// The member, in the object's types.
    pub field: String,
    /// Bytes that are read.
    pub size: u32,
    /// Bytes of the member in the kernel.
    pub target: u32,
}

/// An element at a variable index, of an array whose elements have another size in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    /// The instruction that holds the array's offset.
    field: u32,
    /// Bytes from one to the next, in the object and in the kernel.
    local: u32,
    target: u32,
}

/// A member whose offset an instruction holds.
struct Field {
    text: String,
    source: Option<String>,
    local: u32,
    target: u32,
    /// Of an array, bytes of what each dimension has: in the object and in the kernel.
    elements: Vec<(u32, u32)>,
}

/// Watches the relocation of an object, and finds its reads afterwards.
pub(super) struct Reads<'b> {
    local: Btf<'b>,
    target: Btf<'b>,
    /// By function and instruction.
    fields: BTreeMap<(u32, u32), Field>,
}

impl<'b> Reads<'b> {
    pub(super) fn new(local: Btf<'b>, target: Btf<'b>) -> Self {
        Reads { local, target, fields: BTreeMap::new() }
    }

    /// The reads of the functions, as relocated.
    pub(super) fn find(&self, programs: &[Program]) -> Vec<WideRead> {
        let mut out = Vec::new();
        for (number, program) in (0..).zip(programs) {
            let of_function = self.fields.range((number, 0)..=(number, u32::MAX));
            let fields: BTreeMap<u32, &Field> = of_function.map(|(&(_, at), field)| (at, field)).collect();
            if fields.is_empty() {
                continue;
            }
            for (insn, at, size) in follow(&decoded(program), &fields).wide() {
                let field = fields[&at];
                out.push(WideRead {
                    program: program.name.clone(),
                    insn,
                    source: field.source.clone(),
                    field: field.text.clone(),
                    size,
                    target: field.target,
                });
            }
        }
        out
    }
}

impl Reads<'_> {
    /// Elements at variable indices of arrays whose elements have another size in the kernel, in words.
    pub(super) fn strides(&self, programs: &[Program]) -> Vec<String> {
        let mut out = Vec::new();
        for (number, program) in (0..).zip(programs) {
            let of_function = self.fields.range((number, 0)..=(number, u32::MAX));
            let fields: BTreeMap<u32, &Field> = of_function.map(|(&(_, at), field)| (at, field)).collect();
            if fields.values().all(|field| field.elements.is_empty()) {
                continue;
            }
            for step in follow(&decoded(program), &fields).steps {
                let field = fields[&step.field];
                let source = field.source.as_deref().map(|s| format!("{s}: ")).unwrap_or_default();
                out.push(format!(
                    "{source}{} insn #{} indexes {} by a variable, with {} bytes from one element to the next, which the kernel has \
                     {} bytes apart: any but the first is something else; CORELET_READ_ELEMENT(pointer, array, index) of corelet's \
                     bpf_core_read.h has the kernel's distance, and of a struct CORELET_ELEMENT(pointer, array, index), whose \
                     members BPF_CORE_READ reads",
                    program.name, step.field, field.text, step.local, step.target
                ));
            }
        }
        out
    }
}

/// Bytes of what each dimension of the array that a spec leads to has, in both types; nothing where it leads to an element or
/// to something else.
fn elements(local: (&Btf<'_>, &Spec), target: (&Btf<'_>, &Spec)) -> Vec<(u32, u32)> {
    let end = |(btf, spec): (&Btf<'_>, &Spec)| -> Option<TypeId> {
        let point = spec.points.last().filter(|point| point.named)?;
        Some(btf.ty(point.type_id).ok()?.member(point.index)?.ty)
    };
    let (Some(mut mine), Some(mut theirs)) = (end(local), end(target)) else { return Vec::new() };
    let mut out = Vec::new();
    let array = |btf: &Btf<'_>, id| btf.skip_mods(id).ok()?.array();
    while let (Some(a), Some(b)) = (array(local.0, mine), array(target.0, theirs)) {
        (mine, theirs) = (a.elem, b.elem);
        out.extend(local.0.size_of(mine).ok().zip(target.0.size_of(theirs).ok()));
    }
    out.retain(|(mine, theirs)| mine != theirs);
    out
}

impl Observer for Reads<'_> {}

impl Watcher for Reads<'_> {
    fn done(&mut self, relo: &Relo, program: &Program, scratch: &Scratch) {
        let Some(report) = program.relocations.last() else { return };
        if relo.record.kind != ReloKind::FieldByteOffset as u32 || report.outcome != Verdict::Patched {
            return;
        }
        let size = |place| match place {
            Some(Place::Field { size, bits: None, .. }) => Some(size),
            _ => None,
        };
        let local = size(Place::of(&self.local, scratch.local()));
        let target = size(Place::of(&self.target, scratch.target()));
        if let (Some(local), Some(target)) = (local, target) {
            let (text, source) = (report.spec.clone(), report.source.clone());
            let elements = elements((&self.local, scratch.local()), (&self.target, scratch.target()));
            self.fields.insert((relo.function, relo.insn), Field { text, source, local, target, elements });
        }
    }
}

fn decoded(program: &Program) -> Vec<Insn> {
    let (chunks, _) = program.insns.bytes.as_chunks::<INSN_SIZE>();
    chunks.iter().map(|c| Insn::decode(*c, program.insns.endian)).collect()
}

/// What is known of a register.
#[derive(Clone, Copy, PartialEq)]
enum Value {
    Unknown,
    Constant(i64),
    /// The offset that this instruction holds.
    Offset(u32),
    /// The address of the member whose offset this instruction holds.
    Address(u32),
    /// The frame pointer and bytes.
    Frame(i64),
    /// What this call read too wide.
    Read(u32),
    /// A variable times so many bytes.
    Scaled(i64),
    /// An address and such a product.
    Indexed(i64),
    /// The offset that this instruction holds and such a product.
    IndexedOffset(u32, i64),
}

const ADD: u8 = 0x00;
const MUL: u8 = 0x20;
const LSH: u8 = 0x60;
const RSH: u8 = 0x70;
const ARSH: u8 = 0xc0;
const MOV: u8 = 0xb0;
/// `bpf_probe_read`, `bpf_probe_read_user` and `bpf_probe_read_kernel`: destination, size, address.
const PROBE_READS: [i32; 3] = [4, 112, 113];
const FRAME_POINTER: u8 = 10;

/// A wide read, while it is followed.
struct Found {
    insn: u32,
    field: u32,
    size: u32,
    /// Used as the address of something.
    addressed: bool,
    /// Used in another way.
    valued: bool,
}

/// What there is to say of one function.
fn follow(insns: &[Insn], fields: &BTreeMap<u32, &Field>) -> State {
    let mut state = State {
        registers: [Value::Unknown; 16],
        slots: BTreeMap::new(),
        found: Vec::new(),
        steps: BTreeSet::new(),
    };
    let targets = jump_targets(insns);
    let mut second_half = false;
    for (at, insn) in (0u32..).zip(insns) {
        if std::mem::take(&mut second_half) {
            continue;
        }
        if targets.contains(&i64::from(at)) {
            state.forget();
        }
        second_half = insn.is_ld_imm64();
        state.step(at, insn, fields);
    }
    state
}

fn jump_targets(insns: &[Insn]) -> BTreeSet<i64> {
    (0i64..).zip(insns).filter_map(|(at, insn)| Some(at + 1 + ways::jump(insn)?)).collect()
}

fn operation(insn: &Insn) -> u8 {
    insn.code & 0xf0
}

struct State {
    registers: [Value; 16],
    /// By offset from the frame pointer: what the call read there.
    slots: BTreeMap<i64, u32>,
    found: Vec<Found>,
    steps: BTreeSet<Step>,
}

impl State {
    /// Calls that read too much, as instruction, instruction of the offset, and bytes read.
    fn wide(&self) -> Vec<(u32, u32, u32)> {
        let wrong = self.found.iter().filter(|f| f.valued || !f.addressed);
        wrong.map(|f| (f.insn, f.field, f.size)).collect()
    }

    /// The member whose offset instruction `field` holds is indexed with so many bytes a step.
    fn indexed(&mut self, field: u32, factor: i64, fields: &BTreeMap<u32, &Field>) {
        let of = fields[&field].elements.iter().filter(|(local, _)| i64::from(*local) == factor);
        self.steps.extend(of.map(|&(local, target)| Step { field, local, target }));
    }

    fn forget(&mut self) {
        self.registers = [Value::Unknown; 16];
        self.slots.clear();
    }

    fn get(&self, register: u8) -> Value {
        match register {
            FRAME_POINTER => Value::Frame(0),
            r => self.registers[usize::from(r & 15)],
        }
    }

    fn set(&mut self, register: u8, value: Value) {
        self.registers[usize::from(register & 15)] = value;
    }

    /// The register's value decides something other than what address is read.
    fn value_of(&mut self, register: u8) {
        if let Value::Read(call) = self.get(register) {
            self.found.iter_mut().filter(|f| f.insn == call).for_each(|f| f.valued = true);
        }
    }

    fn address_of(&mut self, value: Value) {
        if let Value::Read(call) = value {
            self.found.iter_mut().filter(|f| f.insn == call).for_each(|f| f.addressed = true);
        }
    }

    fn step(&mut self, at: u32, insn: &Insn, fields: &BTreeMap<u32, &Field>) {
        let relocated = fields.contains_key(&at);
        match insn.class() {
            class::ALU | class::ALU64 => self.arithmetic(at, insn, relocated, fields),
            class::LD => self.set(insn.dst, if relocated { Value::Offset(at) } else { Value::Unknown }),
            class::LDX => {
                let value = match self.get(insn.src) {
                    Value::Frame(from) => self.slots.get(&(from + i64::from(insn.off))).copied(),
                    address => {
                        self.address_of(address);
                        None
                    }
                };
                // part of what was read may be all that there is
                let whole = value.filter(|_| insn.mem_size() == 8);
                self.set(insn.dst, whole.map_or(Value::Unknown, Value::Read));
            }
            class::ST | class::STX => {
                if insn.class() == class::STX {
                    self.value_of(insn.src);
                }
                if let Value::Frame(from) = self.get(insn.dst) {
                    self.slots.remove(&(from + i64::from(insn.off)));
                }
                let atomic = insn.class() == class::STX && insn.code & 0xe0 == 0xc0;
                if atomic {
                    self.set(insn.src, Value::Unknown);
                    self.set(0, Value::Unknown);
                }
            }
            class::JMP | class::JMP32 if insn.code == insn::CALL => self.call(at, insn, fields),
            _ if ways::ends(insn) => self.forget(),
            _ => {
                self.value_of(insn.dst);
                if insn.code & BPF_X != 0 {
                    self.value_of(insn.src);
                }
            }
        }
    }

    fn arithmetic(&mut self, at: u32, insn: &Insn, relocated: bool, fields: &BTreeMap<u32, &Field>) {
        let (register, wide) = (insn.code & BPF_X != 0, insn.class() == class::ALU64);
        let (old, source) = (self.get(insn.dst), self.get(insn.src));
        let new = match (operation(insn), register) {
            (MOV, false) if relocated => Value::Offset(at),
            (MOV, false) => Value::Constant(insn.imm.into()),
            (MOV, true) if wide && insn.off == 0 => source,
            (ADD, false) if relocated => {
                self.address_of(old);
                if let Value::Indexed(factor) = old {
                    self.indexed(at, factor, fields);
                }
                Value::Address(at)
            }
            (ADD, false) => match old {
                Value::Constant(c) => Value::Constant(c + i64::from(insn.imm)),
                Value::Frame(from) => Value::Frame(from + i64::from(insn.imm)),
                _ => {
                    self.value_of(insn.dst);
                    Value::Unknown
                }
            },
            (ADD, true) => match (old, source) {
                (Value::Offset(field), Value::Scaled(factor))
                | (Value::Scaled(factor), Value::Offset(field)) => Value::IndexedOffset(field, factor),
                (Value::Address(field), Value::Scaled(factor))
                | (Value::Scaled(factor), Value::Address(field)) => {
                    self.indexed(field, factor, fields);
                    Value::Unknown
                }
                (Value::IndexedOffset(field, factor), base) | (base, Value::IndexedOffset(field, factor)) => {
                    self.address_of(base);
                    self.indexed(field, factor, fields);
                    Value::Unknown
                }
                (Value::Offset(field), base) | (base, Value::Offset(field)) => {
                    self.address_of(base);
                    if let Value::Indexed(factor) = base {
                        self.indexed(field, factor, fields);
                    }
                    Value::Address(field)
                }
                (Value::Scaled(factor), base) | (base, Value::Scaled(factor)) => {
                    self.address_of(base);
                    Value::Indexed(factor)
                }
                _ => {
                    self.value_of(insn.dst);
                    self.value_of(insn.src);
                    Value::Unknown
                }
            },
            // an index is extended by shifts to the left and back, the last of which may be shorter
            (LSH, false) => {
                self.value_of(insn.dst);
                Value::Scaled(1i64.checked_shl(insn.imm as u32).unwrap_or(0))
            }
            (RSH | ARSH, false) if matches!(old, Value::Scaled(_)) => match old {
                Value::Scaled(factor) => Value::Scaled(factor.checked_shr(insn.imm as u32).unwrap_or(0)),
                _ => Value::Unknown,
            },
            (MUL, false) => {
                self.value_of(insn.dst);
                Value::Scaled(insn.imm.into())
            }
            _ => {
                self.value_of(insn.dst);
                if register {
                    self.value_of(insn.src);
                }
                Value::Unknown
            }
        };
        self.set(insn.dst, new);
    }

    fn call(&mut self, at: u32, insn: &Insn, fields: &BTreeMap<u32, &Field>) {
        let read = insn.src == 0 && PROBE_READS.contains(&insn.imm);
        for argument in 1..=5 {
            if read && argument == 3 {
                self.address_of(self.get(3));
            } else {
                self.value_of(argument);
            }
            // whatever it is, it may be written to
            if let Value::Frame(from) = self.get(argument) {
                self.slots.remove(&from);
            }
        }
        if let (true, Value::Address(field), Value::Constant(size)) = (read, self.get(3), self.get(2)) {
            let known = &fields[&field];
            let size = u32::try_from(size).unwrap_or(0);
            // a read of more than the object's own member means its neighbours, on every kernel
            if size > known.target && known.target < known.local && size <= known.local {
                self.found.push(Found { insn: at, field, size, addressed: false, valued: false });
                if let Value::Frame(from) = self.get(1) {
                    self.slots.insert(from, at);
                }
            }
        }
        self.registers[..=5].fill(Value::Unknown);
    }
}
