//! Fuzzing, short and repeatable: every target of `tests/fuzz` from the same seeds with the same random numbers. With
//! stable Rust: coverage counters are options of LLVM, and libFuzzer comes with its crate.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use corelet_host_tools::setup::{Wants, needs};

use crate::context::Context;
use crate::run::Outcome;

/// The targets, with the runs of the short step: together some twenty seconds.
const TARGETS: [(&str, u32); 10] = [
    ("object", 20_000),
    ("btf", 8_000),
    ("btf_ext", 40_000),
    ("pack", 10_000),
    ("loader", 2_000),
    ("relocation", 500),
    ("image", 2_000),
    ("manifest", 5_000),
    ("event", 500),
    ("dwarf", 1_000),
];
/// How often the step's runs the long step does.
const LONGER: u32 = 50;

/// What cargo-fuzz passes, but for the sanitizer, which is nightly's; core has no unsafe code for it to look at.
const FLAGS: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
];
/// Seconds for one input, MiB for one target, bytes of one input: more is a defect.
const LIMITS: [&str; 3] = ["-timeout=20", "-rss_limit_mb=1024", "-max_len=16384"];

/// What builds libFuzzer.
pub(crate) fn wants() -> Wants {
    Wants { needs: vec![&needs::CXX], ..Wants::default() }
}

/// The short run.
pub(crate) fn short(context: &mut Context<'_>) -> Result<Outcome> {
    run(context, 1)
}

/// The long run.
pub(crate) fn long(context: &mut Context<'_>) -> Result<Outcome> {
    run(context, LONGER)
}

fn run(context: &mut Context<'_>, times: u32) -> Result<Outcome> {
    let target = context.workspace.target.join("fuzz");
    let host = context.output(Command::new("rustc").args(["-vV"]))?;
    let host =
        host.lines().find_map(|l| l.strip_prefix("host: ")).context("rustc -vV names no host")?.to_owned();
    let mut build = Command::new("cargo");
    // With --target the flags do not reach build scripts, which have no libFuzzer to link with.
    build.args([
        "build",
        "--quiet",
        "--locked",
        "--release",
        "--bins",
        "--manifest-path",
        "tests/fuzz/Cargo.toml",
    ]);
    build.args(["--target", &host]).env("CARGO_TARGET_DIR", &target);
    build.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    context.run(&mut build)?;
    let programs = target.join(&host).join("release");
    let corpus = tempfile::tempdir().context("a folder for the corpus")?;
    context.run(Command::new(programs.join("seeds")).env("SEEDS", corpus.path()))?;
    // What breaks a target stays for whoever repairs it.
    let broken = target.join("broken");
    std::fs::create_dir_all(&broken).with_context(|| broken.display().to_string())?;
    let mut all = 0;
    for (name, runs) in TARGETS {
        let seeds = corpus.path().join(name);
        ensure!(seeds.read_dir().is_ok_and(|mut files| files.next().is_some()), "{name} has no seeds");
        // the fake kernel never gives back what it maps
        let runs = if name == "loader" { runs } else { runs * times };
        let mut fuzz = Command::new(programs.join(name));
        fuzz.args(["-seed=1", &format!("-runs={runs}")]).args(LIMITS);
        fuzz.arg(format!("-artifact_prefix={}/{name}-", broken.display())).arg(seeds);
        context.run(&mut fuzz).with_context(|| {
            format!(
                "{name} broke; the input is in {}; run the program of this name with it",
                broken.display()
            )
        })?;
        all += runs;
    }
    Ok(Outcome::Passed(format!("{all} runs of {} targets, nothing found", TARGETS.len())))
}
