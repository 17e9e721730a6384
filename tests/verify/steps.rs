//! The steps of `cargo verify`, in the order they run: cheap and telling ones first.
//!
//! A new step is a row of [`STEPS`] and a function, here or in a module of its own. What it needs on the machine goes
//! into its `wants`, so that set-up can list and install it before the first step runs.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use corelet_boards::Missing;
use corelet_host_tools::setup::targets::{self, Std};
use corelet_host_tools::setup::{Machine as _, ThisMachine, Wants, loader, needs, rust_src, toolchain};
use corelet_tests::{big_endian, budgets, embed};

use crate::attach;
use crate::authors;
use crate::boards;
use crate::capi;
use crate::context::Context;
use crate::convert;
use crate::features;
use crate::fuzz;
use crate::gallery;
use crate::images;
use crate::kernel_relo;
use crate::link;
use crate::mcu;
use crate::names;
use crate::net;
use crate::objects;
use crate::oracle;
use crate::panics;
use crate::peers;
use crate::run::Outcome;
use crate::rust_authors;
use crate::selfcheck;
use crate::single;
use crate::table;

/// One named part of the tests.
pub(crate) struct Step {
    /// What `--only` takes, and the log's name.
    pub(crate) name: &'static str,
    /// What it shows, as a phrase.
    pub(crate) what: &'static str,
    /// Whether only `--full` runs it.
    pub(crate) full: bool,
    /// What it needs on the machine.
    pub(crate) wants: fn() -> Wants,
    /// Does it; an error is a failure.
    pub(crate) run: fn(&mut Context<'_>) -> Result<Outcome>,
}

/// All steps.
#[rustfmt::skip]
pub(crate) const STEPS: &[Step] = &[
    Step { name: "fmt", what: "sources are formatted", full: false, wants: Wants::default, run: fmt },
    Step { name: "clippy", what: "no lint complains", full: false, wants: Wants::default, run: clippy },
    Step { name: "doc", what: "the documentation builds, and what it links to is there", full: false, wants: Wants::default, run: doc },
    Step { name: "test", what: "tests that need no root, no network and no board", full: false, wants: Wants::default, run: test },
    Step { name: "msrv", what: "core and loader build with the rust-version they state", full: false, wants: msrv_wants, run: msrv },
    Step { name: "nostd", what: "core builds where there is no std and relocates on s390x as here, the loader builds without libc", full: false, wants: nostd_wants, run: nostd },
    Step { name: "loader", what: "the loader is one static file for each architecture, of no more bytes than it had", full: false, wants: loader_wants, run: loaders },
    Step { name: "features", what: "the loader's bytes on three architectures, whole and with no feature; by feature on one; the one with none tested", full: true, wants: loader_wants, run: features::run },
    Step { name: "c-library", what: "the loader as a C library links into a Rust program with std; such a program with the loader as a crate prints events on the AArch64 board", full: true, wants: capi::wants, run: capi::run },
    Step { name: "mcu", what: "opensnoop and execsnoop relocated on a Cortex-M3 and an RV32 as on the PC; flash, RAM, stack", full: false, wants: mcu::wants, run: mcu::run },
    Step { name: "panic-free", what: "loader and core link where no panic can", full: false, wants: panics::wants, run: panics::run },
    Step { name: "fuzz", what: "any bytes as object, BTF, pack, image, manifest; relocation through the subset as through the whole", full: true, wants: fuzz::wants, run: fuzz::short },
    Step { name: "dump", what: "both kernels' types as C, every size and offset asserted, by clang", full: false, wants: oracle::dump_wants, run: oracle::dump },
    Step { name: "authors", what: "headers, by themselves and of several kernels; every form of GUIDE.md and what is said of it; registers of another architecture refused; a new project", full: false, wants: authors::wants, run: authors::authors },
    Step { name: "new-author", what: "a newcomer's way in an empty home, timed: install, a new project, an edit, its events on two boards", full: true, wants: authors::new_wants, run: authors::new_author },
    Step { name: "new-rust", what: "programs in Rust: a new project and one of the gallery, compiled by bpf-linker, the same bytes on three boards", full: true, wants: rust_authors::wants, run: rust_authors::run },
    Step { name: "images", what: "both boards' kernels as uImage, FIT, packages (.deb, .rpm, .ipk), folder and file system, made by the tools that make them: one identity, one BTF", full: true, wants: images::wants, run: images::run },
    Step { name: "oracle", what: "objects of Debian's packages on three kernels: libbpf relocates and links as we do, minima as the whole", full: false, wants: oracle::oracle_wants, run: oracle::oracle },
    Step { name: "link", what: "objects linked as bpftool links them: the same programs, maps and variables to core and to libbpf; refused where it refuses", full: false, wants: link::wants, run: link::run },
    Step { name: "link-all", what: "the same with each of 57 objects, alone and with the next", full: true, wants: link::wants, run: link::all },
    Step { name: "selfcheck", what: "programs that check themselves, on made-up targets of both byte orders; libbpf does the same", full: false, wants: selfcheck::wants, run: selfcheck::run },
    Step { name: "kernel-btf", what: "57 objects on both kernels: relocated with types read in passes as with the whole", full: false, wants: oracle::dump_wants, run: oracle::kernel_btf },
    Step { name: "convert", what: "types of the 32-bit ARM kernel out of its DWARF: all that pahole makes of the same; layouts as pahole prints them", full: true, wants: convert::wants, run: convert::one },
    Step { name: "convert-all", what: "the same for AArch64, where objects relocate as through the kernel's own types and the kernel takes ours; time and memory", full: true, wants: convert::all_wants, run: convert::all },
    Step { name: "minimum", what: "`btf min` beside bpftool's min_core_btf: time, memory, instructions, bytes", full: true, wants: peers::wants, run: peers::minimum },
    Step { name: "engine", what: "instructions of core to relocate 57 objects, beside libbpf's", full: true, wants: peers::wants, run: peers::engine },
    Step { name: "disasm", what: "instructions as text: as llvm-objdump on 57 objects, as this kernel's verifier on every opcode; helpers as both kernels name them", full: false, wants: oracle::disasm_wants, run: oracle::disasm },
    Step { name: "kernel-relo", what: "both boards' kernels relocate real objects themselves, as we do", full: false, wants: kernel_relo::wants, run: kernel_relo::run },
    Step { name: "refusals", what: "bad packs on the AArch64 board: refused in words, nothing left loaded", full: false, wants: boards::aarch64_wants, run: boards::refusals },
    Step { name: "service", what: "packs pinned, replaced, shown, killed and supervised on the AArch64 board; refused on the 5.10 one", full: false, wants: boards::service_wants, run: boards::service },
    Step { name: "service-long", what: "the same with 100 kills, and ten minutes of events as fast as they come: lost ones counted, memory flat", full: true, wants: boards::service_wants, run: boards::service_long },
    Step { name: "costs", what: "bytes of opensnoop's pack and memory to load it, on all boards", full: false, wants: boards::all_wants, run: boards::costs },
    Step { name: "aarch64", what: "nine tools on the AArch64 board, and one with types of a file system", full: false, wants: boards::aarch64_wants, run: boards::aarch64 },
    Step { name: "aarch64-shifted", what: "the same with every shifted offset", full: true, wants: boards::aarch64_wants, run: boards::aarch64_mutants },
    Step { name: "aarch64-old", what: "the same objects on a kernel of the 5.10 series", full: false, wants: boards::aarch64_old_wants, run: boards::aarch64_old },
    Step { name: "riscv64", what: "the same on the RISC-V board, compiled from source; types that are of a module here and built in there", full: false, wants: boards::riscv64_wants, run: boards::riscv64 },
    Step { name: "riscv64-shifted", what: "the same with every shifted offset", full: true, wants: boards::riscv64_wants, run: boards::riscv64_mutants },
    Step { name: "armv7", what: "nine tools on 32-bit ARM, whose kernel has no BTF, and wide reads gone wrong", full: false, wants: boards::armv7_wants, run: boards::armv7 },
    Step { name: "armv7-shifted", what: "the same with every shifted offset", full: true, wants: boards::armv7_wants, run: boards::armv7_mutants },
    Step { name: "armv7-tiny", what: "the same in 32 MiB, on a kernel built here (6 minutes the first time, then one) with hardly anything in it", full: true, wants: boards::armv7_tiny_wants, run: boards::armv7_tiny },
    Step { name: "big-endian", what: "every tool and every program that checks itself, compiled big-endian: as libbpf on s390x relocates it", full: true, wants: oracle::big_endian_wants, run: oracle::big_endian },
    Step { name: "field", what: "the AArch64 board from one kernel to another and back: targets installed apart, preflight's answers", full: false, wants: boards::aarch64_wants, run: boards::field },
    Step { name: "attach", what: "every way of attaching of tracing on the AArch64 board, counted; with the kernel's compiler on and off", full: false, wants: attach::wants, run: attach::run },
    Step { name: "attach-all", what: "the same on RISC-V too, and on 32-bit ARM, whose kernel has no types; cgroups, namespaces, sockets, struct_ops", full: true, wants: attach::all_wants, run: attach::all },
    Step { name: "names", what: "all 116 names of sections of programs, each on boards with kernels of 6.12 and 7.2, the younger ones on 6.18 too: attached and counted, or refused for the kernel's reason; prints the table", full: true, wants: names::wants, run: names::run },
    Step { name: "net", what: "every way of attaching to network devices on the AArch64 board: echoes between namespaces counted and dropped by content, nothing left", full: true, wants: net::wants, run: net::run },
    Step { name: "net-old", what: "the same on a kernel of the 5.10 series, by rtnetlink; what it lacks is refused", full: true, wants: net::old_wants, run: net::old },
    Step { name: "uprobe", what: "uprobe, uretprobe, uprobe.multi and USDT on three architectures, and on a kernel of 5.10: what they read", full: true, wants: boards::uprobe_wants, run: boards::uprobe },
    Step { name: "gallery", what: "the gallery's objects packed for the boards' kernels: what relocation finds there, and nothing that no branch guards", full: false, wants: gallery::default_wants, run: gallery::packed },
    Step { name: "gallery-boards", what: "the gallery: programs compiled once, right on six boards, two kernel series of each architecture", full: true, wants: gallery::wants, run: gallery::boards },
    Step { name: "fuzz-long", what: "the same, fifty times as long", full: true, wants: fuzz::wants, run: fuzz::long },
    Step { name: "tools57", what: "all 57 tools on three boards: loaded, attached, right for known work, memory beside a static libbpf loader's", full: true, wants: table::wants, run: table::run },
    Step { name: "others", what: "objects of other projects that trace, on the AArch64 board: what ours and a static libbpf loader load", full: true, wants: table::others_wants, run: table::others },
    Step { name: "single-packs", what: "all 57 tools compiled once, the same bytes for every architecture: packed for the kernels of six boards, as the table says", full: true, wants: single::wants, run: single::packs },
    Step { name: "single", what: "the same objects run with known work on six boards, two kernel series of each architecture, beside a static libbpf loader", full: true, wants: single::wants, run: single::boards },
    Step { name: "objects", what: "objects of 20 other projects on two boards: what libbpf loads, ours loads, and nothing stays", full: true, wants: objects::wants, run: objects::run },
    Step { name: "fleet", what: "all 57 tools for three boards: packed, or refused with a reason, as the table says", full: false, wants: boards::all_wants, run: boards::fleet },
    Step { name: "fleet-load", what: "the same loaded on the boards, or refused there, as the table says", full: true, wants: boards::all_wants, run: boards::fleet_load },
];

/// Targets without an operating system, for which what needs std does not build, and a big-endian one.
const BARE: [&str; 4] =
    ["thumbv7m-none-eabi", "thumbv6m-none-eabi", "riscv32imc-unknown-none-elf", big_endian::TARGET];

fn passed() -> Outcome {
    Outcome::Passed(String::new())
}

fn fmt(context: &mut Context<'_>) -> Result<Outcome> {
    context.cargo(&["fmt", "--all", "--check"])?;
    Ok(passed())
}

fn clippy(context: &mut Context<'_>) -> Result<Outcome> {
    context.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    // what only the device's executable has
    let device = ["--features", "device", "--profile", "device", "--bin", "corelet-loader"];
    let clippy = ["clippy", "--package", "corelet-loader"];
    context.cargo(&[&clippy[..], &device, &["--", "-D", "warnings"]].concat())?;
    Ok(passed())
}

fn doc(context: &mut Context<'_>) -> Result<Outcome> {
    let mut cargo = Command::new("cargo");
    context.run(cargo.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(passed())
}

fn test(context: &mut Context<'_>) -> Result<Outcome> {
    context.cargo(&["test", "--workspace"])?;
    Ok(passed())
}

/// The stated rust-version of core and loader, as rustup names its toolchain.
const MSRV: &str = "1.88.0";

fn msrv_wants() -> Wants {
    Wants { toolchains: vec![MSRV], ..Wants::default() }
}

/// Compiles with that very toolchain. Where rustup cannot have it, clippy checks every use of core and std against the
/// version that it became stable in, which leaves the language itself unchecked; the table says which it was.
fn msrv(context: &mut Context<'_>) -> Result<Outcome> {
    let stated =
        context.output(Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]))?;
    for package in ["corelet-core", "corelet-loader"] {
        let version = rust_version(&stated, package)?;
        if !MSRV.strip_prefix(&version).is_some_and(|patch| patch.is_empty() || patch.starts_with('.')) {
            bail!("{package} states rust-version {version:?}, this step tests {MSRV}: make them one");
        }
    }
    let packages = ["--package", "corelet-core", "--package", "corelet-loader"];
    if toolchain::has(&mut ThisMachine, MSRV)? {
        let folder = context.workspace.target.join("msrv");
        let mut rustup = Command::new("rustup");
        rustup.args(["run", MSRV, "cargo", "check", "--target-dir"]).arg(folder).args(packages);
        context.run(&mut rustup)?;
        return Ok(Outcome::Passed(format!("compiled with {MSRV}")));
    }
    // clippy takes the version from Cargo.toml.
    let folder = context.workspace.target.join("msrv-lint");
    let mut cargo = Command::new("cargo");
    cargo.args(["clippy", "--target-dir"]).arg(folder).args(packages).args([
        "--",
        "-D",
        "clippy::incompatible_msrv",
    ]);
    context.run(&mut cargo)?;
    Ok(Outcome::Passed(format!("linted: rustup cannot have {MSRV} here")))
}

/// The rust-version of a package in the output of `cargo metadata`.
fn rust_version(metadata: &str, package: &str) -> Result<String> {
    let metadata: serde_json::Value =
        serde_json::from_str(metadata).context("cargo metadata printed no JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let found = packages.iter().find(|entry| entry["name"] == package);
    let version = found.and_then(|entry| entry["rust_version"].as_str());
    version.map(str::to_owned).with_context(|| format!("{package} states no rust-version"))
}

fn nostd_wants() -> Wants {
    let mut targets = [BARE.as_slice(), &[targets::LOADER[0]]].concat();
    // its library must be compiled, from sources that somebody has named
    if ThisMachine.variable(rust_src::VARIABLE).is_some() {
        targets.extend(targets::TIER_3);
    }
    Wants { needs: vec![&needs::QEMU_S390X], targets, ..Wants::default() }
}

fn nostd(context: &mut Context<'_>) -> Result<Outcome> {
    let mut words = Vec::new();
    for target in BARE.into_iter().chain(targets::TIER_3) {
        match loader::library(&mut context.machine, context.workspace, "corelet-core", target) {
            Ok(way) => context.note(&format!("corelet-core for {target}: {way:?}"))?,
            Err(e) if targets::TIER_3.contains(&target) && e.is::<Missing>() => {
                context.note(&format!("{e:#}"))?;
                words.push(format!("{target} left out: {} names no sources", rust_src::VARIABLE));
            }
            Err(e) => return Err(e),
        }
    }
    let program = loader::executable(
        &mut context.machine,
        context.workspace,
        "corelet-big-endian",
        big_endian::TARGET,
    )?;
    let emulator = needs::QEMU_S390X.find(&context.machine).context("no emulator of s390x")?;
    for line in big_endian::compare(&emulator, &program)? {
        context.note(&line)?;
        words.push(line);
    }
    for target in targets::LOADER {
        // rustix falls back to libc without a word where it does not know a target.
        let words = [
            "tree",
            "--package",
            "corelet-loader",
            "--features",
            "device",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ];
        let tree = context.output(Command::new("cargo").args(words).args(["--target", target]))?;
        if let Some(line) = tree.lines().find(|line| line.starts_with("libc ")) {
            bail!("the loader for {target} depends on {line}");
        }
    }
    Ok(Outcome::Passed(words.join(", ")))
}

fn loader_wants() -> Wants {
    Wants { targets: targets::LOADER.to_vec(), ..Wants::default() }
}

/// The architectures that are built without the kernel's own types too: that of the smallest machines, and that of PCs.
const WITHOUT: [&str; 2] = ["armv7", "x86_64"];

fn loaders(context: &mut Context<'_>) -> Result<Outcome> {
    let budgets = budgets::budgets()?;
    let mut figures = Vec::new();
    loader::ahead(&mut context.machine, context.workspace, "device", &targets::LOADER)?;
    for target in targets::LOADER {
        let built = loader::build(&mut context.machine, context.workspace, target)?;
        let bytes = std::fs::read(&built.path)
            .with_context(|| format!("{}: cannot read this", built.path.display()))?;
        is_static(&bytes).with_context(|| format!("the loader for {target}"))?;
        context.note(&format!("{target}: {} bytes, standard library {:?}", built.size, built.std))?;
        let arch = target.split('-').next().unwrap_or(target);
        let (of, way) = match built.std {
            Std::Built => (&budgets.loader, ""),
            _ => (&budgets.loader_std_from_source, " (std from source)"),
        };
        let of = of.get(target).with_context(|| format!("budgets.toml says nothing of {target}"))?;
        let goal = budgets.goals.loader;
        let whole = budgets::hold(&format!("{arch} bytes"), built.size, Some(&of.whole), 1, goal)?;
        figures.push(format!("{whole}{way}"));
        // of the others the step `features` tells
        if WITHOUT.contains(&arch) {
            let small = loader::build_without(&mut context.machine, context.workspace, "kernel-btf", target)?;
            figures.push(budgets::hold(
                "without kernel-btf",
                small.size,
                Some(&of.without_kernel_btf),
                1,
                goal,
            )?);
        }
        if arch == std::env::consts::ARCH && arch == "x86_64" {
            let more = embed::on_host(&bytes, built.path.parent().context("the loader lies in no folder")?)?;
            figures.push(format!("with a pack inside it and {more} bytes more"));
        }
    }
    Ok(Outcome::Passed(figures.join(", ")))
}

/// An executable at a fixed address that names no interpreter and has nothing to be linked at its start.
fn is_static(bytes: &[u8]) -> Result<()> {
    use object::Object;
    use object::read::elf::{FileHeader, ProgramHeader};
    fn kinds<H: FileHeader<Endian = object::Endianness>>(
        bytes: &[u8],
    ) -> Result<Vec<object::elf::ProgramType>> {
        let header = H::parse(bytes)?;
        let endian = header.endian()?;
        Ok(header.program_headers(endian, bytes)?.iter().map(|entry| entry.p_type(endian)).collect())
    }
    let file = object::File::parse(bytes).context("not an ELF file")?;
    if file.kind() != object::ObjectKind::Executable {
        bail!("an executable was expected, this is {:?}", file.kind());
    }
    let kinds = if file.is_64() {
        kinds::<object::elf::FileHeader64<object::Endianness>>(bytes)?
    } else {
        kinds::<object::elf::FileHeader32<object::Endianness>>(bytes)?
    };
    if kinds.contains(&object::elf::PT_INTERP) || kinds.contains(&object::elf::PT_DYNAMIC) {
        bail!("it is linked when it starts: it has a PT_INTERP or PT_DYNAMIC");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rust_version_of_a_package_is_found() {
        let metadata =
            r#"{"packages":[{"name":"a","rust_version":null},{"name":"b","rust_version":"1.88"}]}"#;
        assert_eq!(rust_version(metadata, "b").unwrap(), "1.88");
        assert!(rust_version(metadata, "a").is_err());
    }

    #[test]
    fn a_program_of_this_machine_is_not_static() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(is_static(&own).is_err());
        assert!(is_static(b"no ELF").is_err());
    }
}
