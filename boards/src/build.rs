//! A kernel built here out of Debian's `linux-source-*`: the options that a board names, and no others.
//!
//! It is kept in the cache by a hash of all that decides its bytes: source, options, compiler and linker, the commands below.
//! The build sees neither this machine's name nor its clock, folders or environment, so the same inputs give the same build id.
//!
//! Sources: Documentation/kbuild/kconfig.rst (`allnoconfig`, `KCONFIG_ALLCONFIG`), Documentation/kbuild/reproducible-builds.rst.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::board::Build;
use crate::debian::{Debian, Package};
use crate::{Missing, Progress, files};

/// Part of the hash: raised when what is done here gives other files for the same inputs.
const REVISION: u32 = 1;

/// Programs that every build takes, each with the package of Debian that holds it.
const PROGRAMS: [(&str, &str); 6] = [
    ("make", "make"),
    ("gcc", "gcc"),
    ("bc", "bc"),
    ("bison", "bison"),
    ("flex", "flex"),
    ("xz", "xz-utils"),
];

/// What each kernel's folder holds, under these names.
pub(crate) const IMAGE: &str = "vmlinuz";
pub(crate) const CONFIG: &str = "config";
pub(crate) const SYSTEM_MAP: &str = "System.map";
pub(crate) const VMLINUX: &str = "vmlinux";
pub(crate) const RELEASE: &str = "release";
/// The folder with `modules.builtin`: there are no modules.
pub(crate) const MODULES: &str = "modules";

/// Debug information that says nothing about types: lines, ranges and places of code.
const CODE_ONLY: [&str; 5] = [".debug_line", ".debug_aranges", ".debug_ranges", ".debug_loc", ".debug_frame"];

/// How many of the compiler's last lines an error shows.
const SHOWN: usize = 20;

impl Build {
    /// The programs that it takes, each with the package of Debian that holds it.
    pub fn programs(&self) -> Vec<(String, String)> {
        let cross = format!("gcc-{}", self.cross.trim_end_matches('-'));
        let fixed = PROGRAMS.map(|(program, package)| (program.to_owned(), package.to_owned()));
        fixed.into_iter().chain([(self.cross_program("gcc"), cross)]).collect()
    }

    fn cross_program(&self, name: &str) -> String {
        format!("{}{name}", self.cross)
    }
}

/// The folder in the cache that holds the kernel of the board `name`, built now if it is not there.
///
/// # Errors
/// [`Missing`] without a program that it takes; a source that is built otherwise, an option that this source does not have or
/// does not allow, a compiler that fails. Nothing is kept then.
pub(crate) fn folder(
    debian: &Debian,
    name: &str,
    build: &Build,
    source: &Package,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    for (program, package) in build.programs() {
        files::program(&program).ok_or_else(|| Missing::program(&program, &package))?;
    }
    let kernels = debian.folder("kernels")?;
    let folder = kernels.join(format!("{name}-{}", hash(build, source)?));
    if folder.is_dir() {
        return Ok(folder);
    }
    let unpacked = debian.unpack(source, progress)?;
    let _lock =
        files::lock_folder(&kernels, || progress.step("waiting for another corelet to build a kernel"))?;
    // Somebody may have done it while we waited.
    if folder.is_dir() {
        return Ok(folder);
    }
    progress.note(&format!(
        "{name}: building its kernel of {} {}; 5 minutes on 2 cores, 3 GB of disk meanwhile, once",
        source.package, source.version
    ));
    let work = files::work_folder(&kernels)?;
    let tree = Tree::unpack(&unpacked.join("usr/src"), work.path(), build, progress)?;
    tree.configure(progress)?;
    tree.compile(progress)?;
    let finished = work.path().join("finished");
    tree.collect(&finished)?;
    files::keep(&finished, &folder)?;
    Ok(folder)
}

/// 16 hexadecimal digits of all that decides the kernel's bytes.
fn hash(build: &Build, source: &Package) -> Result<String> {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text);
        hash.update([0]);
    };
    add(&REVISION.to_string());
    for text in [&source.package, &source.version, &build.arch, &build.cross, &build.image, &build.options] {
        add(text);
    }
    for program in ["gcc", "ld"] {
        let program = build.cross_program(program);
        let output = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot start {program}"))?;
        add(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default());
    }
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// A kernel's source, unpacked to be built in place.
struct Tree<'b> {
    build: &'b Build,
    folder: PathBuf,
}

impl<'b> Tree<'b> {
    /// Unpacks the one `linux-source-*.tar.xz` of `from` into `work`.
    fn unpack(from: &Path, work: &Path, build: &'b Build, progress: &mut dyn Progress) -> Result<Self> {
        let packed = files::only_of_kind(from, "tar")?;
        let damaged = || format!("{}: cannot unpack this source", packed.display());
        progress.step("unpacking the kernel's source");
        let file = File::open(&packed).with_context(damaged)?;
        let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(BufReader::new(file), false));
        archive.unpack(work).with_context(damaged)?;
        let stem = packed.file_name().and_then(|name| name.to_str()?.strip_suffix(".tar.xz"));
        let folder = work.join(stem.with_context(damaged)?);
        Ok(Self { build, folder })
    }

    /// Makes `.config` of the board's options.
    fn configure(&self, progress: &mut dyn Progress) -> Result<()> {
        progress.step("choosing the kernel's options");
        let options = self.folder.join("corelet.config");
        files::write(&options, self.build.options.as_bytes())?;
        self.make(&[&format!("KCONFIG_ALLCONFIG={}", options.display()), "allnoconfig"])?;
        let config = files::read(&self.folder.join(".config"))?;
        let unlike = unlike(&self.build.options, &String::from_utf8_lossy(&config));
        if !unlike.is_empty() {
            bail!(
                "{}: make allnoconfig turned these options into others, so they depend on some that are not there, or this \
                 source does not know them: {}",
                self.build.config,
                unlike.join("; ")
            );
        }
        Ok(())
    }

    fn compile(&self, progress: &mut dyn Progress) -> Result<()> {
        progress.step("compiling the kernel");
        let target = Path::new(&self.build.image).file_name().and_then(|name| name.to_str());
        let target = target.with_context(|| format!("{}: not the path of an image", self.build.image))?;
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        self.make(&[&format!("-j{jobs}"), target])
    }

    /// Puts what is kept of the built tree into a new folder.
    fn collect(&self, to: &Path) -> Result<()> {
        files::create_dir(&to.join(MODULES))?;
        let in_modules = format!("{MODULES}/modules.builtin");
        for (from, name) in [
            (self.build.image.as_str(), IMAGE),
            (".config", CONFIG),
            ("System.map", SYSTEM_MAP),
            ("modules.builtin", &in_modules),
            ("include/config/kernel.release", RELEASE),
        ] {
            let from = self.folder.join(from);
            fs::copy(&from, to.join(name))
                .with_context(|| format!("{}: cannot copy this", from.display()))?;
        }
        let mut objcopy = Command::new(self.build.cross_program("objcopy"));
        objcopy.args(CODE_ONLY.map(|section| format!("--remove-section={section}")));
        run(objcopy.arg(self.folder.join("vmlinux")).arg(to.join(VMLINUX)))
    }

    fn make(&self, words: &[&str]) -> Result<()> {
        let moved = format!("-ffile-prefix-map={}=/usr/src/linux", self.folder.display());
        let mut make = Command::new("make");
        // What a person's environment says to make and to Kbuild is about other kernels.
        make.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LC_ALL", "C");
        make.arg("-C").arg(&self.folder);
        for (variable, value) in [
            ("ARCH", self.build.arch.as_str()),
            ("CROSS_COMPILE", &self.build.cross),
            ("KCFLAGS", &moved),
            ("KAFLAGS", &moved),
            ("KBUILD_BUILD_TIMESTAMP", "Thu Jan 1 00:00:00 UTC 1970"),
            ("KBUILD_BUILD_USER", "corelet"),
            ("KBUILD_BUILD_HOST", "corelet"),
            ("KBUILD_BUILD_VERSION", "1"),
        ] {
            make.arg(format!("{variable}={value}"));
        }
        run(make.args(words))
    }
}

/// Runs a command to its end; its output is shown only if it fails.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let output = files::poll(child, Duration::from_millis(100), || {})?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = said.lines().collect();
        let last = &lines[lines.len().saturating_sub(SHOWN)..];
        bail!("{} failed ({}):\n{}", program.display(), output.status, last.join("\n"));
    }
    Ok(())
}

/// The options that `config` has otherwise than asked, each with what it has instead.
fn unlike(options: &str, config: &str) -> Vec<String> {
    let value = |name: &str| {
        config.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or("n").to_owned()
    };
    let differs = |line: &str| {
        let off = line.strip_prefix("# ").and_then(|line| line.strip_suffix(" is not set"));
        let (name, asked) = match off {
            Some(name) => (name, "n"),
            None if line.is_empty() || line.starts_with('#') => return None,
            // A line that is none of an option is reported too: no option has its name.
            None => line.split_once('=').unwrap_or((line, "an option")),
        };
        let has = value(name);
        (has != asked).then(|| format!("{name} is {has}, not {asked}"))
    };
    options.lines().map(str::trim_end).filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_came_out_otherwise_are_named() {
        let config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_NAME=\"x\"\nCONFIG_AB=m\nCONFIG_SIZE=17\n";
        let good = "# About these.\n\nCONFIG_A=y\n# CONFIG_B is not set\n# CONFIG_GONE is not set\n\
            CONFIG_NAME=\"x\"\nCONFIG_SIZE=17\n";
        assert_eq!(unlike(good, config), [""; 0]);
        let bad = "CONFIG_B=y\n# CONFIG_A is not set\nCONFIG_AB=y\nCONFIG_GONE=y\nCONFIG_SIZE=1\nCONFIG A\n";
        assert_eq!(
            unlike(bad, config),
            [
                "CONFIG_B is n, not y",
                "CONFIG_A is y, not n",
                "CONFIG_AB is m, not y",
                "CONFIG_GONE is n, not y",
                "CONFIG_SIZE is 17, not 1",
                "CONFIG A is n, not an option"
            ]
        );
    }
}
