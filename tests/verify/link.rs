//! The step that holds `corelet link` against bpftool.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, Missing, kernel_for, on_stderr};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::setup::{Wants, needs};
use corelet_host_tools::subset::KernelTypes;
use corelet_tests::link::{Bench, Compared, PAIRS};
use corelet_tests::oracle;
use corelet_tests::oracle::libbpf::{Libbpf, Running};
use corelet_tests::oracle::newest::Bpftool;

use crate::context::Context;
use crate::run::Outcome;

/// Real objects that are linked, alone and in pairs: one name each of libbpf-tools.
const REAL: [&str; 8] =
    ["opensnoop", "execsnoop", "biolatency", "tcpconnect", "runqslower", "filetop", "ksnoop", "vfsstat"];

/// What `link` takes.
pub(crate) fn wants() -> Wants {
    let needs = vec![&needs::DPKG_DEB, &needs::KEYRING, &needs::BPFTOOL, &needs::LIBBPF_HEADERS];
    Wants { needs, ..Wants::default() }
}

/// Pairs of our own, real objects alone and in pairs.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    with(context, |name| name.strip_suffix("-libbpf").is_some_and(|name| REAL.contains(&name)))
}

/// The same with every object of libbpf-tools, alone and with the next.
pub(crate) fn all(context: &mut Context<'_>) -> Result<Outcome> {
    with(context, |_| true)
}

fn with(context: &mut Context<'_>, taken: fn(&str) -> bool) -> Result<Outcome> {
    let here = needs::BPFTOOL.find(&context.machine).ok_or_else(|| Missing::program("bpftool", "bpftool"))?;
    let folder = context.workspace.target.join("verify").join("link-objects");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let bpftool = Bpftool::newest(&here, &folder, &mut *on_stderr())?;
    let kernel = kernel_for(&Board::find("qemu-aarch64")?, &mut *on_stderr())?;
    let whole = OwnedBtf::open(&kernel.image)?;
    let types_file = folder.join("kernel.btf");
    std::fs::write(&types_file, whole.bytes()).with_context(|| types_file.display().to_string())?;
    let running = Running { btf: &types_file, release: &kernel.release, config: kernel.config.as_deref() };
    let types = KernelTypes::new(whole.view());
    let bench = Bench {
        bpftool: &bpftool.words,
        libbpf: &Libbpf::build(&folder)?,
        types: &types,
        running,
        folder: &folder,
    };
    let mut own = Compared::default();
    for (name, a, b) in PAIRS {
        bench.compare(&[(&format!("{name}.a.o"), a), (&format!("{name}.b.o"), b)], &mut own).context(name)?;
    }
    ensure!(own.linked == PAIRS.len(), "only {} pairs of ours are linked", own.linked);
    let mut objects = oracle::packaged("arm64", &mut *on_stderr())?;
    objects.retain(|(name, _)| taken(name));
    ensure!(objects.len() >= REAL.len(), "only {} objects of libbpf-tools", objects.len());
    let (mut alone, mut paired) = (Compared::default(), Compared::default());
    for (number, (name, bytes)) in objects.iter().enumerate() {
        bench.compare(&[(name, bytes)], &mut alone).with_context(|| name.clone())?;
        let (other, more) = &objects[(number + 1) % objects.len()];
        bench
            .compare(&[(name, bytes), (other, more)], &mut paired)
            .with_context(|| format!("{name} and {other}"))?;
    }
    ensure!(alone.refused == 0, "{} objects are not linked alone", alone.refused);
    ensure!(own.linked + paired.linked >= 10, "only {} pairs", own.linked + paired.linked);
    let all = [own, alone, paired];
    let sum = |of: fn(&Compared) -> usize| all.iter().map(of).sum::<usize>();
    Ok(Outcome::Passed(format!(
        "bpftool {}: {} pairs of ours, {} objects alone and {} pairs of them linked as it does, {} pairs refused as it does; {} \
         functions, {} instructions, {} maps and variables alike, {} of them misplaced in bpftool's types; types {} bytes, bpftool's {}",
        bpftool.version,
        own.linked,
        alone.linked,
        paired.linked,
        paired.refused,
        sum(|c| c.functions),
        sum(|c| c.insns),
        sum(|c| c.data),
        sum(|c| c.misplaced),
        sum(|c| c.btf.0),
        sum(|c| c.btf.1)
    )))
}
