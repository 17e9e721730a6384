//! What programs attach to by its type in the kernel's BTF: the ids that travel in a target, and what a kernel cannot attach
//! at all, as far as its types and its configuration show it.
//! Source: `libbpf_find_attach_btf_id` and `btf_get_kernel_prefix_kind`, libbpf `src/libbpf.c`.

use super::collect::Collected;
use super::kconfig::kernel_version;
use super::write::Section;
use super::{Kernel, devices};
use anyhow::Result;
use corelet_core::btf::Kind;
use corelet_core::object::sec_name::{SecName, kernel_type};
use corelet_core::pack::{Arch, Attach, AttachId, Decision, section};
use corelet_core::relo::TargetTypes;

/// `BPF_PROG_TYPE_EXT`, which attaches to another program and not to the kernel.
pub(super) const EXT: u32 = 28;
/// `BPF_PROG_TYPE_LSM`
const LSM: u32 = 29;
/// `BPF_TRACE_UPROBE_MULTI`, in whose place the loader attaches to each function apart where the kernel lacks it.
const UPROBE_MULTI: u32 = 48;
/// `enum bpf_attach_type` of what goes through a trampoline: fentry, fexit, fmod_ret, LSM (on tasks, in cgroups), fsession; of several
/// functions fentry, fexit, fsession.
const TRAMPOLINES: [u32; 9] = [24, 25, 26, 27, 43, 58, 59, 60, 61];

/// Section `ATTACH_IDS` of a target: without records where the types are not the kernel's own, or all programs attach by
/// other ways. What a module has is looked up on the device.
pub(super) fn section(
    owner: u16,
    c: &Collected<'_>,
    decisions: &[Decision],
    kernel: &Kernel<'_>,
) -> Result<Section> {
    let loaded = (0u16..).zip(&c.programs).zip(decisions).filter(|(_, d)| !matches!(d, Decision::Skip(_)));
    let ids = loaded.filter_map(|((program, (_, sec)), _)| Some(AttachId { program, id: id(sec, kernel)? }));
    Section::records(section::ATTACH_IDS, owner, ids)
}

fn id(sec: &SecName<'_>, kernel: &Kernel<'_>) -> Option<corelet_core::TypeId> {
    let (Attach::Trace { module: "", name } | Attach::Place { hook: name, .. }) = sec.attach else {
        return None;
    };
    if name.is_empty() || !kernel.own_types || sec.prog_type == EXT {
        return None;
    }
    let (prefix, is_typedef) = kernel_type(sec.expected_attach_type);
    let kind = if is_typedef { Kind::Typedef } else { Kind::Func };
    let own = kernel.types.btf();
    own.find(&format!("{prefix}{name}"), kind).map(|t| t.id)
}

/// Why the kernel cannot attach what `sec` says; `None` where only trying tells.
pub(super) fn impossible(sec: &SecName<'_>, kernel: &Kernel<'_>) -> Option<String> {
    let btf = kernel.types.btf();
    let has = |of: &str, number: u32| {
        let Some(t) = btf.find(of, Kind::Enum) else { return true };
        t.enumerators().any(|e| e.value as u32 == number && !btf.string(e.name_off).starts_with("__MAX"))
    };
    if let Some(why) = devices::impossible(sec, kernel) {
        return Some(why);
    }
    if !has("bpf_prog_type", sec.prog_type) {
        return Some(format!("the kernel has no programs of type {}", sec.prog_type));
    }
    // those of devices are attached in another way where the type of attachment is not there
    let other_ways = sec.expected_attach_type == UPROBE_MULTI || matches!(sec.attach, Attach::Device { .. });
    if !other_ways && !has("bpf_attach_type", sec.expected_attach_type) {
        return Some(format!("the kernel has no attach type {}", sec.expected_attach_type));
    }
    let (module, name) = match sec.attach {
        Attach::Trace { module, name } => (module, name),
        Attach::Place { hook, .. } if !hook.is_empty() => ("", hook),
        _ => return None,
    };
    if sec.prog_type == EXT {
        return None;
    }
    if kernel.has_btf() == Some(false) {
        return Some("the kernel has no types of its own (CONFIG_DEBUG_INFO_BTF)".to_owned());
    }
    if TRAMPOLINES.contains(&sec.expected_attach_type)
        && let Some(since) = without_trampolines(kernel)
    {
        return Some(format!("{since}, which attaching there takes"));
    }
    // hooks are the kernel's own; anything else may be of a module that the PC does not know
    let is_own = module.is_empty() && sec.prog_type == LSM;
    (is_own && kernel.own_types && id(sec, kernel).is_none())
        .then(|| format!("the kernel has no hook `{name}`"))
}

/// What is to be said of a kernel without BPF trampolines: `arch_prepare_bpf_trampoline` of `arch/*/net/bpf_jit_comp*.c`.
fn without_trampolines(kernel: &Kernel<'_>) -> Option<&'static str> {
    let version = kernel_version(kernel.release, kernel.version).ok()?;
    let before = |major: u32, minor: u32| version < major << 16 | minor << 8;
    match kernel.arch {
        Arch::Arm => Some("32-bit ARM has no BPF trampolines"),
        Arch::Aarch64 if before(6, 0) => Some("AArch64 has BPF trampolines from Linux 6.0 on"),
        Arch::Riscv64 if before(6, 3) => Some("RISC-V has BPF trampolines from Linux 6.3 on"),
        Arch::X86_64 if before(5, 5) => Some("x86-64 has BPF trampolines from Linux 5.5 on"),
        _ => None,
    }
}
