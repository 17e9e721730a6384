//! The argument of `--target`: a kernel, and what its file does not say of it.

use super::inputs::Target;
use super::target_modules::{Joined, file_of, join, list};
use crate::btf::OwnedBtf;
use crate::btf::modules::Module;
use crate::exit::Failure;
use crate::kernel::config::Value;
use crate::kernel::{Arch as KernelArch, Config, Identity, files, packaged};
use crate::pack::{Input, Kernel, TypeIds, WithModules};
use crate::subset::KernelTypes;
use anyhow::{Context, Result, bail, ensure};
use corelet_boards::Progress;
use corelet_boards::modules::Modules;
use corelet_core::pack::Arch;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// `FILE[,btf=FILE][,config=FILE][,modules=DIR]…[,release=TEXT][,version=TEXT][,arch=NAME][,build-id=HEX]`
#[derive(Clone, Debug, Default)]
pub struct TargetArg {
    file: PathBuf,
    btf: Option<PathBuf>,
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

    /// The kernel's types, and those of the modules `named` of which it has files; what is built in is in the kernel's own.
    ///
    /// # Errors
    /// A file cannot be read or has no types; a module that is not there or of another kernel; nothing says where modules are.
    pub(crate) fn types(&self, named: &[String]) -> Result<Target> {
        let mut target = Target::open(self.btf.as_deref().unwrap_or(&self.file))?;
        if named.is_empty() {
            return Ok(target);
        }
        let said = || target.kernel.identity().release.clone();
        let release = self.release.clone().or_else(said).unwrap_or_default();
        let Some(here) = list(&self.module_folders(&release), &release)? else {
            let shown = self.file.display();
            let message =
                format!("{shown}: nothing says where its modules are: add ,modules=FOLDER behind it");
            return Err(Failure::usage(message));
        };
        for name in named {
            if let Some(path) = file_of(&here, name, &release)? {
                target.add(Module::open(path, name, (!release.is_empty()).then_some(&*release))?);
            }
        }
        Ok(target)
    }

    /// Where its modules may be. A folder has them where its kernel is.
    fn module_folders(&self, release: &str) -> Vec<PathBuf> {
        match self.modules.is_empty() {
            true => files::modules(&self.file, release).into_iter().collect(),
            false => self.modules.clone(),
        }
    }

    /// Whether something is said of where its modules are.
    pub(crate) fn has_modules(&self) -> bool {
        !self.modules.is_empty() || self.file.is_dir()
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
        let file = parts.next().unwrap_or_default();
        let first = file.split_once('=').map(|(first, _)| first);
        if first.is_some_and(|first| !first.contains('/')) && !Path::new(file).exists() {
            return Err(format!(
                "`{file}`: the kernel's file comes first, without a label, and what it does not say behind it: \
                 FILE[,KEY=VALUE]…"
            ));
        }
        let mut arg = TargetArg { file: file.into(), ..TargetArg::default() };
        for part in parts {
            match part.split_once('=') {
                Some(("btf", v)) => arg.btf = Some(v.into()),
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
                        "`{part}`: expected btf=, config=, modules=, release=, version=, arch= or build-id= behind the file"
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

/// The option of a kernel that has BTF of its own.
const BTF_OPTION: &str = "CONFIG_DEBUG_INFO_BTF";

/// An opened target.
pub struct Opened {
    target: Target,
    /// The file that the types are in, where it is another one.
    types: Option<Target>,
    config: Option<Config>,
    modules: Option<Modules>,
    build_id: Vec<u8>,
    release: String,
    version: String,
    arch: Arch,
    /// Bytes, where the architecture or the file says it: BTF only lets it be guessed.
    pointer_size: Option<u8>,
}

impl Opened {
    /// Opens the kernel and gathers who it is.
    pub fn open(arg: &TargetArg) -> Result<Opened> {
        let types = arg.btf.as_deref().map(Target::open).transpose()?;
        Opened::gather(arg, Target::open(&arg.file)?, types)
    }

    /// Opens a kernel of Debian's packages: who it is by its image, its types from where [`packaged::converted`] has them.
    ///
    /// # Errors
    /// As [`packaged::converted`].
    pub fn packaged(kernel: &corelet_boards::Kernel, progress: &mut dyn Progress) -> Result<Opened> {
        let target = Target::open(&kernel.image)?;
        let types = packaged::converted(kernel, &target.kernel, progress)?;
        let types = types.as_deref().map(Target::open).transpose()?;
        Opened::gather(&TargetArg::new(&kernel.image, kernel.config.as_deref()), target, types)
    }

    /// Whether the kernel itself has no types: they were found elsewhere.
    pub fn is_without_btf(&self) -> bool {
        self.types.is_some()
    }

    /// Whether the ids that the types have in their file are the kernel's.
    fn type_ids(&self) -> TypeIds {
        let has_btf = self.config.as_ref().map(|config| config.get(BTF_OPTION) == Some(&Value::Yes));
        match &self.types {
            Some(types) => match self.target.kernel.btf() {
                Ok(own) if types.kernel.btf().is_ok_and(|btf| btf == own) => TypeIds::Kernels,
                _ => TypeIds::Others,
            },
            None if !self.target.kernel.is_raw_btf() => TypeIds::Kernels,
            // such a kernel can have no other
            None if has_btf == Some(false) => TypeIds::Others,
            None => TypeIds::Unknown,
        }
    }

    /// The kernel's build id; empty where it is not known.
    pub fn build_id(&self) -> &[u8] {
        &self.build_id
    }

    fn gather(arg: &TargetArg, target: Target, types: Option<Target>) -> Result<Opened> {
        let shown = arg.file.display();
        let id = target.kernel.identity();
        if let Some(types) = &types {
            same_kernel(types.kernel.identity(), id)
                .with_context(|| format!("{}: not the types of {shown}", types.name()))?;
        }
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
        let given = arg.arch.as_deref().and_then(KernelArch::from_machine);
        let pointer_size = given.map(KernelArch::pointer_size).or(id.pointer_size);
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
        let modules = list(&arg.module_folders(&release), &release)?;
        Ok(Opened { build_id, release, version, arch, config, modules, types, target, pointer_size })
    }

    /// The types, with the kernel's pointer size.
    fn btf(&self) -> Result<OwnedBtf> {
        let btf = self.types.as_ref().unwrap_or(&self.target).owned_btf()?;
        Ok(match self.pointer_size {
            Some(size) => btf.with_pointer_size(size),
            None => btf,
        })
    }
}

/// Refuses the types of another kernel, as far as their file says whose they are. A vmlinux says it all, raw BTF its byte
/// order and the size of a `long`.
fn same_kernel(types: &Identity, kernel: &Identity) -> Result<()> {
    fn differ<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
        matches!((a, b), (Some(a), Some(b)) if a != b)
    }
    ensure!(!differ(&types.endianness, &kernel.endianness), "the byte order is another");
    ensure!(!differ(&types.arch, &kernel.arch), "the architecture is another");
    if let (Some(long), Some(pointer)) = (types.pointer_size, kernel.pointer_size) {
        ensure!(long == pointer, "{long} bytes to a long, but {pointer} to a pointer of the kernel");
    }
    if let (Some(theirs), Some(own)) = (&types.build_id, &kernel.build_id) {
        ensure!(theirs == own, "build id {theirs}, the kernel's is {own}");
    }
    ensure!(!differ(&types.release, &kernel.release), "the release is another");
    Ok(())
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
    let btfs = opened.iter().map(|o| Ok(Arc::new(o.btf()?))).collect::<Result<Vec<_>>>()?;
    let types: Vec<KernelTypes<'_>> = btfs.iter().map(|b| KernelTypes::new(b.view())).collect();
    let joined = opened
        .iter()
        .zip(&btfs)
        .map(|(o, btf)| join(btf, &o.release, o.modules.as_ref(), inputs))
        .collect::<Result<Vec<_>>>()?;
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
            type_ids: o.type_ids(),
            build_id: &o.build_id,
            release: &o.release,
            version: &o.version,
            arch: o.arch,
            config: o.config.as_ref(),
            own_types: !o.is_without_btf(),
        })
        .collect();
    f(&kernels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::BuildId;
    use corelet_core::Endian;

    #[test]
    fn types_of_another_kernel_are_refused_by_what_is_known() {
        let kernel = Identity {
            release: Some("6.12.1-armmp".to_owned()),
            build_id: BuildId::new(&[1; 20]),
            arch: Some(KernelArch::Arm),
            pointer_size: Some(4),
            endianness: Some(Endian::Little),
            ..Identity::default()
        };
        // raw BTF says little, and a vmlinux all of it
        let raw = Identity { pointer_size: Some(4), endianness: Some(Endian::Little), ..Identity::default() };
        same_kernel(&raw, &kernel).unwrap();
        same_kernel(&kernel, &kernel).unwrap();
        for (types, word) in [
            (Identity { pointer_size: Some(8), ..raw.clone() }, "8 bytes to a long"),
            (Identity { endianness: Some(Endian::Big), ..raw.clone() }, "byte order"),
            (Identity { build_id: BuildId::new(&[2; 20]), ..kernel.clone() }, "build id 0202"),
            (Identity { arch: Some(KernelArch::Aarch64), ..raw.clone() }, "architecture"),
            (Identity { release: Some("6.12.2-armmp".to_owned()), ..raw }, "release"),
        ] {
            let error = same_kernel(&types, &kernel).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_types_may_be_in_another_file() {
        let arg: TargetArg = "vmlinuz,btf=k.btf,config=c".parse().unwrap();
        assert_eq!((arg.btf.as_deref(), arg.config.as_deref()), (Some("k.btf".as_ref()), Some("c".as_ref())));
        assert!("a-b=vmlinuz".parse::<TargetArg>().unwrap_err().contains("without a label"));
        assert!("./a-b=vmlinuz".parse::<TargetArg>().is_ok());
        assert!("vmlinuz,types=k.btf".parse::<TargetArg>().unwrap_err().contains("btf="));
    }
}
