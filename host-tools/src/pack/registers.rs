//! Probes that read registers where the compiler saw them: `ctx->regs[0]` of a struct pt_regs without relocation, as libbpf's
//! header makes of `-D__TARGET_ARCH_arm64`.
//!
//! Every architecture has registers of its own at such an offset, and the verifier takes each for a number: on another one the
//! program loads and reads something else. Which one an object was compiled for its own types say, where they hold the
//! registers. Reads are found by following which registers hold the context along all ways through a program; what is put on
//! the stack is not followed, nor what subprograms are given.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use corelet_core::btf::{Btf, Kind};
use corelet_core::insn::{self, BPF_X, INSN_SIZE, Insn, class};
use corelet_core::pack::Arch;

use super::collect::Collected;
use crate::relocate::Lines;

/// `BPF_PROG_TYPE_KPROBE`: kprobes, uprobes, and probes of system calls.
const KPROBE: u32 = 2;
const JMP32: u8 = 6;
const MOV: u8 = 0xb0;
const JA: u8 = 0x00;
const EXIT: u8 = 0x90;

/// What holds the registers in the header that libbpf has for each architecture, and a member that only this one's has.
const SHAPES: [(&str, &str, Arch); 6] = [
    ("user_pt_regs", "pstate", Arch::Aarch64),
    ("pt_regs", "pstate", Arch::Aarch64),
    ("user_regs_struct", "a0", Arch::Riscv64),
    ("pt_regs", "uregs", Arch::Arm),
    ("pt_regs", "orig_ax", Arch::X86_64),
    ("pt_regs", "orig_rax", Arch::X86_64),
];

/// The architecture that an object was compiled for, as its types show; `None` where they do not, or show several.
pub(super) fn compiled_for(btf: &Btf<'_>) -> Option<Arch> {
    let has = |name: &str, member: &str| {
        let held = btf.find(name, Kind::Struct);
        held.is_some_and(|t| t.members().any(|m| btf.string(m.name_off) == member))
    };
    let found: Vec<Arch> = SHAPES.iter().filter(|(name, member, _)| has(name, member)).map(|s| s.2).collect();
    let first = *found.first()?;
    found.iter().all(|arch| *arch == first).then_some(first)
}

/// A read of the context that no relocation covers.
struct Read<'o> {
    program: &'o str,
    insn: u32,
    source: String,
}

/// Of the programs that are loaded, the first such read of each.
fn reads<'o>(c: &Collected<'o>, chosen: &BTreeSet<u32>) -> Result<Vec<Read<'o>>> {
    let relocated: BTreeSet<(u32, u32)> =
        c.object.core_relos().map(|r| r.map(|r| (r.function, r.insn))).collect::<Result<_, _>>()?;
    let lines = Lines::of(&c.object)?;
    let mut out: Vec<Read<'o>> = Vec::new();
    for (function, sec) in &c.programs {
        let known = out.iter().any(|read| read.program == c.functions[*function as usize].name);
        if sec.prog_type != KPROBE || known || !chosen.contains(function) {
            continue;
        }
        let f = &c.functions[*function as usize];
        let (chunks, _) = f.insns.as_chunks::<INSN_SIZE>();
        let insns: Vec<Insn> = chunks.iter().map(|b| Insn::decode(*b, c.object.endian())).collect();
        let first = of_context(&insns).into_iter().find(|at| !relocated.contains(&(*function, *at)));
        if let Some(insn) = first {
            let at = lines.at(*function, insn).unwrap_or_else(|| f.section_name.to_owned());
            let text = lines.text(*function, insn).trim();
            out.push(Read { program: f.name, insn, source: format!("{at}: {text}") });
        }
    }
    Ok(out)
}

/// The loads from the context, by instruction.
fn of_context(insns: &[Insn]) -> Vec<u32> {
    // registers that hold it before each instruction, by bits; those that no way has come to yet hold everything
    let mut before = vec![u16::MAX; insns.len()];
    let mut work = vec![(0usize, 1u16 << 1)];
    while let Some((at, holds)) = work.pop() {
        let (Some(insn), Some(known)) = (insns.get(at), before.get(at)) else { continue };
        let merged = known & holds;
        if merged == *known && *known != u16::MAX {
            continue;
        }
        before[at] = merged;
        let bit = |register: u8| 1u16 << (register & 15);
        let jump = matches!(insn.class(), class::JMP | JMP32);
        let operation = insn.code & 0xf0;
        let after = match insn.class() {
            class::ALU | class::ALU64 => {
                let copies = insn.class() == class::ALU64
                    && operation == MOV
                    && insn.code & BPF_X != 0
                    && insn.off == 0
                    && merged & bit(insn.src) != 0;
                if copies { merged | bit(insn.dst) } else { merged & !bit(insn.dst) }
            }
            class::LD | class::LDX => merged & !bit(insn.dst),
            _ if jump && insn.code == insn::CALL => merged & !0x3f,
            _ => merged,
        };
        if jump && operation == EXIT {
            continue;
        }
        let step = if insn.is_ld_imm64() { 2 } else { 1 };
        if jump && insn.code != insn::CALL {
            let far = insn.class() == JMP32 && operation == JA;
            let by = if far { i64::from(insn.imm) } else { i64::from(insn.off) };
            work.extend(usize::try_from(at as i64 + 1 + by).ok().map(|to| (to, after)));
            if operation == JA {
                continue;
            }
        }
        work.push((at + step, after));
    }
    let loads = (0u32..).zip(insns.iter().zip(&before)).filter(|(_, (insn, holds))| {
        insn.class() == class::LDX && **holds != u16::MAX && **holds & (1 << (insn.src & 15)) != 0
    });
    loads.map(|(at, _)| at).collect()
}

/// What is to be said of such reads on a kernel of `arch`: nothing where the object was compiled for it.
///
/// # Errors
/// The object was compiled for another architecture, with the first read, its line and what to do.
pub(super) fn check(c: &Collected<'_>, chosen: &BTreeSet<u32>, arch: Arch) -> Result<Vec<String>> {
    let reads = reads(c, chosen)?;
    let Some(first) = reads.first() else { return Ok(Vec::new()) };
    const NEXT: &str = "read them by the PT_REGS names of corelet_tracing.h (corelet headers DIR), whose object serves \
                        every architecture";
    match compiled_for(c.object.btf()) {
        Some(own) if own == arch => Ok(Vec::new()),
        Some(own) => bail!(
            "{}: {} insn #{} reads a register where {} has it, without relocation: compiled for {}, this kernel is of {}, \
             where something else lies there; {NEXT}, or compile the object for {}",
            first.source,
            first.program,
            first.insn,
            own.name(),
            own.name(),
            arch.name(),
            arch.name()
        ),
        None => Ok((reads.iter())
            .map(|read| {
                format!(
                    "{}: {} insn #{} reads a register at an offset of one architecture, without relocation, and the object's \
                     types do not say of which: on any but that it reads something else; {NEXT}",
                    read.source, read.program, read.insn
                )
            })
            .collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_the_context_are_followed_along_every_way() {
        let insn = |code, dst, src, off| Insn { code, dst, src, off, imm: 0 };
        let load = |src, off| insn(0x79, 2, src, off);
        let code = [
            insn(0xbf, 6, 1, 0), // r6 = r1
            insn(0x15, 2, 0, 2), // if r2 == 0 goto +2
            insn(0xb7, 1, 0, 0), // r1 = 0
            insn(0x85, 0, 0, 0), // a call
            load(6, 16),         // both ways have it in r6
            load(1, 8),          // one way has something else in r1
            insn(0x95, 0, 0, 0),
            load(6, 0), // nothing comes here
        ];
        assert_eq!(of_context(&code), [4]);
    }
}
