//! libbpf on a big-endian machine. It relocates only what is of the byte order of the machine that it runs on: newer ones open
//! the other order too, but leave it to a kernel to relocate. So Debian's libbpf for s390x runs here, with the C library of
//! that machine, under QEMU's user emulation; the program around it is compiled by clang and linked by Rust's linker, so that
//! no cross compiler is needed.

use super::Named;
use super::libbpf::{Libbpf, Running, SOURCE};
use anyhow::{Context, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Kernel, Progress, Source};
use corelet_core::Endian;
use corelet_core::object::Object;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::relocate::{Verdict, relocate, type_count};
use corelet_host_tools::subset::KernelTypes;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's name of the machine, and the folder of its libraries.
pub const ARCH: &str = "s390x";
const TRIPLE: &str = "s390x-linux-gnu";
/// Releases of Debian; the first serves that the mirror has all packages of.
const SUITES: [&str; 2] = ["sid", "trixie"];
/// Headers and libraries that the program is made of, the C library first.
const PACKAGES: [&str; 8] =
    ["libc6", "libc6-dev", "linux-libc-dev", "libbpf-dev", "libbpf1", "libelf1t64", "zlib1g", "libzstd1"];

/// What it needs when it runs.
const LIBRARIES: [&str; 5] = ["libbpf.so.1", "libc.so.6", "libelf.so.1", "libz.so.1", "libzstd.so.1"];

/// The program around libbpf for s390x, compiled into `folder` by `clang` and run by `emulator`.
///
/// # Errors
/// A package that cannot be had, a program that does not compile or link.
pub fn build(clang: &Path, emulator: &Path, folder: &Path, progress: &mut dyn Progress) -> Result<Libbpf> {
    let debian = Debian::open()?;
    let unpacked = packages(&debian, SUITES[0], progress).or_else(|error| {
        progress.note(&format!("{error:#}; so {} serves", SUITES[1]));
        packages(&debian, SUITES[1], progress)
    })?;
    let places = |below: &str| -> Vec<PathBuf> {
        unpacked.iter().map(|p| p.join(below)).filter(|p| p.is_dir()).collect()
    };
    let libraries = places(&format!("usr/lib/{TRIPLE}"));
    let library = |name: &str| {
        let found = libraries.iter().map(|l| l.join(name)).find(|file| file.is_file());
        found.with_context(|| format!("{name}: in none of {}", PACKAGES.join(", ")))
    };

    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let file = |name: &str| folder.join(name);
    std::fs::write(file("libbpf.c"), SOURCE).context("libbpf.c")?;
    let mut compile = Command::new(clang);
    compile.args(["-target", TRIPLE, "-O1", "-c", "-o"]).args([file("libbpf.o"), file("libbpf.c")]);
    for headers in places(&format!("usr/include/{TRIPLE}")).iter().chain(&places("usr/include")) {
        compile.arg("-isystem").arg(headers);
    }
    run(&mut compile)?;

    let dynamic_linker = library("ld64.so.1")?;
    let mut link = Command::new(rust_lld()?);
    link.args(["-flavor", "gnu", "-m", "elf64_s390", "--allow-shlib-undefined", "-o"]);
    link.arg(file("libbpf-relo")).arg("--dynamic-linker").arg(&dynamic_linker);
    link.args([library("crt1.o")?, library("crti.o")?, file("libbpf.o"), library("libbpf.so.1")?]);
    link.args([library("libc.so.6")?, library("libc_nonshared.a")?, library("crtn.o")?]);
    run(&mut link)?;

    // folders of packages have colons in their names, which part the folders of a path
    let path = folder.join("lib");
    std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
    for name in LIBRARIES {
        let link = path.join(name);
        let _ = std::fs::remove_file(&link);
        symlink(library(name)?, &link).with_context(|| link.display().to_string())?;
    }
    let shown = |path: &Path| path.display().to_string();
    let before = vec![shown(emulator), shown(&dynamic_linker), "--library-path".to_owned(), shown(&path)];
    Ok(Libbpf::under(before, file("libbpf-relo")))
}

/// A kernel of the machine whose types are there.
///
/// # Errors
/// The mirror has none.
pub fn kernel(progress: &mut dyn Progress) -> Result<Kernel> {
    let source =
        Source { suites: SUITES.map(str::to_owned).to_vec(), package: "linux-image-*-s390x".to_owned() };
    Kernel::find(&Debian::open()?, ARCH, &source, progress)
}

/// What a comparison came to.
#[derive(Debug, Default)]
pub struct Compared {
    /// Relocations that came out as libbpf's.
    pub relocations: usize,
    /// Of those the ones that poisoned.
    pub poisoned: usize,
    /// A line for each object.
    pub lines: Vec<String>,
    /// What did not.
    pub differences: Vec<String>,
}

/// Relocates big-endian `objects` on `kernel`'s types, here and by libbpf there; what is made on the way goes into `folder`.
///
/// # Errors
/// An object or types of another byte order, or that libbpf does not open; a program that does not start.
pub fn compare(libbpf: &Libbpf, kernel: &Kernel, objects: &[Named], folder: &Path) -> Result<Compared> {
    let whole = OwnedBtf::open(&kernel.image)?;
    ensure!(whole.view().endian() == Endian::Big, "the kernel's types are not big-endian");
    let btf = folder.join("kernel.btf");
    std::fs::write(&btf, whole.bytes()).with_context(|| btf.display().to_string())?;
    let types = KernelTypes::new(whole.view());
    let running = Running { btf: &btf, release: &kernel.release, config: kernel.config.as_deref() };
    let mut out = Compared::default();
    for (name, bytes) in objects {
        let mut index = vec![0; type_count(bytes)?];
        let object = Object::parse(bytes, &mut index)?;
        ensure!(object.endian() == Endian::Big, "{name} is not big-endian");
        let expected = relocate(&object, &types, &|_| true)?;
        let loaded = libbpf.load(bytes, &btf, running, folder).with_context(|| name.clone())?;
        let differences = loaded.differences(&expected);
        let all: Vec<_> = expected.iter().flat_map(|p| &p.relocations).collect();
        let poisoned = all.iter().filter(|r| r.outcome == Verdict::Poisoned).count();
        out.lines.push(format!("{name}: {} relocations, {poisoned} poisoned", all.len()));
        out.relocations += all.len() - differences.len().min(all.len());
        out.poisoned += poisoned;
        out.differences.extend(differences.into_iter().map(|d| format!("{name}: {d}")));
    }
    Ok(out)
}

/// The folders of [`PACKAGES`], unpacked.
fn packages(debian: &Debian, suite: &str, progress: &mut dyn Progress) -> Result<Vec<PathBuf>> {
    let unpack = |package: &str| {
        let source = Source { suites: vec![suite.to_owned()], package: package.to_owned() };
        let found = debian.find(ARCH, &source, progress)?;
        debian.unpack(&found, progress)
    };
    PACKAGES.into_iter().map(unpack).collect()
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The linker that comes with Rust.
fn rust_lld() -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "target-libdir"]).output().context("rustc")?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let linker = libraries.with_file_name("bin").join("rust-lld");
    ensure!(linker.is_file(), "{}: not there", linker.display());
    Ok(linker)
}
