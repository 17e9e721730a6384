//! Steps that hold what our programs cost against what others cost that do the same, in one run. The kernel is the AArch64
//! board's, the objects are those of Debian's libbpf-tools for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, Missing, kernel_for, on_stderr};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::setup::{Wants, needs};
use corelet_tests::budgets::{self, Budgets};
use corelet_tests::oracle::cost::{Meter, instructions};
use corelet_tests::oracle::libbpf::Libbpf;
use corelet_tests::oracle::newest::Bpftool;
use corelet_tests::oracle::packaged;

use crate::context::Context;
use crate::run::Outcome;

/// The object that is also looked at alone.
const ONE: &str = "opensnoop-libbpf";
/// Runs of each command for times.
const RUNS: usize = 15;

/// What `minimum` and `engine` take.
pub(crate) fn wants() -> Wants {
    Wants {
        needs: vec![
            &needs::DPKG_DEB,
            &needs::KEYRING,
            &needs::BPFTOOL,
            &needs::LIBBPF_HEADERS,
            &needs::VALGRIND,
        ],
        ..Wants::default()
    }
}

/// Builds for release as budgets were measured: an environment that asks for incremental builds would have far less inlined.
fn build(context: &mut Context<'_>, words: &[&str]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    context.run(cargo.args(["build", "--release"]).args(words).env("CARGO_INCREMENTAL", "0"))
}

/// The kernel's types and the objects, as files.
struct Files {
    folder: PathBuf,
    btf: PathBuf,
    objects: Vec<PathBuf>,
    one: PathBuf,
    corelet: String,
}

impl Files {
    fn write(context: &mut Context<'_>, step: &str) -> Result<Files> {
        build(context, &["--package", "corelet-host-tools"])?;
        let folder = context.workspace.target.join("verify").join(step);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let kernel = kernel_for(&Board::find("qemu-aarch64")?, &mut *on_stderr())?;
        let btf = folder.join("kernel.btf");
        std::fs::write(&btf, OwnedBtf::open(&kernel.image)?.bytes())?;
        let mut objects = Vec::new();
        for (name, bytes) in packaged("arm64", &mut *on_stderr())? {
            let path = folder.join(format!("{name}.bpf.o"));
            std::fs::write(&path, bytes)?;
            objects.push(path);
        }
        ensure!(objects.len() >= 50, "only {} objects in libbpf-tools", objects.len());
        let one = folder.join(format!("{ONE}.bpf.o"));
        ensure!(objects.contains(&one), "libbpf-tools has no {ONE}");
        let corelet = text(&context.workspace.target.join("release").join("corelet"));
        Ok(Files { folder, btf, objects, one, corelet })
    }

    /// `corelet btf min` of some objects.
    fn min(&self, objects: &[PathBuf], out: &Path) -> Vec<String> {
        let mut words: Vec<String> =
            [&self.corelet, "btf", "min", "--btf", &text(&self.btf), "-o", &text(out)]
                .map(str::to_owned)
                .into();
        words.extend(objects.iter().map(|o| text(o)));
        words
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// `corelet btf min` and `bpftool gen min_core_btf` on the same input, in turn.
///
/// Instructions are held to the budget, bytes and memory to what was reached, with room for another bpftool; times are
/// printed, and a failure only where they are far from what they were: machines are busy.
pub(crate) fn minimum(context: &mut Context<'_>) -> Result<Outcome> {
    let here = needs::BPFTOOL.find(&context.machine).ok_or_else(|| Missing::program("bpftool", "bpftool"))?;
    let files = Files::write(context, "minimum")?;
    let bpftool = Bpftool::newest(&here, &files.folder, &mut *on_stderr())?;
    let meter = Meter::build(&files.folder)?;
    let budgets = budgets::budgets()?;
    let mut figures = vec![format!("bpftool {}", bpftool.version)];
    for (name, objects, least_time) in
        [("one", std::slice::from_ref(&files.one), 3.0), ("all", &files.objects[..], 7.0)]
    {
        let (ours, theirs) = (files.folder.join("ours.btf"), files.folder.join("theirs.btf"));
        let mine = files.min(objects, &ours);
        let mut other = bpftool.words.clone();
        other.extend(["gen", "min_core_btf", &text(&files.btf), &text(&theirs)].map(str::to_owned));
        other.extend(objects.iter().map(|o| text(o)));
        let (a, b) = meter.pair(RUNS, &mine, &other)?;
        let bytes = |path: &Path| std::fs::metadata(path).map(|m| m.len());
        let (our_bytes, their_bytes) = (bytes(&ours)?, bytes(&theirs)?);
        let (our_insns, their_insns) = (instructions(&mine, &[])?, instructions(&other, &[])?);
        let ratio = |theirs: u64, ours: u64| theirs as f64 / ours.max(1) as f64;
        let (time, memory) = (ratio(b.micros, a.micros), ratio(b.peak, a.peak));
        let held = hold(&budgets, &format!("min-{name}"), our_insns)?;
        let wanted = |reached: f64, goal: f64| {
            if reached < goal { format!(", goal {goal} missed") } else { String::new() }
        };
        figures.push(format!(
            "{name}: {:.1} ms to {:.1} ({time:.1} times{}), {} KiB to {} ({memory:.1} times{}), {held} to {their_insns} ({:.1} \
             times), {our_bytes} bytes to {their_bytes}",
            a.micros as f64 / 1000.0,
            b.micros as f64 / 1000.0,
            wanted(time, 10.0),
            a.peak,
            b.peak,
            wanted(memory, 3.0),
            ratio(their_insns, our_insns),
        ));
        context.note(figures.last().map_or("", String::as_str))?;
        // libbpf takes the pointer size from `long`, which ours adds and bpftool's minimum lacks
        const LONG: u64 = 16 + "long unsigned int\0".len() as u64;
        ensure!(our_bytes <= their_bytes + LONG, "{name}: {our_bytes} bytes, bpftool's {their_bytes}");
        ensure!(memory > 2.6, "{name}: {} KiB, bpftool {}", a.peak, b.peak);
        ensure!(time > least_time, "{name}: {} µs, bpftool {}", a.micros, b.micros);
    }
    Ok(Outcome::Passed(figures.join("; ")))
}

/// Instructions of core and of libbpf for the same: reading the target's types and relocating all programs through them.
///
/// Of core it is the function `relocate` of its example, which holds `Btf::parse` and all calls of
/// `Relocator::relocate_known`; of libbpf `btf_parse_raw` and `bpf_core_resolve_relo`, each with what it calls: candidates are
/// looked for there. Two thirds of libbpf's go into its debug lines, which it puts together where nobody reads them too. Reading the object is left out on both sides, as are files, maps and programs.
pub(crate) fn engine(context: &mut Context<'_>) -> Result<Outcome> {
    build(context, &["--package", "corelet-core", "--features", "std", "--example", "relocate"])?;
    let files = Files::write(context, "engine")?;
    let core = text(&context.workspace.target.join("release/examples/relocate"));
    let libbpf = text(Libbpf::build_static(&files.folder)?.path());
    let budgets = budgets::budgets()?;
    let minimum = |object: &Path| object.with_extension("min.btf");
    for object in &files.objects {
        let words = files.min(std::slice::from_ref(object), &minimum(object));
        context.run(Command::new(&words[0]).args(&words[1..]))?;
    }
    let pairs = |first: &[&str], objects: &[PathBuf], btf: &dyn Fn(&Path) -> PathBuf| -> Vec<String> {
        let pairs = objects.iter().flat_map(|o| [text(o), text(&btf(o))]);
        first.iter().map(|word| (*word).to_owned()).chain(pairs).collect()
    };
    let theirs = ["btf_parse_raw", "bpf_core_resolve_relo"];
    let mut figures = Vec::new();
    for (name, objects) in [("opensnoop", std::slice::from_ref(&files.one)), ("all", &files.objects[..])] {
        let ours = instructions(&pairs(&[&core], objects, &minimum), &["relocate::relocate"])?;
        let same = instructions(&pairs(&[&libbpf], objects, &minimum), &theirs)?;
        let full = instructions(&pairs(&[&libbpf], objects, &|_| files.btf.clone()), &theirs)?;
        let held = hold(&budgets, &format!("relocate-{name}"), ours)?;
        let (tenth, hundredth) = (same as f64 / ours as f64, full as f64 / ours as f64);
        let missed = |reached: f64, goal: f64| {
            if reached < goal { format!(", goal {goal} missed") } else { String::new() }
        };
        figures.push(format!(
            "{held}; libbpf on the same types {same} ({tenth:.1} times{}), on the kernel's {full} ({hundredth:.0} times{})",
            missed(tenth, 10.0),
            missed(hundredth, 100.0)
        ));
        ensure!(tenth > 7.0 && hundredth > 100.0, "{name}: {ours} instructions, libbpf {same} and {full}");
    }
    Ok(Outcome::Passed(figures.join("; ")))
}

/// Holds a count of instructions against its budget.
fn hold(budgets: &Budgets, name: &str, count: u64) -> Result<String> {
    budgets::hold(&format!("{name} instructions"), count, budgets.instructions.get(name), 1, u64::MAX)
}
