//! Values of configuration externs on a target: the contents of its `.kconfig` map.
//! Source: `bpf_object__resolve_externs`, `set_kcfg_value_*` and `get_kernel_version`, libbpf `src/libbpf.c`. The values
//! come from the kernel's image and `.config` on the PC, where libbpf reads files of the running system.

use crate::kernel::Config;
use crate::kernel::config::Value;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::Endian;
use corelet_core::btf::{Btf, Kind};
use corelet_core::object::{Extern, ExternKind, KconfigType};
use corelet_core::pack::Arch;

/// What is known of a kernel beside its types.
pub(super) struct Facts<'x> {
    pub(super) release: &'x str,
    pub(super) version: &'x str,
    pub(super) arch: Arch,
    pub(super) config: Option<&'x Config>,
    pub(super) btf: &'x Btf<'x>,
}

/// The image of `.kconfig` for `externs` on the kernel of `facts`, in byte order `endian`.
pub(super) fn image(externs: &[Extern<'_>], facts: &Facts<'_>, endian: Endian) -> Result<Vec<u8>> {
    let mut image = Vec::new();
    for e in externs {
        let ExternKind::Kconfig { offset, size, value } = e.kind else { continue };
        let bytes = value_of(e, facts, value, size as usize, endian)
            .with_context(|| format!("extern {} __kconfig", e.name))?;
        image.resize(image.len().max(offset as usize), 0);
        image.extend(bytes);
    }
    Ok(image)
}

fn value_of(
    e: &Extern<'_>,
    facts: &Facts<'_>,
    ty: KconfigType,
    size: usize,
    endian: Endian,
) -> Result<Vec<u8>> {
    if let Some(name) = e.name.strip_prefix("LINUX_") {
        let number = match name {
            "KERNEL_VERSION" => kernel_version(facts.release, facts.version)?.into(),
            "HAS_BPF_COOKIE" => has_cookie(facts.btf).into(),
            // ours: it chooses among the registers of corelet_tracing.h; libbpf leaves it 0, where it is weak
            "ARCH" => facts.arch.machine().into(),
            "HAS_SYSCALL_WRAPPER" => has_syscall_wrapper(facts).into(),
            _ if e.weak => 0,
            _ => bail!(
                "no such value is known; libbpf has KERNEL_VERSION, HAS_BPF_COOKIE and HAS_SYSCALL_WRAPPER, corelet ARCH too"
            ),
        };
        return number_bytes(number, ty, size, endian);
    }
    ensure!(e.name.starts_with("CONFIG_"), "neither CONFIG_ nor LINUX_, so nothing can say its value");
    let Some(config) = facts.config else {
        ensure!(
            e.weak,
            "the kernel's configuration is not known: give it with config=FILE behind the target"
        );
        return Ok(vec![0; size]);
    };
    match config.get(e.name) {
        // Kconfig leaves out options whose dependencies are not met, and comments those that are off
        None | Some(Value::No) if e.weak => Ok(vec![0; size]),
        None | Some(Value::No) => bail!(
            "not set in the kernel's configuration, and the extern is not weak: declare it `__kconfig __weak`, and it is 0 there"
        ),
        Some(value) => config_bytes(value, ty, size, endian),
    }
}

fn config_bytes(value: &Value, ty: KconfigType, size: usize, endian: Endian) -> Result<Vec<u8>> {
    match (value, ty) {
        (Value::Yes, KconfigType::Bool) => Ok(vec![1]),
        (Value::Yes, KconfigType::Tristate) => number_bytes(1, ty, size, endian),
        (Value::Module, KconfigType::Tristate) => number_bytes(2, ty, size, endian),
        (Value::Yes, KconfigType::Char { .. }) => Ok(vec![b'y']),
        (Value::Module, KconfigType::Char { .. }) => Ok(vec![b'm']),
        (Value::Number(n), KconfigType::Int { .. } | KconfigType::Char { .. }) => {
            number_bytes(*n, ty, size, endian)
        }
        (Value::Text(text), KconfigType::CharArray) => {
            let mut bytes = text.clone().into_bytes();
            bytes.truncate(size.saturating_sub(1));
            bytes.resize(size, 0);
            Ok(bytes)
        }
        _ => bail!("its value {value:?} does not fit the extern's type {ty:?}"),
    }
}

fn number_bytes(number: i128, ty: KconfigType, size: usize, endian: Endian) -> Result<Vec<u8>> {
    let signed = matches!(ty, KconfigType::Int { signed: true } | KconfigType::Char { signed: true });
    let bits = size as u32 * 8;
    let fits = match ty {
        KconfigType::Bool => (0..=1).contains(&number),
        KconfigType::CharArray => false,
        _ if signed => (-(1i128 << (bits - 1))..1i128 << (bits - 1)).contains(&number),
        _ => (0..1i128 << bits).contains(&number),
    };
    ensure!(fits, "its value {number} does not fit the extern's {size} bytes ({ty:?})");
    let little = (number as u128).to_le_bytes();
    let mut bytes = little[..size].to_vec();
    if endian == Endian::Big {
        bytes.reverse();
    }
    Ok(bytes)
}

/// `KERNEL_VERSION(a, b, c)`, c capped at 255. Debian's releases hide the point release; its version string has it.
pub(super) fn kernel_version(release: &str, version: &str) -> Result<u32> {
    let debian = version.split("Debian ").nth(1).and_then(three_numbers);
    let [a, b, c] = debian
        .or_else(|| three_numbers(release))
        .with_context(|| format!("release `{release}` does not begin with three numbers"))?;
    Ok((a << 16) + (b << 8) + c.min(255))
}

fn three_numbers(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// bpf_get_attach_cookie() came with the links that carry cookies (5.15).
fn has_cookie(btf: &Btf<'_>) -> bool {
    let Some(helpers) = btf.find("bpf_func_id", Kind::Enum) else { return false };
    helpers.enumerators().any(|e| btf.string(e.name_off) == "BPF_FUNC_get_attach_cookie")
}

/// Whether system calls take a `struct pt_regs`: where they do, their functions have the architecture in their names.
fn has_syscall_wrapper(facts: &Facts<'_>) -> bool {
    if let Some(config) = facts.config {
        return config.get("CONFIG_ARCH_HAS_SYSCALL_WRAPPER") == Some(&Value::Yes);
    }
    let function = match facts.arch {
        Arch::X86_64 => "__x64_sys_bpf",
        Arch::Aarch64 => "__arm64_sys_bpf",
        Arch::Riscv64 => "__riscv_sys_bpf",
        Arch::Arm => return false,
    };
    facts.btf.find(function, Kind::Func).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::OwnedBtf;
    use crate::manifest::Manifest;
    use crate::pack::{File, Input, Options, build, container};
    use corelet_core::TypeId;
    use corelet_core::pack::section;

    #[test]
    fn a_pack_says_which_externs_are_weak() {
        let bytes = include_bytes!("../../tests/progs/externs.bpf.o").to_vec();
        let input = Input { name: "externs".to_owned(), bytes, manifest: Manifest::default() };
        let built = build(&[input], &[], &Options::default()).unwrap();
        let file = container(&built.sections).unwrap();
        let file = File::whole(&file).unwrap();
        let btf = OwnedBtf::from_bytes(file.section(section::BTF, 0).unwrap().to_vec()).unwrap();
        let btf = btf.view();
        let mut names = Vec::new();
        for var in file.records::<TypeId>(section::WEAK, 0).unwrap() {
            let kconfig = btf.find(".kconfig", Kind::Datasec).unwrap();
            assert!(kconfig.vars().any(|v| v.ty == var), "{var}");
            names.push(btf.name(&btf.ty(var).unwrap()));
        }
        assert_eq!(names, ["CONFIG_HZ", "LINUX_HAS_BPF_COOKIE"]);
    }

    #[test]
    fn versions() {
        let debian = "#1 SMP Debian 5.10.218-1 (2024-06-01)";
        assert_eq!(kernel_version("5.10.0-30-cloud-arm64", debian).unwrap(), 0x0005_0ada);
        assert_eq!(kernel_version("6.12.107+deb13", "#1 SMP").unwrap(), 0x0006_0c6b);
        assert_eq!(kernel_version("4.9.337", "").unwrap(), 0x0004_09ff);
        assert!(kernel_version("6.6", "").is_err());
    }

    #[test]
    fn values_fit_their_types_or_are_refused() {
        let int = KconfigType::Int { signed: true };
        assert_eq!(number_bytes(-2, int, 4, Endian::Little).unwrap(), [0xfe, 0xff, 0xff, 0xff]);
        assert_eq!(number_bytes(0x102, int, 4, Endian::Big).unwrap(), [0, 0, 1, 2]);
        assert!(number_bytes(300, KconfigType::Char { signed: false }, 1, Endian::Little).is_err());
        assert!(config_bytes(&Value::Module, KconfigType::Bool, 1, Endian::Little).is_err());
        assert_eq!(
            config_bytes(&Value::Text("abcdef".into()), KconfigType::CharArray, 4, Endian::Little).unwrap(),
            *b"abc\0"
        );
    }
}
