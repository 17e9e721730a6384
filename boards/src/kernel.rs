//! The kernel of a board, out of Debian's packages or built here: image, configuration, modules.
//!
//! Up to 6.18 `linux-image-REL` holds all of it. From 6.19 it is empty and depends on `linux-binary-REL` (the image),
//! `linux-base-REL` (configuration) and `linux-modules-REL`; the last is large, so it is fetched only when asked for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::Object;

use crate::board::{Board, Build, Source};
use crate::build;
use crate::debian::Debian;
use crate::progress::Progress;

/// A kernel, ready to boot.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The image as its maker ships it (`vmlinuz`).
    pub image: PathBuf,
    /// `.config` of its build.
    pub config: Option<PathBuf>,
    /// `System.map`, where the package has more than a note that says where it is.
    pub system_map: Option<PathBuf>,
    /// `uname -r`, which is also the name of its folder of modules.
    pub release: String,
    /// The package that pattern and suite led to; of a kernel that was built here, its source.
    pub package: String,
    /// That package's version.
    pub version: String,
    arch: String,
    suite: String,
    modules: Modules,
    /// The vmlinux of a kernel that was built here.
    vmlinux: Option<PathBuf>,
}

/// Where the modules are.
#[derive(Clone, Debug)]
enum Modules {
    Here(PathBuf),
    InPackage(Source),
}

/// The newest kernel of the board's series, fetched where it is not here yet, and built if the board says so: that takes
/// minutes, once for a version of the source.
///
/// # Errors
/// As [`Debian::find`] and [`Debian::unpack`]; a package that is built otherwise than Debian's kernels are; what keeps a
/// kernel from being built, [`crate::Missing`] programs among it.
pub fn kernel_for(board: &Board, progress: &mut dyn Progress) -> Result<Kernel> {
    let debian = Debian::open()?;
    match &board.build {
        Some(build) => Kernel::built(&debian, board, build, progress),
        None => Kernel::find(&debian, &board.arch.debian, &board.kernel, progress),
    }
}

/// Debian's static busybox for an architecture (Debian's name of it), as a file.
///
/// # Errors
/// As [`Debian::file`].
pub fn busybox_static(board: &Board, progress: &mut dyn Progress) -> Result<PathBuf> {
    let debian = Debian::open()?;
    let package = debian.find(&board.arch.debian, &board.userland, progress)?;
    let folder = debian.unpack(&package, progress)?;
    let places = ["usr/bin/busybox", "bin/busybox"];
    let found = places.iter().map(|place| folder.join(place)).find(|path| path.is_file());
    found.with_context(|| format!("the package {} {} holds no busybox", package.package, package.version))
}

impl Kernel {
    /// The newest kernel that a source leads to, for an architecture by Debian's name.
    ///
    /// # Errors
    /// As [`kernel_for`].
    pub fn find(debian: &Debian, arch: &str, source: &Source, progress: &mut dyn Progress) -> Result<Self> {
        let package = debian.find(arch, source, progress)?;
        let release = package.package.strip_prefix("linux-image-").unwrap_or(&package.package).to_owned();
        let mut fetch = |prefix: &str| -> Result<Option<PathBuf>> {
            let Some(part) = package.dependency(prefix) else { return Ok(None) };
            let part = debian.find(arch, &part, progress)?;
            Ok(Some(debian.unpack(&part, progress)?))
        };
        let (image_in, base_in, modules) = match fetch("linux-binary-")? {
            Some(binary) => {
                let base = fetch("linux-base-")?.unwrap_or_else(|| binary.clone());
                let modules = package.dependency("linux-modules-").map(Modules::InPackage);
                (binary, base, modules)
            }
            None => {
                let whole = debian.unpack(&package, progress)?;
                (whole.clone(), whole, None)
            }
        };
        let file = |folder: &Path, name: &str| {
            let places = [format!("usr/lib/modules/{release}/{name}"), format!("boot/{name}-{release}")];
            places.iter().map(|place| folder.join(place)).find(|path| path.is_file())
        };
        // RISC-V's image had the other name up to 6.12
        let Some(image) = file(&image_in, "vmlinuz").or_else(|| file(&image_in, "vmlinux")) else {
            bail!("the package {} {} holds no kernel image", package.package, package.version);
        };
        let modules = modules.unwrap_or_else(|| Modules::Here(modules_folder(&image_in, &release)));
        Ok(Self {
            image,
            config: file(&base_in, "config"),
            // Debian ships a line of text in its place: the real one is with the debugging symbols.
            system_map: file(&base_in, "System.map")
                .filter(|path| fs::metadata(path).is_ok_and(|m| m.len() > 4096)),
            release,
            suite: package.suite,
            package: package.package,
            version: package.version,
            arch: arch.to_owned(),
            modules,
            vmlinux: None,
        })
    }

    /// The kernel that a board's source and options make.
    fn built(debian: &Debian, board: &Board, build: &Build, progress: &mut dyn Progress) -> Result<Self> {
        let source = debian.find(&board.arch.debian, &board.kernel, progress)?;
        let folder = build::folder(debian, &board.name, build, &source, progress)?;
        let release = folder.join(build::RELEASE);
        let release = fs::read_to_string(&release)
            .with_context(|| format!("{}: cannot read this file", release.display()))?;
        Ok(Self {
            image: folder.join(build::IMAGE),
            config: Some(folder.join(build::CONFIG)),
            system_map: Some(folder.join(build::SYSTEM_MAP)),
            release: release.trim_end().to_owned(),
            package: source.package,
            version: source.version,
            arch: source.arch,
            suite: source.suite,
            modules: Modules::Here(folder.join(build::MODULES)),
            vmlinux: Some(folder.join(build::VMLINUX)),
        })
    }

    /// The vmlinux of this kernel with its debug information: beside the image if both were built here, else out of the package of its name with `-dbg` behind it: read
    /// as a stream that stops once the file is out, about a tenth of the package (`Debian::early_file`).
    ///
    /// `build_id` is what the image says of itself. The package's hash cannot be compared when it is cut short; that it
    /// is a whole ELF file with this build id can.
    ///
    /// # Errors
    /// As [`Debian::find`] and [`Debian::early_file`]; a `-dbg` package of another version than the image's.
    pub fn vmlinux(&self, build_id: &[u8], progress: &mut dyn Progress) -> Result<PathBuf> {
        if let Some(path) = &self.vmlinux {
            same_build(path, build_id).with_context(|| path.display().to_string())?;
            return Ok(path.clone());
        }
        let debian = Debian::open()?;
        let source = Source { suites: vec![self.suite.clone()], package: format!("{}-dbg", self.package) };
        let package = debian.find(&self.arch, &source, progress)?;
        if package.version != self.version {
            bail!(
                "{} is of version {}, the kernel of {}: a mirror in the middle of an update; try again later",
                package.package,
                package.version,
                self.version
            );
        }
        let release = &self.release;
        // Up to 6.18, and from 6.19.
        let paths = [
            format!("usr/lib/debug/boot/vmlinux-{release}"),
            format!("usr/lib/debug/lib/modules/{release}/vmlinux"),
        ];
        let check = |path: &Path| same_build(path, build_id);
        let path = debian.early_file(&package, &paths, &check, progress)?;
        same_build(&path, build_id).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// The folder `lib/modules/REL` of this kernel, fetched now if it is a package of its own.
    ///
    /// # Errors
    /// As [`Debian::find`] and [`Debian::unpack`].
    pub fn modules(&self, progress: &mut dyn Progress) -> Result<PathBuf> {
        match &self.modules {
            Modules::Here(folder) => Ok(folder.clone()),
            Modules::InPackage(source) => {
                let debian = Debian::open()?;
                let package = debian.find(&self.arch, source, progress)?;
                Ok(modules_folder(&debian.unpack(&package, progress)?, &self.release))
            }
        }
    }
}

/// Whether a file is an ELF file, whole up to the last of its tables, with this build id.
fn same_build(path: &Path, build_id: &[u8]) -> Result<()> {
    let cache = object::ReadCache::new(File::open(path)?);
    let elf = object::File::parse(&cache).context("not an ELF file")?;
    match elf.build_id().context("its notes cannot be read")? {
        Some(found) if found == build_id => Ok(()),
        Some(found) => bail!("its build id is {}, that of the kernel's image {}", hex(found), hex(build_id)),
        None => bail!("it has no build id, so nothing says that it belongs to the kernel's image"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn modules_folder(unpacked: &Path, release: &str) -> PathBuf {
    let folder = unpacked.join("usr/lib/modules").join(release);
    if folder.is_dir() { folder } else { unpacked.join("lib/modules").join(release) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vmlinux_of_another_build_or_a_part_of_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |bytes: &[u8]| {
            let path = folder.path().join("vmlinux");
            fs::write(&path, bytes).unwrap();
            format!("{:#}", same_build(&path, &[7; 20]).unwrap_err())
        };
        // the test itself is an ELF file, with or without a build id as its linker pleased
        let elf = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(refused(&elf).contains("build id"));
        assert!(refused(&elf[..elf.len() / 2]).contains("ELF"));
        assert!(refused(b"hello").contains("ELF"));
        let own = std::env::current_exe().unwrap();
        let cache = object::ReadCache::new(File::open(&own).unwrap());
        if let Some(id) = object::File::parse(&cache).unwrap().build_id().unwrap() {
            same_build(&own, id).unwrap();
        }
    }
}
