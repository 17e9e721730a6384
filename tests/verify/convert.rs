//! The steps that hold `corelet btf convert` against pahole, against kernels' own types, and against a kernel that takes them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use corelet_boards::{Board, Kernel, kernel_for, on_stderr};
use corelet_core::btf::Kind;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::kernel::packaged;
use corelet_host_tools::setup::{Machine as _, Wants, loader, needs};
use corelet_host_tools::subset::KernelTypes;
use corelet_tests::convert::differences::Differences;
use corelet_tests::convert::peer::Pahole;
use corelet_tests::convert::{accepted, compare, layouts, relocated};
use corelet_tests::oracle::cost::{Cost, Meter};
use corelet_tests::{kernel_relo, oracle};

use crate::boards;
use crate::context::Context;
use crate::run::Outcome;

/// Structs and unions whose layouts must be compared, at least.
const LAYOUTS: usize = 5000;
/// The ones that are named in the documentation of the comparison: large, with bitfields, unions, structs without a name.
const NAMED: [&str; 13] = [
    "struct task_struct",
    "struct sk_buff",
    "struct sock",
    "struct tcp_sock",
    "struct file",
    "struct inode",
    "struct page",
    "struct request",
    "struct net_device",
    "struct mm_struct",
    "struct sched_dl_entity",
    "struct perf_event_attr",
    "struct iphdr",
];
/// Relocations that must be the same through converted types, at least.
const RELOCATIONS: usize = 600;
/// Runs of each command for times.
const RUNS: usize = 5;
/// Goals of the comparison with pahole, on 2 cores: times faster, and its memory divided by ours.
const GOALS: (f64, f64) = (2.5, 3.0);

/// What `convert` takes.
pub(crate) fn wants() -> Wants {
    Wants { needs: vec![&needs::DPKG_DEB, &needs::KEYRING], ..Wants::default() }
}

/// What `convert-all` takes: the AArch64 board too.
pub(crate) fn all_wants() -> Wants {
    boards::aarch64_wants()
}

/// A kernel with its DWARF, and what was made of it.
struct Made {
    name: &'static str,
    kernel: Kernel,
    vmlinux: PathBuf,
    theirs: PathBuf,
    ours: PathBuf,
}

/// `corelet` and pahole.
struct Tools {
    folder: PathBuf,
    corelet: String,
    pahole: Pahole,
}

impl Tools {
    fn new(context: &mut Context<'_>) -> Result<Tools> {
        context.cargo(&["build", "--release", "--package", "corelet-host-tools"])?;
        let folder = context.workspace.target.join("verify").join("convert");
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let corelet = context.workspace.target.join("release").join("corelet").display().to_string();
        let pahole = Pahole::newest(&folder, &mut *on_stderr())?;
        Ok(Tools { folder, corelet, pahole })
    }

    fn convert(&self, vmlinux: &Path, out: &Path) -> Vec<String> {
        let words = [&self.corelet, "btf", "convert", &vmlinux.display().to_string(), "-o"];
        words.iter().map(|w| (*w).to_owned()).chain([out.display().to_string()]).collect()
    }

    /// Converts the kernel of `board` both ways.
    fn make(&self, context: &mut Context<'_>, name: &'static str, board: &str) -> Result<Made> {
        let kernel = kernel_for(&Board::find(board)?, &mut *on_stderr())?;
        let vmlinux = packaged::vmlinux(&kernel, &mut *on_stderr())?;
        let file = |who: &str| self.folder.join(format!("{name}.{who}.btf"));
        let made = Made { name, kernel, vmlinux, theirs: file("pahole"), ours: file("corelet") };
        for words in
            [self.pahole.encode(&made.vmlinux, &made.theirs, 2), self.convert(&made.vmlinux, &made.ours)]
        {
            let (program, rest) = words.split_first().context("no program")?;
            context.run(std::process::Command::new(program).args(rest)).context(name)?;
        }
        Ok(made)
    }

    /// What the two say differently, by rule.
    fn compare(&self, context: &mut Context<'_>, made: &Made) -> Result<String> {
        let (theirs, ours) = (OwnedBtf::open(&made.theirs)?, OwnedBtf::open(&made.ours)?);
        let found = compare::compare(&theirs.view(), &ours.view());
        for difference in &found.differences {
            context.note(&format!("{}: {difference}", made.name))?;
        }
        let mut kinds = Vec::new();
        for (kind, [theirs, ours]) in &found.kinds {
            context.note(&format!("{}: {:<12} {theirs:>7} {ours:>7}", made.name, kind.name()))?;
            kinds.push(format!("{} {ours}/{theirs}", kind.name()));
        }
        let (theirs, ours) = (theirs.bytes().len(), ours.bytes().len());
        let release = &made.kernel.release;
        let unlisted =
            Differences::read()?.unlisted(made.name, &self.pahole.version, release, &found.differences);
        // a comparison of nothing would find nothing
        let structs = found.kinds.get(&Kind::Struct).map_or(0, |[theirs, _]| *theirs);
        ensure!(structs > 5000 && found.same > 40_000, "{}: only {} texts compared", made.name, found.same);
        let head = format!(
            "{} {release}: {} names and texts as pahole {}'s, {} differ by rule; {ours} bytes to {theirs}; types {}",
            made.name,
            found.same,
            self.pahole.version,
            found.differences.len(),
            kinds.join(" ")
        );
        if !unlisted.is_empty() {
            let shown: Vec<_> = unlisted.iter().take(20).map(String::as_str).collect();
            bail!("{head}\n{} are not as listed:\n{}", unlisted.len(), shown.join("\n"));
        }
        Ok(head)
    }

    /// Layouts of pahole's BTF, as pahole and as `corelet btf dump` print them.
    fn layouts(&self, context: &mut Context<'_>, made: &Made) -> Result<String> {
        let btf = OwnedBtf::open(&made.theirs)?;
        let found = layouts::compare(&self.pahole.layouts(&made.theirs)?, &btf.view())?;
        for (name, theirs, ours) in &found.differences {
            context.note(&format!("layout of {name}: pahole {theirs:?}, here {ours:?}"))?;
        }
        let differ: Vec<_> = found.differences.iter().map(|(name, ..)| &**name).collect();
        let wrong = |name: &&str| differ.contains(name) || !found.compared.contains(*name);
        let named: Vec<_> = NAMED.into_iter().filter(wrong).collect();
        ensure!(named.is_empty(), "{}: layouts that are not pahole's: {named:?}", made.name);
        let compared = found.compared.len();
        ensure!(compared >= LAYOUTS, "{}: only {compared} layouts", made.name);
        ensure!(
            differ.len() * 100 <= compared,
            "{}: {} of {compared} layouts are not pahole's",
            made.name,
            differ.len()
        );
        Ok(format!("{} of {} layouts as pahole prints them", compared - differ.len(), compared))
    }

    /// Wall time on one core and on two, and memory, in turn.
    fn cost(&self, context: &mut Context<'_>, made: &Made) -> Result<String> {
        let meter = Meter::build(&self.folder)?;
        let taskset = context.machine.program("taskset").context("no taskset on this machine")?;
        let mut figures = Vec::new();
        for cores in [1, 2] {
            let bound = |words: Vec<String>| {
                let cpus = if cores == 1 { "0" } else { "0,1" };
                let first = [taskset.display().to_string(), "-c".to_owned(), cpus.to_owned()];
                first.into_iter().chain(words).collect::<Vec<_>>()
            };
            let (ours, theirs) = (
                bound(self.convert(&made.vmlinux, &made.ours)),
                bound(self.pahole.encode(&made.vmlinux, &made.theirs, cores)),
            );
            let (ours, theirs) = meter.pair(RUNS, &ours, &theirs)?;
            figures.push(told(cores, ours, theirs));
            context.note(&format!("{}: {cores} cores: {ours:?}, pahole {theirs:?}", made.name))?;
        }
        Ok(figures.join(", "))
    }
}

fn told(cores: usize, ours: Cost, theirs: Cost) -> String {
    let ratio = |theirs: u64, ours: u64| theirs as f64 / ours.max(1) as f64;
    let (time, memory) = (ratio(theirs.wall, ours.wall), ratio(theirs.peak, ours.peak));
    let missed = |reached: f64, goal: f64| {
        if cores == 2 && reached < goal { format!(", goal {goal} missed") } else { String::new() }
    };
    format!(
        "{cores} core{}: {:.2} s to {:.2} ({time:.1} times{}), {} KiB to {} ({memory:.1} times{})",
        if cores == 1 { "" } else { "s" },
        ours.wall as f64 / 1e6,
        theirs.wall as f64 / 1e6,
        missed(time, GOALS.0),
        ours.peak,
        theirs.peak,
        missed(memory, GOALS.1)
    )
}

/// The types of the 32-bit ARM kernel: all that pahole makes of its DWARF.
pub(crate) fn one(context: &mut Context<'_>) -> Result<Outcome> {
    let tools = Tools::new(context)?;
    let made = tools.make(context, "armmp", "qemu-armv7")?;
    let figures = [tools.compare(context, &made)?, tools.layouts(context, &made)?];
    Ok(Outcome::Passed(figures.join("; ")))
}

/// The same of the AArch64 kernel, which has types of its own: objects relocate as through those, and the kernel takes the
/// result. Time and memory of both kernels.
pub(crate) fn all(context: &mut Context<'_>) -> Result<Outcome> {
    let tools = Tools::new(context)?;
    let arm64 = tools.make(context, "cloud-arm64", "qemu-aarch64")?;
    let armmp = tools.make(context, "armmp", "qemu-armv7")?;
    let mut figures = vec![tools.compare(context, &arm64)?, tools.layouts(context, &arm64)?];
    figures.push(relocations(context, &arm64)?);
    figures.push(taken(context, &arm64)?);
    figures.iter().try_for_each(|figure| context.note(figure))?;
    for made in [&arm64, &armmp] {
        figures.push(format!("{}: {}", made.name, tools.cost(context, made)?));
    }
    Ok(Outcome::Passed(figures.join("; ")))
}

/// All objects of Debian's libbpf-tools through converted types and through the kernel's own.
fn relocations(context: &mut Context<'_>, made: &Made) -> Result<String> {
    let objects = oracle::packaged("arm64", &mut *on_stderr())?;
    let (own, converted) = (OwnedBtf::open(&made.kernel.image)?, OwnedBtf::open(&made.ours)?);
    let (own, converted) = (KernelTypes::new(own.view()), KernelTypes::new(converted.view()));
    let found = relocated::compare(&objects, &own, &converted)?;
    found.differences.iter().try_for_each(|d| context.note(d))?;
    ensure!(found.differences.is_empty(), "{}", found.differences.join("\n"));
    ensure!(
        found.objects >= 50 && found.relocations >= RELOCATIONS,
        "only {} relocations of {} objects",
        found.relocations,
        found.objects
    );
    Ok(format!(
        "{} objects: {} relocations, {} instructions as through the kernel's own types ({} ids left out)",
        found.objects, found.relocations, found.insns, found.ids
    ))
}

/// The converted types and the kernel's own, loaded on the board; damaged ones must be refused.
fn taken(context: &mut Context<'_>, made: &Made) -> Result<String> {
    let board = Board::find("qemu-aarch64")?;
    let replay =
        loader::executable(&mut context.machine, context.workspace, "corelet-replay", &board.arch.rust)?;
    let replay = std::fs::read(&replay).with_context(|| replay.display().to_string())?;
    let (own, converted) = (OwnedBtf::open(&made.kernel.image)?, OwnedBtf::open(&made.ours)?);
    let damaged = accepted::damaged(&converted.view(), converted.bytes())?;
    let files = [converted.bytes(), own.bytes(), &damaged].map(accepted::request);
    let files = files.into_iter().collect::<Result<Vec<_>>>()?;
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let mut console = Vec::new();
    let mut hear = |line: &str| console.push(line.to_owned());
    let answers = kernel_relo::ask(&board, &made.kernel, &replay, &files, &mut *on_stderr(), &mut hear);
    console.iter().try_for_each(|line| context.note(line))?;
    let said: Vec<_> = answers?.iter().map(|answers| accepted::refused(answers)).collect();
    let [converted_said, own_said, damaged_said] = &*said else {
        bail!("the board spoke of {} files", said.len())
    };
    if let Some(why) = converted_said {
        bail!("{} refuses the converted types: {why}; its own: {own_said:?}", board.name);
    }
    ensure!(damaged_said.is_some(), "{} takes types whose first struct has no size", board.name);
    Ok(format!("{} takes all {} bytes by BPF_BTF_LOAD", board.name, converted.bytes().len()))
}
