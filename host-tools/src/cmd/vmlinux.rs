//! The text of a vmlinux.h: of one kernel, or of several in one.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result};
use corelet_boards::{Board, kernel_for, on_stderr};

use super::inputs::Target;
use crate::btf::OwnedBtf;
use crate::btf::dump::union::{Labelled, is_label, merge};
use crate::btf::dump::{Options, to_c, union_to_c};
use crate::exit::Failure;
use crate::kernel::{Identity, packaged};

/// Before the file of a module.
const MODULE: &str = ",module=";

/// `[LABEL=]KERNEL[,module=FILE]…`: a kernel, what its flavors in the header are called by, and modules whose types come along.
#[derive(Clone, Debug)]
pub(super) struct KernelArg {
    label: Option<String>,
    file: PathBuf,
    modules: Vec<PathBuf>,
}

impl FromStr for KernelArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(MODULE);
        let kernel = parts.next().unwrap_or_default();
        let modules = parts.map(PathBuf::from).collect();
        Ok(match kernel.split_once('=') {
            Some((label, file)) if !label.contains('/') && !Path::new(kernel).exists() => {
                KernelArg { label: Some(label.to_owned()), file: file.into(), modules }
            }
            _ => KernelArg { label: None, file: kernel.into(), modules },
        })
    }
}

impl KernelArg {
    /// A kernel by its file alone.
    pub(super) fn of(file: &Path) -> KernelArg {
        KernelArg { label: None, file: file.to_owned(), modules: Vec::new() }
    }
}

/// A kernel's types and the label of its flavors.
pub(super) struct Types {
    label: String,
    btf: Arc<OwnedBtf>,
    file: PathBuf,
}

/// Opens a kernel: an image, an ELF file with types, or raw BTF; and its modules.
///
/// # Errors
/// As [`OwnedBtf::open`]; a label that is none; a module that is none, has no types, or is of another kernel.
pub(super) fn open(arg: &KernelArg) -> Result<Types> {
    let shown = arg.file.display();
    if let Some(label) = arg.label.as_deref().filter(|label| !is_label(label)) {
        return Err(Failure::usage(format!(
            "`{label}` of {label}={shown}: a label has letters, digits and single underscores; a file whose name has a = is \
             given as ./{label}={shown}"
        )));
    }
    let target = Target::with_modules(&arg.file, &arg.modules)?;
    let own = || label(target.kernel.identity()).unwrap_or_else(|| of_file(&arg.file));
    let label = arg.label.clone().unwrap_or_else(own);
    Ok(Types { label, btf: target.joined()?.btf, file: arg.file.clone() })
}

/// Opens the kernel of a board, whose package is fetched if it is not here.
///
/// # Errors
/// No such board; the package cannot be fetched; its kernel has no types.
pub(super) fn of_board(name: &str) -> Result<Types> {
    let progress = &mut *on_stderr();
    let kernel = kernel_for(&Board::find(name)?, progress)?;
    let file = packaged::types(&kernel, progress)?;
    let identity = packaged::identity(&kernel)?;
    let mut btf = OwnedBtf::open(&file)?;
    if let Some(size) = identity.pointer_size {
        btf = btf.with_pointer_size(size);
    }
    Ok(Types { label: label(&identity).unwrap_or_else(|| of_file(Path::new(name))), btf: btf.into(), file })
}

/// The header of one kernel, or of several; nothing without any.
///
/// # Errors
/// Types that cannot be printed or put together; two kernels of one label.
pub(super) fn text(kernels: &[Types], options: &Options) -> Result<Option<String>> {
    let [one] = kernels else {
        if kernels.is_empty() {
            return Ok(None);
        }
        let labelled: Vec<_> =
            kernels.iter().map(|k| Labelled { label: k.label.clone(), btf: k.btf.view() }).collect();
        return union_to_c(&merge(&labelled)?, options).map(Some);
    };
    to_c(&one.btf.view(), options).with_context(|| one.file.display().to_string()).map(Some)
}

/// `arm64_6_12`: architecture and version.
fn label(identity: &Identity) -> Option<String> {
    let arch = match identity.arch?.name() {
        "aarch64" => "arm64",
        name => name,
    };
    let mut numbers = identity.release.as_deref()?.split(|c: char| !c.is_ascii_digit());
    Some(format!("{arch}_{}_{}", numbers.next()?, numbers.next()?))
}

/// The beginning of a file's name as a label.
fn of_file(file: &Path) -> String {
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Arch;
    use crate::subset::BtfWriter;
    use corelet_core::Endian;
    use corelet_core::btf::{Btf, Kind};

    #[test]
    fn labels_are_of_architecture_and_version() {
        let of = |arch, release: &str| {
            label(&Identity { arch: Some(arch), release: Some(release.to_owned()), ..Identity::default() })
        };
        assert_eq!(of(Arch::Aarch64, "6.12.117+deb13-cloud-arm64").as_deref(), Some("arm64_6_12"));
        assert_eq!(of(Arch::Arm, "7.0-rc3").as_deref(), Some("arm_7_0"));
        assert_eq!(label(&Identity::default()), None);
        assert_eq!(of_file(Path::new("a/bpi-r4.v2__x.btf")), "bpi_r4_v2_x");
    }

    #[test]
    fn a_path_with_an_equals_sign_is_a_path() {
        let parse = |text: &str| text.parse::<KernelArg>().unwrap();
        assert_eq!(parse("a=b/c").label.as_deref(), Some("a"));
        assert_eq!(parse("d/a=b").label, None);
        assert_eq!(parse("d/a=b").file, Path::new("d/a=b"));
        assert_eq!(parse("a=b,module=c/d.ko,module=e,f").modules, [Path::new("c/d.ko"), Path::new("e,f")]);
    }

    /// `struct NAME { int MEMBER; }`, and a function NAME_f() that programs may call; behind `base`.
    fn types(base: Option<&Btf<'_>>, name: &str, member: &str) -> Vec<u8> {
        let mut w = base.map_or_else(|| BtfWriter::new(Endian::Little), BtfWriter::over);
        let int = match base {
            Some(_) => 1,
            None => w.push("int", Kind::Int, false, 0, 4, &[32 | 1 << 24]).0,
        };
        let trailing = [w.string(member), int, 0];
        w.push(name, Kind::Struct, false, 1, 4, &trailing);
        let proto = w.push("", Kind::FuncProto, false, 0, int, &[]);
        let function = w.push(&format!("{name}_f"), Kind::Func, false, 1, proto.0, &[]);
        w.push("bpf_kfunc", Kind::DeclTag, false, 0, function.0, &[u32::MAX]);
        w.finish()
    }

    #[test]
    fn types_and_functions_of_modules_come_behind_the_kernels() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path.display().to_string()
        };
        let bytes = types(None, "core", "k");
        let kernel = OwnedBtf::from_bytes(bytes.clone()).unwrap();
        let [one, two] = ["one", "two"].map(|name| file(name, &types(Some(&kernel.view()), name, "m")));
        let kernel = file("kernel", &bytes);
        let header = |args: &[String]| {
            let opened: Vec<_> = args.iter().map(|arg| open(&arg.parse().unwrap()).unwrap()).collect();
            text(&opened, &Options::default()).unwrap().unwrap()
        };
        let with = format!("a={kernel},module={one},module={two}");
        for header in [header(std::slice::from_ref(&with)), header(&[with.clone(), format!("b={kernel}")])] {
            for name in ["core", "one", "two"] {
                assert!(header.contains(&format!("struct {name} {{")), "{name}: {header}");
                assert!(header.contains(&format!("extern int {name}_f(void)")), "{name}: {header}");
            }
        }
        assert!(!header(std::slice::from_ref(&kernel)).contains("struct one"));
        let none = format!("{kernel},module={kernel}").parse().unwrap();
        let said = format!("{:#}", open(&none).err().unwrap());
        assert!(said.contains("no module of this kernel"), "{said}");
    }

    #[test]
    fn a_label_that_is_none_says_what_one_is() {
        for text in ["arm-6.12=vmlinux", "=vmlinux", "a__b=vmlinux", "_a=vmlinux"] {
            let said = open(&text.parse().unwrap()).err().unwrap().to_string();
            assert!(said.contains("letters, digits and single underscores"), "{said}");
            assert!(said.contains(&format!("./{text}")), "{said}");
        }
    }
}
