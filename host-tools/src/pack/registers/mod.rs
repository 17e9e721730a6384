//! Programs that read registers where the compiler saw them: `ctx->regs[0]` of a struct pt_regs without relocation, as libbpf's
//! header makes of `-D__TARGET_ARCH_arm64`.
//!
//! Every architecture has registers of its own at such an offset, and the verifier takes each for a number: on another one the
//! program loads and reads something else. Such are probes of functions, returns, system calls and user space; perf events,
//! whose context begins with registers; raw tracepoints of system calls, which are given a pointer to some; and whatever asks
//! `bpf_task_pt_regs` for such a pointer. Which
//! architecture an object was compiled for its own types say, where they hold the registers, or its manifest does. Reads are
//! found by `flow.rs`.

mod flow;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use corelet_core::btf::{Btf, Kind};
use corelet_core::insn::{INSN_SIZE, Insn};
use corelet_core::object::Referent;
use corelet_core::object::sec_name::SecName;
use corelet_core::pack::{Arch, Attach};

use super::collect::Collected;
use crate::relocate::Lines;
use flow::{Code, Given};

/// `BPF_PROG_TYPE_KPROBE`: kprobes, uprobes, and probes of system calls.
const KPROBE: u32 = 2;
/// `BPF_PROG_TYPE_PERF_EVENT`: a `struct bpf_perf_event_data`, registers first.
const PERF_EVENT: u32 = 7;

/// What holds the registers in the headers of each architecture, a member that only this one's has, and its `uname -m`.
const SHAPES: [(&str, &str, &str); 12] = [
    ("user_pt_regs", "pstate", "aarch64"),
    ("pt_regs", "pstate", "aarch64"),
    ("user_regs_struct", "a0", "riscv64"),
    ("pt_regs", "epc", "riscv64"),
    ("pt_regs", "uregs", "arm"),
    ("pt_regs", "orig_ax", "x86_64"),
    ("pt_regs", "orig_rax", "x86_64"),
    ("user_pt_regs", "gprs", "s390x"),
    ("user_pt_regs", "csr_era", "loongarch64"),
    ("pt_regs", "csr_era", "loongarch64"),
    ("pt_regs", "cp0_status", "mips"),
    ("pt_regs", "gpr", "ppc64"),
];

/// The architecture that an object was compiled for, as its types show; `None` where they do not, or show several.
fn compiled_for(btf: &Btf<'_>) -> Option<&'static str> {
    let has = |name: &str, member: &str| {
        let held = btf.find(name, Kind::Struct);
        held.is_some_and(|t| t.members().any(|m| btf.string(m.name_off) == member))
    };
    let found: Vec<&str> = SHAPES.iter().filter(|(name, member, _)| has(name, member)).map(|s| s.2).collect();
    let first = *found.first()?;
    found.iter().all(|arch| *arch == first).then_some(first)
}

/// What a program of this section name is given of registers.
fn given(sec: &SecName<'_>) -> Given {
    match sec.attach {
        _ if matches!(sec.prog_type, KPROBE | PERF_EVENT) => Given::Registers,
        Attach::RawTracepoint { name: "sys_enter" | "sys_exit" }
        | Attach::Trace { name: "sys_enter" | "sys_exit", .. } => Given::Pointer,
        _ => Given::Nothing,
    }
}

/// A read of registers that no relocation covers.
struct Read<'o> {
    /// The program's function.
    entry: u32,
    program: &'o str,
    /// The function that has it.
    function: &'o str,
    insn: u32,
    source: String,
}

/// Of the programs that are loaded, the first such read of each.
fn reads<'o>(c: &Collected<'o>, chosen: &BTreeSet<u32>) -> Result<Vec<Read<'o>>> {
    let relocated: BTreeSet<(u32, u32)> = c.relos.iter().map(|(at, _)| (at.function, at.insn)).collect();
    let mut calls: BTreeMap<u32, BTreeMap<u32, u32>> = BTreeMap::new();
    let mut addresses = calls.clone();
    for r in &c.references {
        match r.to {
            Referent::Call { function } => _ = calls.entry(r.function).or_default().insert(r.insn, function),
            Referent::FunctionAddress { function } => {
                addresses.entry(r.function).or_default().insert(r.insn, function);
            }
            _ => {}
        }
    }
    let code = |function: u32| {
        let f = c.functions.get(function as usize)?;
        let (chunks, _) = f.insns.as_chunks::<INSN_SIZE>();
        let insns = chunks.iter().map(|b| Insn::decode(*b, c.object.endian())).collect();
        let of = |map: &BTreeMap<u32, BTreeMap<u32, u32>>| map.get(&function).cloned().unwrap_or_default();
        Some(Code { insns, calls: of(&calls), addresses: of(&addresses), relocated: &relocated })
    };
    let lines = Lines::of(&c.object)?;
    let mut known = BTreeSet::new();
    let mut out: Vec<Read<'o>> = Vec::new();
    for (entry, sec) in &c.programs {
        if !chosen.contains(entry) || !known.insert(*entry) {
            continue;
        }
        if let Some((function, insn)) = flow::first_read(*entry, given(sec), &code) {
            let f = &c.functions[function as usize];
            let at = lines.at(function, insn).unwrap_or_else(|| f.section_name.to_owned());
            let text = lines.text(function, insn).trim();
            let program = c.functions[*entry as usize].name;
            out.push(Read {
                entry: *entry,
                program,
                function: f.name,
                insn,
                source: format!("{at}: {text}"),
            });
        }
    }
    Ok(out)
}

impl Read<'_> {
    /// Where it is: line, function and instruction, and the program where a subprogram has it.
    fn place(&self) -> String {
        let own = self.program == self.function;
        let of = if own { String::new() } else { format!(" (called by {})", self.program) };
        format!("{}: {} insn #{}{of}", self.source, self.function, self.insn)
    }
}

/// Programs that read registers of another architecture than the kernel's, by function, with the reason against them.
pub(super) fn of_another(c: &Collected<'_>, arch: Arch, said: Option<Arch>) -> Result<BTreeMap<u32, String>> {
    match said.map(Arch::name).or_else(|| compiled_for(c.object.btf())) {
        Some(own) if own != arch.name() => {
            let all = c.programs.iter().map(|(entry, _)| *entry).collect();
            let reads = reads(c, &all)?.into_iter();
            Ok(reads.map(|r| (r.entry, format!("it reads registers where {own} has them"))).collect())
        }
        _ => Ok(BTreeMap::new()),
    }
}

/// What is to be said of such reads on a kernel of `arch`: nothing where the object was compiled for it. `said` is what the
/// manifest says of that.
///
/// # Errors
/// The object was compiled for another architecture, with the first read, its line and what to do.
pub(super) fn check(
    c: &Collected<'_>,
    chosen: &BTreeSet<u32>,
    arch: Arch,
    said: Option<Arch>,
) -> Result<Vec<String>> {
    let reads = reads(c, chosen)?;
    let Some(first) = reads.first() else { return Ok(Vec::new()) };
    const NEXT: &str = "read them by the PT_REGS names of corelet_tracing.h (corelet headers DIR), whose object serves \
                        every architecture";
    match said.map(Arch::name).or_else(|| compiled_for(c.object.btf())) {
        Some(own) if own == arch.name() => Ok(Vec::new()),
        Some(own) => bail!(
            "{} reads a register where {own} has it, without relocation: compiled for {own}, this kernel is of {}, where \
             something else lies there; {NEXT}, or compile the object for {}",
            first.place(),
            arch.name(),
            arch.name()
        ),
        None => Ok((reads.iter())
            .map(|read| {
                format!(
                    "{} reads a register at an offset of one architecture, without relocation, and the object's types do not \
                     say of which: on any but that it reads something else; {NEXT}, or say in the manifest what the object was \
                     compiled for: [object] arch = \"aarch64\"",
                    read.place()
                )
            })
            .collect()),
    }
}
