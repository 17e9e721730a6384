//! What programs attach to and use by name, and what a kernel's types show of it: certainly absent, or hardly there.
//!
//! Certain is the absence of what the kernel itself finds by types alone (`tp_btf`, `fentry` and the like, iterators, typed
//! symbols, kfuncs), where no module can have it either. For the rest types are a sign: a tracepoint has a typedef
//! `btf_trace_NAME` where it was compiled in; a function has a FUNC, but for those that pahole leaves out and those of modules.
//! Source: `libbpf_find_attach_btf_id` and `bpf_object__resolve_ksym_func_btf_id`, libbpf `src/libbpf.c`;
//! `include/trace/bpf_probe.h` and `kernel/bpf/Kconfig` of Linux.

use super::Kernel;
use super::attach_ids::EXT;
use super::collect::Collected;
use super::kconfig::kernel_version;
use super::object::typeless;
use crate::kernel::config::Value;
use anyhow::Result;
use corelet_core::btf::{Kind, names};
use corelet_core::object::Referent;
use corelet_core::object::sec_name::{SecName, kernel_type};
use corelet_core::pack::{Arch, Attach};
use corelet_core::relo::TargetTypes;
use std::collections::BTreeSet;

/// A tracepoint that every kernel with tracepoints has: without its typedef the types tell nothing of tracepoints.
const ANY_TRACEPOINT: &str = "btf_trace_sched_switch";
/// Folders of events that no tracepoint of the name is behind: `kernel/trace/trace_*.c`, `trace_dynevent.c`.
const OTHER_EVENTS: [&str; 6] = ["ftrace", "kprobes", "uprobes", "synthetic", "eprobes", "fprobes"];

/// How sure it is that the kernel lacks something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    /// It cannot be there.
    Certain,
    /// A module may have it, or the kernel has it and no type says so.
    Likely,
}

/// What the kernel lacks of what `sec` attaches to, in words that follow "the kernel".
pub(super) fn of_attachment(sec: &SecName<'_>, kernel: &Kernel<'_>) -> Option<(Sure, String)> {
    let types = kernel.types.btf();
    let has = |name: &str, kind| types.find(name, kind).is_some();
    match sec.attach {
        Attach::Trace { module: "", name } if sec.prog_type != EXT => {
            let (prefix, is_typedef) = kernel_type(sec.expected_attach_type);
            let kind = if is_typedef { Kind::Typedef } else { Kind::Func };
            if has(&format!("{prefix}{name}"), kind) {
                return None;
            }
            let what = match prefix {
                "btf_trace_" => "tracepoint",
                "bpf_iter_" => "iterator",
                "bpf_lsm_" => "hook",
                _ => "function",
            };
            // hooks are never of a module
            let sure = match prefix {
                "bpf_lsm_" if kernel.own_types => Sure::Certain,
                _ => by_types(kernel),
            };
            Some((sure, format!("has no {what} `{name}`")))
        }
        Attach::RawTracepoint { name } if has(ANY_TRACEPOINT, Kind::Typedef) => {
            let absent = !has(&format!("btf_trace_{name}"), Kind::Typedef);
            let sure =
                if kernel.own_types && off(kernel, "CONFIG_MODULES") { Sure::Certain } else { Sure::Likely };
            absent.then(|| (sure, format!("has no tracepoint `{name}`")))
        }
        Attach::Tracepoint { category: "syscalls", name } => {
            let call = name.strip_prefix("sys_enter_").or(name.strip_prefix("sys_exit_"))?;
            (!has_syscall(call, kernel)?).then(|| (Sure::Likely, format!("has no system call `{call}`")))
        }
        Attach::Tracepoint { category, name }
            if !OTHER_EVENTS.contains(&category) && has(ANY_TRACEPOINT, Kind::Typedef) =>
        {
            let absent = !has(&format!("btf_trace_{name}"), Kind::Typedef);
            absent.then(|| (Sure::Likely, format!("has no tracepoint `{name}`")))
        }
        Attach::Ksyscall { name, .. } => {
            (!has_syscall(name, kernel)?).then(|| (Sure::Likely, format!("has no system call `{name}`")))
        }
        Attach::Kprobe { symbol, .. } if tells_functions(kernel) => {
            (!has(symbol, Kind::Func)).then(|| (Sure::Likely, format!("has no function `{symbol}`")))
        }
        _ => None,
    }
}

/// What program number `program` uses of the kernel by types, strong, and the kernel lacks; in the words of [`of_attachment`].
pub(super) fn of_references(
    c: &Collected<'_>,
    program: usize,
    kernel: &Kernel<'_>,
) -> Result<Vec<(Sure, String)>> {
    let functions = c.functions_of(std::iter::once(program));
    let mut lacks = Vec::new();
    for (name, weak, insn, function) in missing(c, &functions, kernel)? {
        if weak {
            continue;
        }
        let of = format!("`{name}`, which {} uses (insn #{insn})", c.functions[function as usize].name);
        lacks.push(match kernel.has_btf() {
            Some(false) => (
                Sure::Certain,
                format!("has no types of its own (CONFIG_DEBUG_INFO_BTF), by which it would find {of}"),
            ),
            _ => (
                by_types(kernel),
                format!("has no {of} (where it can do without: `__ksym __weak`, and bpf_ksym_exists before the use)"),
            ),
        });
    }
    Ok(lacks)
}

/// Weak symbols and functions that the kernel itself has not.
pub(super) fn weak(
    c: &Collected<'_>,
    functions: &BTreeSet<u32>,
    kernel: &Kernel<'_>,
) -> Result<BTreeSet<String>> {
    let missing = missing(c, functions, kernel)?.into_iter();
    Ok(missing.filter(|&(_, weak, ..)| weak).map(|(name, ..)| name).collect())
}

/// Instructions, with their function, that load the address of a weak symbol which the kernel lacks for certain: it is 0 there.
pub(super) fn zero(
    c: &Collected<'_>,
    functions: &BTreeSet<u32>,
    kernel: &Kernel<'_>,
) -> Result<BTreeSet<(u32, u32)>> {
    if kernel.has_btf() != Some(false) && by_types(kernel) != Sure::Certain {
        return Ok(BTreeSet::new());
    }
    let missing = missing(c, functions, kernel)?.into_iter();
    Ok(missing.filter(|&(_, weak, ..)| weak).map(|(_, _, insn, function)| (function, insn)).collect())
}

/// Name, weakness, instruction and function of each reference by type to what the kernel itself has not.
fn missing(
    c: &Collected<'_>,
    functions: &BTreeSet<u32>,
    kernel: &Kernel<'_>,
) -> Result<Vec<(String, bool, u32, u32)>> {
    let own = kernel.own_types.then(|| kernel.types.btf());
    let mut missing = Vec::new();
    for r in c.references.iter().filter(|r| functions.contains(&r.function)) {
        let (Referent::Ksym { ty, weak } | Referent::Kfunc { ty, weak }) = r.to else { continue };
        if typeless(c, ty) {
            continue;
        }
        let t = c.object.btf().ty(ty)?;
        let (name, kind) = (c.object.btf().name(&t), t.kind());
        if own.is_none_or(|own| own.find(names::essential(name), kind).is_none()) {
            missing.push((name.to_owned(), weak, r.insn, r.function));
        }
    }
    Ok(missing)
}

/// How sure it is that the kernel lacks what it finds by type and its own types have not.
fn by_types(kernel: &Kernel<'_>) -> Sure {
    let modules_without = off(kernel, "CONFIG_MODULES")
        || off(kernel, "CONFIG_DEBUG_INFO_BTF_MODULES")
        || kernel_version(kernel.release, kernel.version).is_ok_and(|version| version < 5 << 16 | 11 << 8);
    if kernel.own_types && modules_without { Sure::Certain } else { Sure::Likely }
}

/// Whether the configuration says that an option is not set; one that it does not mention may be in another part of it.
fn off(kernel: &Kernel<'_>, option: &str) -> bool {
    kernel.config.is_some_and(|config| config.get(option) == Some(&Value::No))
}

/// Whether the types name functions at all.
fn tells_functions(kernel: &Kernel<'_>) -> bool {
    kernel.types.btf().own_types().any(|t| t.kind() == Kind::Func)
}

/// Whether the kernel has the function of a system call: `SYSCALL_DEFINEx`, `arch/*/include/asm/syscall_wrapper.h`. `None` where
/// the types do not tell.
fn has_syscall(name: &str, kernel: &Kernel<'_>) -> Option<bool> {
    let wrapper = match kernel.arch {
        Arch::X86_64 => "__x64_sys_",
        Arch::Aarch64 => "__arm64_sys_",
        Arch::Riscv64 => "__riscv_sys_",
        // names that stand for another's function, of which no type tells
        Arch::Arm => return None,
    };
    let is = |name: &str| {
        let of = |prefix: &&str| kernel.types.btf().find(&format!("{prefix}{name}"), Kind::Func).is_some();
        [wrapper, "__se_sys_", "__do_sys_", "sys_"].iter().any(of)
    };
    is("read").then(|| is(name))
}
