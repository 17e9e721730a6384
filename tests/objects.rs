//! The real objects that boards run: out of Debian's package for AArch64, compiled from Debian's source for RISC-V.

pub mod beside;
pub mod list;
mod packets;

use crate::narrow;
use crate::oracle::{self, Named};
use anyhow::{Context, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Kernel, Missing, Progress};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::btf::dump::{Options, to_c};
use corelet_host_tools::cmd::extract_objects;
use corelet_host_tools::kernel::packaged;
use corelet_host_tools::setup::{Machine, needs};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Objects by tool.
pub type Objects = BTreeMap<&'static str, Vec<u8>>;

/// The objects of `tools`, which are among the nine, for `board`; `folder` is for what is made on the way.
///
/// # Errors
/// What this machine lacks, a package that cannot be had, a tool that does not compile.
pub fn for_board(
    board: &Board,
    kernel: &Kernel,
    tools: &[&'static str],
    folder: &Path,
    machine: &mut dyn Machine,
    progress: &mut dyn Progress,
) -> Result<Objects> {
    match board.arch.debian.as_str() {
        // Debian builds the package for every architecture, but these are tested as others compiled them
        "arm64" => packaged("arm64", tools, progress),
        _ => compiled(board, kernel, tools, folder, machine, progress),
    }
}

/// Takes the objects out of the programs of Debian's package.
fn packaged(arch: &str, tools: &[&'static str], progress: &mut dyn Progress) -> Result<Objects> {
    let debian = Debian::open()?;
    let mut objects = Objects::new();
    for &tool in tools {
        let program =
            debian.file(arch, "trixie", "libbpf-tools", &format!("usr/sbin/{tool}-libbpf"), progress)?;
        let bytes = std::fs::read(&program).with_context(|| program.display().to_string())?;
        let found = extract_objects::find(&bytes);
        ensure!(found.len() == 1, "{}: holds {} BPF objects, not one", program.display(), found.len());
        objects.insert(tool, bytes[found[0].at..found[0].at + found[0].len].to_vec());
    }
    Ok(objects)
}

/// Compiles the tools.
fn compiled(
    board: &Board,
    kernel: &Kernel,
    tools: &[&'static str],
    folder: &Path,
    machine: &mut dyn Machine,
    progress: &mut dyn Progress,
) -> Result<Objects> {
    let compiler = Compiler::prepare(&Goal::of(board), kernel, folder, machine, progress)?;
    (tools.iter())
        .map(|&tool| {
            progress.step(&format!("compiling {tool}"));
            Ok((tool, compiler.compile(tool)?))
        })
        .collect()
}

/// Every tool for `board`, by its name without `-libbpf`: out of Debian's package for AArch64, compiled elsewhere.
///
/// # Errors
/// As [`for_board`].
pub fn all(
    board: &Board,
    kernel: &Kernel,
    folder: &Path,
    machine: &mut dyn Machine,
    progress: &mut dyn Progress,
) -> Result<Vec<Named>> {
    if board.arch.debian != "arm64" {
        return all_compiled(board, kernel, folder, machine, progress);
    }
    let mut objects = oracle::packaged("arm64", progress)?;
    for (name, _) in &mut objects {
        *name = name.trim_end_matches("-libbpf").to_owned();
    }
    Ok(objects)
}

/// Compiles every tool of the source package that can be.
///
/// # Errors
/// As [`for_board`].
pub fn all_compiled(
    board: &Board,
    kernel: &Kernel,
    folder: &Path,
    machine: &mut dyn Machine,
    progress: &mut dyn Progress,
) -> Result<Vec<Named>> {
    all_compiled_for(&Goal::of(board), kernel, folder, machine, progress)
}

/// What tools are compiled for.
pub struct Goal<'a> {
    /// Architecture, by the kernel's name.
    pub arch: &'a str,
    /// One of clang's BPF targets.
    pub target: &'static str,
    /// Whether a `long` of the kernel has 4 bytes ([`narrow`]).
    pub narrow: bool,
}

impl<'a> Goal<'a> {
    fn of(board: &'a Board) -> Goal<'a> {
        Goal { arch: kernel_arch(board), target: "bpfel", narrow: narrow::is(board) }
    }
}

/// Compiles every tool of the source package, but for those of which [`narrow::without`] says that it cannot be done.
///
/// # Errors
/// As [`for_board`].
pub fn all_compiled_for(
    goal: &Goal<'_>,
    kernel: &Kernel,
    folder: &Path,
    machine: &mut dyn Machine,
    progress: &mut dyn Progress,
) -> Result<Vec<Named>> {
    let compiler = &Compiler::prepare(goal, kernel, folder, machine, progress)?;
    let mut tools = Vec::new();
    for entry in std::fs::read_dir(&compiler.source)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        tools.extend(name.strip_suffix(".bpf.c").map(str::to_owned));
    }
    tools.retain(|tool| !goal.narrow || narrow::without(tool).is_none());
    tools.sort();
    progress.step(&format!("compiling {} tools", tools.len()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let part = |tools: &[String]| -> Result<Vec<Named>> {
        tools.iter().map(|tool| Ok((tool.clone(), compiler.compile(tool)?))).collect()
    };
    let parts = std::thread::scope(|scope| {
        let parts = tools.chunks(tools.len().div_ceil(workers).max(1));
        let started: Vec<_> = parts.map(|tools| scope.spawn(move || part(tools))).collect();
        started
            .into_iter()
            .map(|part| part.join().expect("compiling does not panic"))
            .collect::<Result<Vec<_>>>()
    })?;
    Ok(parts.concat())
}

/// clang with a header of the board's own kernel's types.
struct Compiler {
    clang: PathBuf,
    arch: String,
    target: &'static str,
    /// Where `vmlinux.h` and the objects are.
    folder: PathBuf,
    source: PathBuf,
    headers: PathBuf,
    /// Whether the kernel's pointers have 4 bytes.
    narrow: bool,
    /// Of all that objects are made of, but for their own source.
    made_of: DefaultHasher,
}

impl Compiler {
    fn prepare(
        goal: &Goal<'_>,
        kernel: &Kernel,
        folder: &Path,
        machine: &mut dyn Machine,
        progress: &mut dyn Progress,
    ) -> Result<Compiler> {
        let debian = Debian::open()?;
        let source = debian.source(&["trixie", "forky", "sid"], "bpfcc", progress)?.join("libbpf-tools");
        // the headers that belong to these tools are newer than many a machine's own
        let helpers =
            debian.file("arm64", "trixie", "libbpf-dev", "usr/include/bpf/bpf_helpers.h", progress)?;
        let headers = helpers.parent().and_then(Path::parent).context("a header without a folder")?;
        let clang = needs::CLANG.find(machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        progress.step("writing vmlinux.h");
        let types = OwnedBtf::open(&packaged::types(kernel, progress)?)?;
        let header = completed(to_c(&types.view(), &Options::default())?);
        std::fs::write(folder.join("vmlinux.h"), &header)?;
        let mut made_of = DefaultHasher::new();
        let version = Command::new(&clang).arg("--version").output().context("clang --version")?;
        (header, version.stdout, goal.arch, goal.target, goal.narrow, headers).hash(&mut made_of);
        for folder in [&*source, Path::new(narrow::HEADERS)] {
            hash_headers(folder, &mut made_of).with_context(|| folder.display().to_string())?;
        }
        Ok(Compiler {
            clang,
            arch: goal.arch.to_owned(),
            target: goal.target,
            folder: folder.to_owned(),
            source,
            headers: headers.to_owned(),
            narrow: goal.narrow,
            made_of,
        })
    }

    /// Compiles a tool, or takes the object that was made of the same.
    fn compile(&self, tool: &str) -> Result<Vec<u8>> {
        let object = self.folder.join(format!("{tool}.bpf.o"));
        let mut command = Command::new(&self.clang);
        command.args(["-g", "-O2", "-target", self.target, &format!("-D__TARGET_ARCH_{}", self.arch)]);
        let narrow = self.narrow.then_some(Path::new(narrow::HEADERS));
        for include in narrow.into_iter().chain([&*self.folder, &*self.source, &*self.headers]) {
            command.arg("-I").arg(include);
        }
        let mut source = self.source.join(format!("{tool}.bpf.c"));
        let mut text = std::fs::read_to_string(&source).with_context(|| source.display().to_string())?;
        if self.narrow {
            text = narrow::source(tool, text)?;
            source = self.folder.join(format!("{tool}.bpf.c"));
            std::fs::write(&source, &text)?;
        }
        let mut made_of = self.made_of.clone();
        text.hash(&mut made_of);
        let (made_of, known) = (made_of.finish().to_string(), self.folder.join(format!("{tool}.made-of")));
        if std::fs::read_to_string(&known).is_ok_and(|known| known == made_of)
            && let Ok(bytes) = std::fs::read(&object)
        {
            return Ok(bytes);
        }
        command.arg("-c").arg(source).arg("-o").arg(&object);
        let output = command.output().with_context(|| self.clang.display().to_string())?;
        ensure!(output.status.success(), "{tool}.bpf.c: {}", String::from_utf8_lossy(&output.stderr));
        let bytes = std::fs::read(&object)?;
        std::fs::write(known, made_of)?;
        Ok(bytes)
    }
}

/// The headers of a folder and of those in it, in the order of their names.
pub(crate) fn hash_headers(folder: &Path, made_of: &mut DefaultHasher) -> Result<()> {
    let mut entries = std::fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            hash_headers(&path, made_of)?;
        } else if path.extension().is_some_and(|end| end == "h") {
            (path.file_name(), std::fs::read(&path)?).hash(made_of);
        }
    }
    Ok(())
}

/// A member that the tools' source names and kernels of the 6.12 series do not have yet, behind one that they have. That
/// it is declared is enough to compile; on the board relocation says that it is not there.
const LATER: (&str, &str) = ("\tunsigned int h_nr_queued;\n", "\tunsigned int nr_queued;\n");

/// Kernel functions that the tools call where there are any. A kernel that was built without BTF marks none, and none
/// can be called there, so its header has no prototypes.
const KFUNCS: &str = "
extern struct task_struct *bpf_task_from_pid(s32 pid) __attribute__((weak, section(\".ksyms\")));
extern void bpf_task_release(struct task_struct *p) __attribute__((weak, section(\".ksyms\")));
";

/// A struct of 32-bit ARM's kernel whose name the tools' source has for an enum.
const TAKEN: &str = "struct op ";

/// A kernel's header with what the tools' source needs and an older kernel, or one without BTF, lacks.
fn completed(header: String) -> String {
    let mut header = header.replace(TAKEN, "struct op___of_kernel ");
    let (beside, member) = LATER;
    if !header.contains(member) {
        header = header.replacen(beside, &[beside, member].concat(), 1);
    }
    if !header.contains("bpf_task_from_pid(") {
        header.push_str(KFUNCS);
    }
    header
}

/// The kernel's name of the architecture, as its `arch/` folder and libbpf's headers have it.
fn kernel_arch(board: &Board) -> &str {
    match board.arch.debian.as_str() {
        "riscv64" => "riscv",
        "amd64" => "x86",
        "armhf" => "arm",
        other => other,
    }
}
