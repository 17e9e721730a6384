//! Steps that compare with other implementations, on the boards' kernels but without booting them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Kernel, Missing, Source, kernel_for, on_stderr};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::btf::dump::{Options, to_c};
use corelet_host_tools::setup::{Wants, needs};
use corelet_tests::oracle::foreign;
use corelet_tests::{disasm, objects, oracle, streamed};

use crate::context::Context;
use crate::run::Outcome;
use crate::selfcheck;

/// Whose kernels are used.
const BOARDS: [&str; 2] = ["qemu-aarch64", "qemu-riscv64"];

/// What `oracle` takes.
pub(crate) fn oracle_wants() -> Wants {
    let mut needs = vec![&needs::DPKG_DEB, &needs::KEYRING, &needs::BPFTOOL, &needs::LIBBPF_HEADERS];
    needs.extend([&needs::CLANG, &needs::DPKG_SOURCE]);
    Wants { needs, ..Wants::default() }
}

/// What `dump` takes.
pub(crate) fn dump_wants() -> Wants {
    Wants { needs: vec![&needs::DPKG_DEB, &needs::KEYRING, &needs::CLANG], ..Wants::default() }
}

fn kernels() -> Result<Vec<(&'static str, Kernel)>> {
    let mut progress = on_stderr();
    let kernel = |name| Ok((name, kernel_for(&Board::find(name)?, &mut *progress)?));
    BOARDS.into_iter().map(kernel).collect()
}

/// A kernel of another architecture than the boards': Debian's for virtual machines on x86-64. 32-bit ARM has none: no
/// kernel of Debian's for it carries its types.
fn another() -> Result<Kernel> {
    let source =
        Source { suites: vec!["trixie".to_owned()], package: "linux-image-6.12.*-cloud-amd64".to_owned() };
    Kernel::find(&Debian::open()?, "amd64", &source, &mut *on_stderr())
}

fn folder(context: &Context<'_>, board: &str) -> PathBuf {
    context.workspace.target.join("verify").join(format!("oracle-{board}"))
}

/// Packages of Debian with BPF objects that are compiled, not written at run time.
const PACKAGES: [(&str, &str); 4] =
    [("amd64", "libbpf-tools"), ("amd64", "xdp-tools"), ("amd64", "systemd"), ("arm64", "bpftop")];

/// Every object of Debian's libbpf-tools for AArch64 through the whole of the kernels' types, through our minimum and
/// bpftool's, by us and by libbpf; the objects of other packages, and the tools compiled for RISC-V, through the whole.
pub(crate) fn oracle(context: &mut Context<'_>) -> Result<Outcome> {
    let bpftool =
        needs::BPFTOOL.find(&context.machine).ok_or_else(|| Missing::program("bpftool", "bpftool"))?;
    let packaged = oracle::packaged("arm64", &mut *on_stderr())?;
    ensure!(packaged.len() >= 50, "only {} objects in libbpf-tools", packaged.len());
    let mut others = Vec::new();
    for (arch, package) in PACKAGES {
        let found = oracle::of_package(arch, package, &mut *on_stderr())?;
        ensure!(!found.is_empty(), "no object in {package} ({arch})");
        context.note(&format!("{package} ({arch}): {} objects", found.len()))?;
        others.extend(found.into_iter().map(|(name, bytes)| (format!("{package}/{arch}/{name}"), bytes)));
    }
    let (theirs, ours) = oracle::names::compare(&folder(context, "names"), &mut *on_stderr())?;
    context.note(&format!("SEC() names: libbpf's {theirs} as ours, which are {ours}"))?;
    others.push(("maps of every type".to_owned(), oracle::maps::EVERY_TYPE.to_vec()));
    let mut outcome = oracle::Outcome::default();
    let mut kernels = kernels()?;
    let (riscv, kernel) = &kernels[1];
    let compiled = objects::all_compiled(
        &Board::find(riscv)?,
        kernel,
        &context.workspace.target.join("verify").join(riscv),
        &mut context.machine,
        &mut *on_stderr(),
    )?;
    context.note(&format!("compiled for RISC-V: {} objects", compiled.len()))?;
    others.extend(compiled.into_iter().map(|(name, bytes)| (format!("riscv64/{name}"), bytes)));
    kernels.push(("amd64", another()?));
    for (name, kernel) in &kernels {
        let folder = folder(context, name);
        outcome.add(kernel, &packaged, Some(&bpftool), &folder).context(*name)?;
        outcome.add(kernel, &others, None, &folder).context(*name)?;
    }
    for line in &outcome.lines {
        context.note(line)?;
    }
    ensure!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    Ok(Outcome::Passed(format!(
        "{} objects on {} kernels: {} relocations, {} instructions (descriptors and ids left out of {}), {} maps and {} contents \
         of them as libbpf's; minima {} bytes in all, bpftool's {} ({} ids of types left out); {} bytes of patches do the same; {theirs} SEC() names as libbpf has \
         them",
        packaged.len() + others.len(),
        kernels.len(),
        outcome.relocations,
        outcome.insns,
        outcome.masked,
        outcome.maps.maps,
        outcome.maps.contents,
        outcome.bytes.0,
        outcome.bytes.1,
        outcome.ids,
        outcome.patches
    )))
}

/// What `big-endian` takes.
pub(crate) fn big_endian_wants() -> Wants {
    let needs = [
        &needs::DPKG_DEB,
        &needs::KEYRING,
        &needs::CLANG,
        &needs::DPKG_SOURCE,
        &needs::QEMU_S390X,
        &needs::LIBBPF_HEADERS,
    ];
    Wants { needs: needs.to_vec(), ..Wants::default() }
}

/// The tools, compiled big-endian, on a big-endian kernel's types: by us here, and by libbpf on such a machine.
pub(crate) fn big_endian(context: &mut Context<'_>) -> Result<Outcome> {
    let clang =
        needs::CLANG.find(&context.machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
    let emulator = needs::QEMU_S390X.find(&context.machine).context("no emulator of s390x")?;
    let mut progress = on_stderr();
    let folder = folder(context, foreign::ARCH);
    let libbpf = foreign::build(&clang, &emulator, &folder, &mut *progress)?;
    let kernel = foreign::kernel(&mut *progress)?;
    let compiled = folder.join("compiled");
    let of = objects::Goal { arch: "s390", target: "bpfeb", narrow: false };
    let objects = objects::all_compiled_for(&of, &kernel, &compiled, &mut context.machine, &mut *progress)?;
    let compared = foreign::compare(&libbpf, &kernel, &objects, &folder)?;
    compared.lines.iter().try_for_each(|line| context.note(line))?;
    ensure!(compared.differences.is_empty(), "{}", compared.differences.join("\n"));
    ensure!(compared.relocations >= 500, "only {} relocations compared", compared.relocations);
    let own = selfcheck::with(Some(&emulator), context)?;
    Ok(Outcome::Passed(format!(
        "{} tools on s390x {}: {} relocations as libbpf's there, {} of them poisoned; {own}",
        objects.len(),
        kernel.release,
        compared.relocations,
        compared.poisoned
    )))
}

/// Every object of Debian's libbpf-tools through what the device takes of both kernels' own types, and through the whole.
pub(crate) fn kernel_btf(context: &mut Context<'_>) -> Result<Outcome> {
    let objects = oracle::packaged("arm64", &mut *on_stderr())?;
    ensure!(objects.len() >= 50, "only {} objects in libbpf-tools", objects.len());
    let mut outcome = streamed::Outcome::default();
    for (board, kernel) in kernels()? {
        outcome.add(&kernel.image, &objects).context(board)?;
    }
    for line in &outcome.lines {
        context.note(line)?;
    }
    ensure!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    let (read, of) = outcome.read;
    Ok(Outcome::Passed(format!(
        "{} objects, {} relocations alike; {} bytes of memory at most, {read} bytes read of {of}",
        objects.len(),
        outcome.relocations,
        outcome.peak
    )))
}

/// Both kernels' types as C, with an assertion on every size and offset, through a compiler for BPF.
pub(crate) fn dump(context: &mut Context<'_>) -> Result<Outcome> {
    let clang =
        needs::CLANG.find(&context.machine).ok_or_else(|| Missing::program("clang-19", "clang-19"))?;
    let mut figures = Vec::new();
    for (board, kernel) in kernels()? {
        let folder = folder(context, board);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let header = folder.join("vmlinux.h");
        let types = OwnedBtf::open(&kernel.image)?;
        let text = to_c(&types.view(), &Options { asserts: true, ..Options::default() })?;
        std::fs::write(&header, &text).with_context(|| header.display().to_string())?;
        let mut compiler = Command::new(&clang);
        compiler.args(["-target", "bpf", "-g", "-Wall", "-Werror", "-x", "c", "-c"]).arg(&header);
        context.run(compiler.arg("-o").arg(folder.join("vmlinux.o"))).context(board)?;
        figures.push(format!("{board} {} assertions", text.matches("\n___layout(").count()));
    }
    Ok(Outcome::Passed(figures.join(", ")))
}

/// What `disasm` takes.
pub(crate) fn disasm_wants() -> Wants {
    Wants { needs: vec![&needs::DPKG_DEB, &needs::KEYRING, &needs::LLVM_OBJDUMP], ..Wants::default() }
}

/// Instructions as text against llvm-objdump and the running kernel's verifier, helpers against both boards' kernels.
pub(crate) fn disasm(context: &mut Context<'_>) -> Result<Outcome> {
    let objdump = needs::LLVM_OBJDUMP.find(&context.machine);
    let objdump = objdump.ok_or_else(|| Missing::program("llvm-objdump-19", "llvm-19"))?;
    let folder = folder(context, "disasm");
    let objects = oracle::packaged("arm64", &mut *on_stderr())?;
    ensure!(objects.len() >= 50, "only {} objects in libbpf-tools", objects.len());
    let mut insns = 0;
    for (name, bytes) in &objects {
        insns += disasm::as_llvm(&objdump, bytes, &folder).with_context(|| name.clone())?;
    }
    let mut figures = vec![format!("{} objects, {insns} instructions as llvm-objdump's", objects.len())];
    for (board, kernel) in kernels()? {
        let types = OwnedBtf::open(&kernel.image)?;
        figures.push(format!("{} helpers of {board}", disasm::helpers_of(&types.view()).context(board)?));
    }
    figures.push(match disasm::as_verifier(&folder)? {
        Some(v) => {
            format!("{} instructions of {} opcodes as this kernel's verifier's", v.compared, v.opcodes)
        }
        None => "this kernel verifies nothing for us: not compared with it".to_owned(),
    });
    Ok(Outcome::Passed(figures.join(", ")))
}
