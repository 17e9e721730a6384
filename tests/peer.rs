//! The peer on the boards: a loader as people write them with libbpf (`peer/loader.c`), static with musl, built here for the
//! board's architecture of Debian's sources of libbpf, libelf and zlib; and other programs in C that the tests' work needs there.
//!
//! clang compiles, and the linker is the one that comes with Rust; musl, libgcc and the kernel's headers are Debian's packages of the
//! board's architecture. It is kept in the cache by a hash of all that decides its bytes.

use anyhow::{Context, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Missing, Progress, Source};
use corelet_host_tools::setup::{Machine, needs};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

const LOADER: &str = include_str!("peer/loader.c");
/// elfutils' `config.h`.
const CONFIG: &str = include_str!("peer/config.h");
/// Suites of the sources: the newest libbpf is the one to be held against.
const SUITES: [&str; 3] = ["sid", "forky", "trixie"];
/// Suite of the packages.
pub(crate) const SUITE: &str = "trixie";

/// Small code, and only what is used of it: as baselines of such loaders are built.
const FLAGS: [&str; 9] = [
    "-Os",
    "-w",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-asynchronous-unwind-tables",
    "-D_GNU_SOURCE",
    "-D_FILE_OFFSET_BITS=64",
    "-DHAVE_UNISTD_H",
    "-DHAVE_STDARG_H",
];
/// libbpf reads the kernel's configuration by `gzopen`, libelf sections that are compressed.
const ZLIB: [&str; 12] = [
    "adler32", "crc32", "deflate", "gzclose", "gzlib", "gzread", "gzwrite", "inffast", "inflate", "inftrees",
    "trees", "zutil",
];

/// One architecture, as clang and Debian's packages call it.
pub(crate) struct Arch {
    /// clang's target and what it needs besides.
    pub(crate) clang: &'static [&'static str],
    /// Debian's folder of what is of glibc's machine: the kernel's headers, libgcc.
    pub(crate) gnu: &'static str,
    /// Debian's folder of musl.
    pub(crate) musl: &'static str,
}

pub(crate) fn arch(board: &Board) -> Result<Arch> {
    Ok(match board.arch.debian.as_str() {
        "arm64" => Arch {
            clang: &["--target=aarch64-linux-musl", "-mno-outline-atomics"],
            gnu: "aarch64-linux-gnu",
            musl: "aarch64-linux-musl",
        },
        "riscv64" => Arch {
            clang: &["--target=riscv64-linux-musl", "-march=rv64gc", "-mabi=lp64d"],
            gnu: "riscv64-linux-gnu",
            musl: "riscv64-linux-musl",
        },
        "armhf" => Arch {
            clang: &["--target=armv7-linux-musleabihf"],
            gnu: "arm-linux-gnueabihf",
            musl: "arm-linux-musleabihf",
        },
        other => anyhow::bail!("{other}: no libbpf loader is built for this architecture"),
    })
}

/// The loader for `board`.
///
/// # Errors
/// What this machine lacks, a package that cannot be had, a source that does not compile.
pub fn build(board: &Board, machine: &dyn Machine, progress: &mut dyn Progress) -> Result<Vec<u8>> {
    around(board, LOADER, machine, progress)
}

/// The same with another `source` around libbpf.
///
/// # Errors
/// As [`build`].
pub fn around(
    board: &Board,
    source: &str,
    machine: &dyn Machine,
    progress: &mut dyn Progress,
) -> Result<Vec<u8>> {
    let inputs = Inputs::fetch(board, machine, progress)?;
    progress.step(&format!("compiling libbpf and a loader around it for {}", board.arch.name));
    inputs.cached(board, source, |inputs, work| inputs.compile(work, source))
}

/// A program of one file in C, static with musl, for `board`.
///
/// # Errors
/// As [`build`].
pub fn program(
    board: &Board,
    source: &str,
    machine: &dyn Machine,
    progress: &mut dyn Progress,
) -> Result<Vec<u8>> {
    let inputs = Inputs::fetch(board, machine, progress)?;
    inputs.cached(board, source, |inputs, work| inputs.compile_one(work, source))
}

/// All that the loader is made of.
struct Inputs {
    arch: Arch,
    clang: PathBuf,
    linker: PathBuf,
    /// Folders of sources by name.
    sources: BTreeMap<&'static str, PathBuf>,
    /// `usr` of the packages by name.
    packages: BTreeMap<&'static str, PathBuf>,
}

impl Inputs {
    fn fetch(board: &Board, machine: &dyn Machine, progress: &mut dyn Progress) -> Result<Self> {
        let debian = Debian::open()?;
        let clang = needs::CLANG.find(machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
        let mut sources = BTreeMap::new();
        for name in ["libbpf", "elfutils", "zlib"] {
            sources.insert(name, debian.source(&SUITES, name, progress)?);
        }
        let mut packages = BTreeMap::new();
        for name in ["musl-dev", "libgcc-14-dev", "linux-libc-dev"] {
            let source = Source { suites: vec![SUITE.to_owned()], package: name.to_owned() };
            let package = debian.find(&board.arch.debian, &source, progress)?;
            packages.insert(name, debian.unpack(&package, progress)?.join("usr"));
        }
        let inputs = Self { arch: arch(board)?, clang, linker: linker()?, sources, packages };
        Ok(inputs)
    }

    /// The program that `compile` makes of `source`, from the cache where it is there.
    fn cached(
        &self,
        board: &Board,
        source: &str,
        compile: impl FnOnce(&Self, &Path) -> Result<PathBuf>,
    ) -> Result<Vec<u8>> {
        let peers = Debian::open()?.folder("peers")?;
        let file = peers.join(format!("{}-{:016x}", board.arch.debian, self.hash(source)?));
        if !file.is_file() {
            let work = tempfile::tempdir_in(&peers).context("cannot create a folder in the cache")?;
            let built = compile(self, work.path())?;
            // whole from the first moment that somebody looks for it
            fs::rename(&built, &file).with_context(|| file.display().to_string())?;
        }
        fs::read(&file).with_context(|| file.display().to_string())
    }

    fn hash(&self, source: &str) -> Result<u64> {
        let mut hash = DefaultHasher::new();
        (source, CONFIG, FLAGS, ZLIB, self.arch.clang).hash(&mut hash);
        for folder in self.sources.values() {
            // its first line names the version; a release without Debian's files has none, and is the only one of its name
            fs::read(folder.join("debian/changelog")).unwrap_or_default().hash(&mut hash);
        }
        self.packages.values().for_each(|folder| folder.hash(&mut hash));
        for program in [&self.clang, &self.linker] {
            let version = Command::new(program).arg("--version").output();
            version.with_context(|| program.display().to_string())?.stdout.hash(&mut hash);
        }
        Ok(hash.finish())
    }

    /// Compiles everything in `folder` and links it; the loader's path.
    fn compile(&self, folder: &Path, source: &str) -> Result<PathBuf> {
        let [libbpf, elfutils, zlib] = ["libbpf", "elfutils", "zlib"].map(|name| &self.sources[name]);
        // programs include libbpf's headers as `bpf/…`
        let headers = folder.join("bpf");
        fs::create_dir(&headers)?;
        for header in with_extension(&libbpf.join("src"), "h")? {
            fs::copy(&header, headers.join(header.file_name().unwrap_or_default()))?;
        }
        fs::write(folder.join("config.h"), CONFIG)?;
        let loader = folder.join("loader.c");
        fs::write(&loader, source)?;
        let libelf = elfutils.join("libelf");
        let mut elf = with_extension(&libelf, "c")?;
        elf.push(elfutils.join("lib/eu-search.c"));
        let z: Vec<PathBuf> = ZLIB.iter().map(|name| zlib.join(format!("{name}.c"))).collect();
        let bpf = with_extension(&libbpf.join("src"), "c")?;
        let mut objects = Vec::new();
        for (name, files, includes) in [
            ("zlib", &z, vec![]),
            (
                "libelf",
                &elf,
                vec!["-DHAVE_CONFIG_H".into(), i(folder), i(&elfutils.join("lib")), i(&libelf), i(zlib)],
            ),
            ("libbpf", &bpf, vec![i(&libbpf.join("include")), i(&libelf), i(zlib)]),
            ("loader", &vec![loader], vec![i(folder)]),
        ] {
            let to = folder.join(name);
            fs::create_dir(&to)?;
            let mut clang = Command::new(&self.clang);
            clang.current_dir(&to).args(self.arch.clang).args(FLAGS).args(self.system(libbpf)?);
            run(clang.args(includes).arg("-c").args(files)).context(name)?;
            objects.extend(with_extension(&to, "o")?);
        }
        self.link(folder, &objects, &["-s", "--wrap=syscall"])
    }

    /// Compiles `source` in `folder` and links it; the program's path.
    fn compile_one(&self, folder: &Path, source: &str) -> Result<PathBuf> {
        let file = folder.join("program.c");
        fs::write(&file, source)?;
        let mut clang = Command::new(&self.clang);
        clang.current_dir(folder).args(self.arch.clang).args(FLAGS);
        run(clang.args(self.system(&self.sources["libbpf"])?).arg("-c").arg(file))?;
        self.link(folder, &[folder.join("program.o")], &[])
    }

    fn link(&self, folder: &Path, objects: &[PathBuf], words: &[&str]) -> Result<PathBuf> {
        let musl = self.packages["musl-dev"].join("lib").join(self.arch.musl);
        let libgcc =
            self.packages["libgcc-14-dev"].join("lib/gcc").join(self.arch.gnu).join("14").join("libgcc.a");
        let out = folder.join("linked");
        let mut link = Command::new(&self.linker);
        link.args(["-flavor", "gnu", "--gc-sections", "-static", "-z", "norelro"]);
        link.args(["-z", "max-page-size=4096"]).args(words).arg("-o").arg(&out);
        link.args(["crt1.o", "crti.o"].map(|file| musl.join(file))).args(objects);
        link.arg("--start-group").arg(musl.join("libc.a")).arg(libgcc).arg("--end-group");
        run(link.arg(musl.join("crtn.o")))?;
        Ok(out)
    }

    /// Where headers of the system are, and nowhere else.
    fn system(&self, libbpf: &Path) -> Result<Vec<String>> {
        let resources = Command::new(&self.clang).arg("-print-resource-dir").output()?;
        let resources = PathBuf::from(String::from_utf8(resources.stdout)?.trim());
        let kernel = self.packages["linux-libc-dev"].join("include");
        let folders = [
            resources.join("include"),
            self.packages["musl-dev"].join("include").join(self.arch.musl),
            libbpf.join("include/uapi"),
            kernel.join(self.arch.gnu),
            kernel,
        ];
        let mut words = vec!["-nostdinc".to_owned()];
        words.extend(folders.iter().flat_map(|f| ["-isystem".to_owned(), f.display().to_string()]));
        Ok(words)
    }
}

fn i(folder: &Path) -> String {
    format!("-I{}", folder.display())
}

/// The linker that comes with Rust.
pub(crate) fn linker() -> Result<PathBuf> {
    let sysroot =
        Command::new("rustc").args(["--print", "sysroot"]).output().context("cannot start rustc")?;
    let libraries = Path::new(String::from_utf8(sysroot.stdout)?.trim()).join("lib/rustlib");
    let hosts = fs::read_dir(&libraries).with_context(|| libraries.display().to_string())?;
    let mut found =
        hosts.flatten().map(|host| host.path().join("bin/rust-lld")).filter(|path| path.is_file());
    found.next().with_context(|| format!("{}: no rust-lld in it", libraries.display()))
}

/// The files of a folder with this extension, sorted.
fn with_extension(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == extension));
    files.sort();
    Ok(files)
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| command.get_program().display().to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", command.get_program().display());
    Ok(())
}
