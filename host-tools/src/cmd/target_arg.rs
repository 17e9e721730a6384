//! The argument of `--target`: a kernel, and what its file does not say of it.

use super::inputs::Target;
use crate::exit::Failure;
use crate::kernel::{Arch as KernelArch, Config};
use crate::pack::Kernel;
use crate::subset::KernelTypes;
use anyhow::{Context, Result, bail};
use corelet_core::pack::Arch;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `FILE[,config=FILE][,release=TEXT][,version=TEXT][,arch=NAME][,build-id=HEX]`
#[derive(Clone, Debug, Default)]
pub struct TargetArg {
    file: PathBuf,
    config: Option<PathBuf>,
    release: Option<String>,
    version: Option<String>,
    arch: Option<String>,
    build_id: Option<Vec<u8>>,
}

impl TargetArg {
    /// A kernel image with its configuration.
    pub fn new(file: &Path, config: Option<&Path>) -> Self {
        TargetArg { file: file.to_owned(), config: config.map(Path::to_owned), ..TargetArg::default() }
    }
}

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let mut arg = TargetArg { file: parts.next().unwrap_or("").into(), ..TargetArg::default() };
        for part in parts {
            match part.split_once('=') {
                Some(("config", v)) => arg.config = Some(v.into()),
                Some(("release", v)) => arg.release = Some(v.to_owned()),
                Some(("version", v)) => arg.version = Some(v.to_owned()),
                Some(("arch", v)) => arg.arch = Some(v.to_owned()),
                Some(("build-id", v)) => {
                    arg.build_id = Some(hex(v).ok_or("build-id takes hexadecimal digits")?)
                }
                _ => {
                    return Err(format!(
                        "`{part}`: expected config=, release=, version=, arch= or build-id= behind the file"
                    ));
                }
            }
        }
        Ok(arg)
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits.filter(|d| !d.is_empty() && d.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// An opened target.
pub struct Opened {
    target: Target,
    config: Option<Config>,
    build_id: Vec<u8>,
    release: String,
    version: String,
    arch: Arch,
}

impl Opened {
    /// Opens the kernel and gathers who it is.
    pub fn open(arg: &TargetArg) -> Result<Opened> {
        let target = Target::open(&arg.file)?;
        let shown = arg.file.display();
        let id = target.kernel.identity();
        let config = match (&arg.config, target.kernel.ikconfig()) {
            (Some(path), _) => Some(Config::read(path)?),
            (None, Some(text)) => Some(Config::parse(text).with_context(|| format!("{shown}: IKCONFIG"))?),
            (None, None) => None,
        };
        let missing = |what: &str, key: &str| {
            let message = format!(
                "{shown}: does not say the kernel's {what}, which a pack is chosen by: give the kernel's image instead of its \
                 BTF, or add ,{key}=… behind the file"
            );
            Failure::usage(message)
        };
        let arch = arg.arch.clone().or_else(|| id.arch.map(|a: KernelArch| a.name().to_owned()));
        let arch = arch.ok_or_else(|| missing("architecture", "arch"))?;
        let Some(arch) = Arch::from_machine(&arch) else {
            bail!("{shown}: architecture {arch} has no loader yet (x86_64, aarch64, arm and riscv64 have)");
        };
        let release = arg.release.clone().or_else(|| id.release.clone());
        let release = release.ok_or_else(|| missing("release", "release"))?;
        let build_id = match &arg.build_id {
            Some(given) => given.clone(),
            None => id.build_id.as_ref().map_or_else(Vec::new, |b| b.as_bytes().to_vec()),
        };
        let version = arg.version.clone().or_else(|| id.version.clone()).unwrap_or_default();
        if build_id.is_empty() {
            if version.is_empty() {
                return Err(missing("build id nor its version (`uname -v`)", "version"));
            }
            eprintln!("note: {shown}: no build id: the loader takes this target only with --allow-release");
        }
        Ok(Opened { build_id, release, version, arch, config, target })
    }
}

/// Refuses two targets that the loader could not tell apart: it would take the first and never the second.
pub(crate) fn refuse_twins(args: &[TargetArg], opened: &[Opened]) -> Result<()> {
    let same = |a: &Opened, b: &Opened| {
        let id = a.build_id == b.build_id;
        a.arch == b.arch
            && id
            && (!a.build_id.is_empty() || (&a.release, &a.version) == (&b.release, &b.version))
    };
    for (i, b) in opened.iter().enumerate() {
        if let Some(j) = opened[..i].iter().position(|a| same(a, b)) {
            let (first, second) = (args[j].file.display(), args[i].file.display());
            let message =
                format!("{second} is the same kernel as {first}, by its build id or version: give it once");
            return Err(Failure::usage(message));
        }
    }
    Ok(())
}

/// Calls `f` with all kernels.
pub fn with_kernels<R>(opened: &[Opened], f: impl FnOnce(&[Kernel<'_>]) -> Result<R>) -> Result<R> {
    let btfs = opened.iter().map(|o| o.target.owned_btf()).collect::<Result<Vec<_>>>()?;
    let types: Vec<KernelTypes<'_>> = btfs.iter().map(|b| KernelTypes::new(b.view())).collect();
    let kernels: Vec<Kernel<'_>> = (opened.iter().zip(&types).zip(&btfs))
        .map(|((o, types), btf)| Kernel {
            types,
            btf_len: btf.bytes().len(),
            build_id: &o.build_id,
            release: &o.release,
            version: &o.version,
            arch: o.arch,
            config: o.config.as_ref(),
        })
        .collect();
    f(&kernels)
}
