//! The argument of `--target`: a kernel, and what its file does not say of it.

use super::inputs::Target;
use crate::btf::OwnedBtf;
use crate::btf::modules::{self, Module};
use crate::exit::Failure;
use crate::kernel::{Arch as KernelArch, Config};
use crate::pack::{Input, Kernel, WithModules};
use crate::subset::KernelTypes;
use anyhow::{Context, Result, bail};
use corelet_boards::modules::{Modules, Place};
use corelet_core::pack::Arch;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// `FILE[,config=FILE][,modules=DIR]…[,release=TEXT][,version=TEXT][,arch=NAME][,build-id=HEX]`
#[derive(Clone, Debug, Default)]
pub struct TargetArg {
    file: PathBuf,
    config: Option<PathBuf>,
    modules: Vec<PathBuf>,
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

    /// The same, with a folder of its modules.
    pub fn with_modules(mut self, folder: &Path) -> Self {
        self.modules.push(folder.to_owned());
        self
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
                Some(("modules", v)) => arg.modules.push(v.into()),
                Some(("release", v)) => arg.release = Some(v.to_owned()),
                Some(("version", v)) => arg.version = Some(v.to_owned()),
                Some(("arch", v)) => arg.arch = Some(v.to_owned()),
                Some(("build-id", v)) => {
                    arg.build_id = Some(hex(v).ok_or("build-id takes hexadecimal digits")?)
                }
                _ => {
                    return Err(format!(
                        "`{part}`: expected config=, modules=, release=, version=, arch= or build-id= behind the file"
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
    modules: Option<Modules>,
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
        let config = match &arg.config {
            Some(path) => Some(Config::read(path)?),
            None => target.kernel.config().with_context(|| shown.to_string())?,
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
        let modules = match arg.modules.is_empty() {
            true => None,
            false => Some(Modules::list(&of_release(&arg.modules, &release))?),
        };
        Ok(Opened { build_id, release, version, arch, config, modules, target })
    }

    /// The kernel's types with those of each set of modules that a manifest of `inputs` names; none where it is not known
    /// where the modules are.
    fn join(&self, kernel: &Arc<OwnedBtf>, inputs: &[Input]) -> Result<Vec<Joined>> {
        let mut sets: Vec<Joined> = Vec::new();
        let Some(here) = &self.modules else { return Ok(sets) };
        for manifest in inputs.iter().map(|input| &input.manifest).filter(|m| !m.modules.is_empty()) {
            if sets.iter().any(|set| set.named == manifest.modules) {
                continue;
            }
            let mut files = Vec::new();
            for name in &manifest.modules {
                match here.find(name).with_context(|| format!("{}: modules", manifest.file))? {
                    Place::File(path) => files.push(Module::open(path, name, Some(&self.release))?),
                    Place::BuiltIn(list) => of_this_kernel(list, &self.release)?,
                }
            }
            let types = modules::join(Arc::clone(kernel), &files)?;
            sets.push(Joined { named: manifest.modules.clone(), files, types });
        }
        Ok(sets)
    }
}

/// A kernel's types with those of the modules `named`.
struct Joined {
    named: Vec<String>,
    files: Vec<Module>,
    types: modules::WithModules,
}

impl Joined {
    fn index(&self) -> KernelTypes<'_> {
        KernelTypes::with_modules(self.types.btf.view(), &self.types.first)
    }
}

/// Whether a `modules.builtin` is this kernel's: where it is installed, its folder is named by the release.
fn of_this_kernel(list: &Path, release: &str) -> Result<()> {
    let mut above = list.ancestors().skip(1).map(|folder| folder.file_name().unwrap_or_default());
    let folder = above.next().unwrap_or_default();
    if above.next().is_some_and(|name| name == "modules") && folder != release {
        bail!("{}: is of the kernel {}, not of {release}", list.display(), folder.display());
    }
    Ok(())
}

/// In each folder the one of this release's modules, where it is the root of a file system or a package, or `lib/modules`.
fn of_release(folders: &[PathBuf], release: &str) -> Vec<PathBuf> {
    let within = |folder: &PathBuf| {
        let places = ["lib/modules", "usr/lib/modules", ""].map(|place| folder.join(place).join(release));
        places.into_iter().find(|place| place.is_dir()).unwrap_or_else(|| folder.clone())
    };
    folders.iter().map(within).collect()
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

/// Calls `f` with all kernels, for objects whose manifests name no modules.
pub fn with_kernels<R>(opened: &[Opened], f: impl FnOnce(&[Kernel<'_>]) -> Result<R>) -> Result<R> {
    with_modules(opened, &[], f)
}

/// Calls `f` with all kernels, and the types of the modules that the manifests of `inputs` name.
///
/// # Errors
/// A module that is not there or does not belong to the kernel; else those of `f`.
pub fn with_modules<R>(
    opened: &[Opened],
    inputs: &[Input],
    f: impl FnOnce(&[Kernel<'_>]) -> Result<R>,
) -> Result<R> {
    let btfs = opened.iter().map(|o| Ok(Arc::new(o.target.owned_btf()?))).collect::<Result<Vec<_>>>()?;
    let types: Vec<KernelTypes<'_>> = btfs.iter().map(|b| KernelTypes::new(b.view())).collect();
    let joined = opened.iter().zip(&btfs).map(|(o, btf)| o.join(btf, inputs)).collect::<Result<Vec<_>>>()?;
    let indexed: Vec<Vec<KernelTypes<'_>>> =
        joined.iter().map(|sets| sets.iter().map(Joined::index).collect()).collect();
    let sets: Vec<Vec<WithModules<'_>>> = (joined.iter().zip(&indexed))
        .map(|(sets, types)| {
            let with = sets.iter().zip(types);
            with.map(|(set, types)| WithModules { named: &set.named, types, modules: &set.files }).collect()
        })
        .collect();
    let kernels: Vec<Kernel<'_>> = (opened.iter().zip(&types).zip(&btfs).zip(&sets))
        .map(|(((o, types), btf), modules)| Kernel {
            types,
            modules,
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
