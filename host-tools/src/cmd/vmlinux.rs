//! The text of a vmlinux.h: of one kernel, or of several in one.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use corelet_boards::{Board, kernel_for, on_stderr};

use crate::btf::OwnedBtf;
use crate::btf::dump::union::{Labelled, merge};
use crate::btf::dump::{Options, to_c, union_to_c};
use crate::kernel::{Identity, Kernel, packaged};

/// `[LABEL=]KERNEL`: a kernel, and what its flavors in the header are called by.
#[derive(Clone, Debug)]
pub(super) struct KernelArg {
    label: Option<String>,
    file: PathBuf,
}

impl FromStr for KernelArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_label = |label: &str| label.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
        Ok(match text.split_once('=') {
            Some((label, file)) if is_label(label) => {
                KernelArg { label: Some(label.to_owned()), file: file.into() }
            }
            _ => KernelArg { label: None, file: text.into() },
        })
    }
}

impl KernelArg {
    /// A kernel by its file alone.
    pub(super) fn of(file: &Path) -> KernelArg {
        KernelArg { label: None, file: file.to_owned() }
    }
}

/// A kernel's types and the label of its flavors.
pub(super) struct Types {
    label: String,
    btf: OwnedBtf,
    file: PathBuf,
}

/// Opens a kernel: an image, an ELF file with types, or raw BTF.
///
/// # Errors
/// As [`OwnedBtf::open`].
pub(super) fn open(arg: &KernelArg) -> Result<Types> {
    let btf = OwnedBtf::open(&arg.file)?;
    let label = match &arg.label {
        Some(label) => label.clone(),
        None => {
            let kernel = Kernel::open(&arg.file, &mut |_, _| {})?;
            label(kernel.identity()).unwrap_or_else(|| of_file(&arg.file))
        }
    };
    Ok(Types { label, btf, file: arg.file.clone() })
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
    Ok(Types { label: label(&identity).unwrap_or_else(|| of_file(Path::new(name))), btf, file })
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
    }
}
