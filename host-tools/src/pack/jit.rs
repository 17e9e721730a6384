//! Programs that only the kernel's compiler (JIT) can run, where a kernel may have it off, as it is by default on 32-bit ARM and RISC-V.
//!
//! Source: `fixup_call_args` and `add_subprog_and_kfunc`, kernel `kernel/bpf/verifier.c`: "callbacks are not allowed in non-JITed
//! programs", "tail_calls are not allowed in non-JITed programs with bpf-to-bpf calls", kernel functions likewise.

use super::collect::Collected;
use crate::kernel::{Config, config::Value};
use corelet_core::insn::{self, CALL};
use corelet_core::object::Referent;
use corelet_core::pack::Arch;
use std::collections::BTreeSet;

/// Helper that calls another program: `bpf_tail_call`.
const TAIL_CALL: i32 = 12;

/// Whether a kernel may run with its compiler off, and in which words.
pub(super) fn may_be_off(arch: Arch, config: Option<&Config>) -> Option<&'static str> {
    let set = |option| config.is_some_and(|c| c.get(option) == Some(&Value::Yes));
    if set("CONFIG_BPF_JIT_ALWAYS_ON") || set("CONFIG_BPF_JIT_DEFAULT_ON") {
        return None;
    }
    match (config, arch) {
        (Some(_), _) if !set("CONFIG_BPF_JIT") => {
            Some("which this kernel is configured without (CONFIG_BPF_JIT)")
        }
        (Some(_), _) | (None, Arch::Arm | Arch::Riscv64) => Some(
            "which is off by default on this kernel: sysctl net.core.bpf_jit_enable=1 before they are loaded",
        ),
        (None, Arch::X86_64 | Arch::Aarch64) => None,
    }
}

/// The programs among `loaded`, numbers of [`Collected::programs`], that need it, each with the reason.
pub(super) fn needs(c: &Collected<'_>, loaded: impl Iterator<Item = usize>) -> Vec<String> {
    let why = |entry: u32| {
        let subprograms = c.reached(entry);
        let functions: BTreeSet<u32> = subprograms.iter().copied().chain([entry]).collect();
        let mut of = c.references.iter().filter(|r| functions.contains(&r.function)).map(|r| r.to);
        if of.clone().any(|to| matches!(to, Referent::FunctionAddress { .. })) {
            return Some("callbacks");
        }
        if of.any(|to| matches!(to, Referent::Kfunc { .. })) {
            return Some("functions of the kernel");
        }
        let calls = |f: &u32| {
            let code = c.functions[*f as usize].insns.chunks_exact(insn::INSN_SIZE);
            code.filter_map(|b| b.try_into().ok())
                .map(|b| insn::Insn::decode(b, c.object.endian()))
                .any(|i| i.code == CALL && i.src == 0 && i.imm == TAIL_CALL)
        };
        (!subprograms.is_empty() && functions.iter().any(calls)).then_some("tail calls beside subprograms")
    };
    let programs = loaded.map(|i| c.programs[i].0);
    programs.filter_map(|f| Some(format!("{} ({})", c.functions[f as usize].name, why(f)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_decides_and_without_it_the_architecture() {
        let off = |arch, config: Option<&str>| {
            let config = config.map(|text| Config::parse(text).unwrap());
            may_be_off(arch, config.as_ref()).is_some()
        };
        let on = "CONFIG_BPF_JIT=y\nCONFIG_BPF_JIT_DEFAULT_ON=y\n";
        for arch in [Arch::Riscv64, Arch::Aarch64] {
            assert!(!off(arch, Some(on)));
            assert!(off(arch, Some("CONFIG_BPF_JIT=y\n# CONFIG_BPF_JIT_DEFAULT_ON is not set\n")));
            assert!(off(arch, Some("CONFIG_BPF=y\n")));
        }
        assert!(off(Arch::Riscv64, None) && off(Arch::Arm, None) && !off(Arch::Aarch64, None));
    }

    #[test]
    fn callbacks_and_tail_calls_beside_subprograms_need_the_compiler() {
        let bytes = include_bytes!("../../../tests/maps/maps.bpf.o");
        let mut index = vec![0; crate::relocate::type_count(bytes).unwrap()];
        let object = corelet_core::object::Object::parse(bytes, &mut index).unwrap();
        let manifest = crate::manifest::Manifest::default();
        let c = Collected::new(object, &manifest).unwrap();
        let said = needs(&c, 0..c.programs.len());
        assert_eq!(said, ["callback (callbacks)"]);
    }
}
