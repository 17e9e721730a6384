//! A device in the field that goes from one kernel to another and back, with one root file system: packs as an application
//! shipped them, target files as the kernels' packages did. In each of three boots two tools must report what happens, by
//! content, with the target of the kernel that runs; and `preflight` must say beforehand what becomes of either kernel.

use crate::objects::Objects;
use crate::tools::output::Output;
use crate::tools::script::Run;
use crate::tools::{Case, board, cases};
use anyhow::{Context, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Kernel, Progress, Source};
use corelet_core::pack::{Table, section};
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_kernels};
use corelet_host_tools::kernel;
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, Section, build, container, target_files};

/// The tools whose objects [`run`] takes.
pub const TOOLS: [&str; 2] = ["opensnoop", "execsnoop"];

/// The other kernel: older, with other layouts.
const OTHER: (&str, &str) = ("bookworm", "linux-image-6.1.*-cloud-arm64");

/// Asks of both kernels, of one that nobody knows, and with folders whose files are not what they should be.
const PREFLIGHT: &str = r#"
    echo text >present
    ask() {
        /corelet/corelet-loader preflight "$2" --build-id "$3" $4 2>ask
        echo "$1=$?"
        sed "s/^/$1_says=/" ask | tail -n 1
    }
    first=$(cat /corelet/first.id) second=$(cat /corelet/second.id)
    ask first /corelet/opensnoop.pack $first
    ask second /corelet/opensnoop.pack $second
    ask unknown /corelet/opensnoop.pack 00112233445566778899aabbccddeeff00112233
    ask inside /corelet/execsnoop.pack $first "--targets /corelet/empty"
    ask outside /corelet/execsnoop.pack $second "--targets /corelet/empty"
    for how in damaged cut foreign; do
        ask $how /corelet/opensnoop.pack $second "--targets /corelet/$how"
    done
"#;

/// What the exit codes of [`PREFLIGHT`] are, and words of the last line said.
const ANSWERS: [(&str, &str, &str); 8] = [
    ("first", "0", "is ready for 6.12."),
    ("second", "0", "is ready for 6.1."),
    ("unknown", "1", "make a target of that kernel's image"),
    ("inside", "0", "is ready for 6.12."),
    ("outside", "1", "make a target of that kernel's image"),
    ("damaged", "3", "checksum"),
    ("cut", "3", "/corelet/cut/"),
    ("foreign", "3", "not what its name says"),
];

/// What the three boots came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each boot and tool.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

/// Boots `the_board` with its own kernel, with the other, and with its own again.
///
/// # Errors
/// What keeps the board from running; what the boots show is in the [`Outcome`].
pub fn run(
    the_board: &Board,
    first: &Kernel,
    loader: &[u8],
    objects: &Objects,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let (suite, package) = OTHER;
    let source = Source { suites: vec![suite.to_owned()], package: package.to_owned() };
    let second = Kernel::find(&Debian::open()?, &the_board.arch.debian, &source, progress)?;
    let other = Board { kernel: source, ..the_board.clone() };
    let files = files(first, &second, objects)?;
    let mut open = *cases("opensnoop").first().context("opensnoop has no case")?;
    open.prepare = PREFLIGHT;
    let exec = cases("execsnoop").first().context("execsnoop has no case")?;
    let runs = [
        Run { label: "opensnoop", case: &open, pack: "/corelet/opensnoop.pack", program: None },
        Run { label: "execsnoop", case: exec, pack: "/corelet/execsnoop.pack", program: None },
    ];
    let mut outcome = Outcome::default();
    for (board, kernel, name) in
        [(the_board, first, "first"), (&other, &second, "second"), (the_board, first, "first again")]
    {
        progress.step(&format!("booting {} with {}", board.name, kernel.release));
        let outputs = board::run(board, loader, &files, &runs, progress, on_line)?;
        for run in &runs {
            let output = outputs.iter().find(|o| o.label == run.label).context("a run without output")?;
            let verdict = judge(run.case, output);
            let words = verdict.as_ref().map_or_else(String::as_str, |()| "ok");
            let line = format!("{name} kernel ({}): {}: {words}", kernel.release, run.label);
            if verdict.is_err() {
                outcome.failures.push(line.clone());
            }
            outcome.lines.push(line);
        }
    }
    Ok(outcome)
}

fn judge(case: &Case, output: &Output) -> Result<(), String> {
    case.verdict(output)?;
    if let Some(line) = output.errors.iter().find(|line| line.contains("own types")) {
        return Err(format!("the kernel's own types served, not a target: {line}"));
    }
    if case.prepare != PREFLIGHT {
        return Ok(());
    }
    for (ask, code, words) in ANSWERS {
        let fact = |name: &str| output.facts.get(name).map_or("nothing", String::as_str).to_owned();
        let (found, says) = (fact(ask), fact(&format!("{ask}_says")));
        if found != code || !says.contains(words) {
            return Err(format!("preflight {ask}: exit code {found}, not {code}, or other words: {says}"));
        }
    }
    Ok(())
}

/// The root file system: opensnoop's pack has no target and both kernels' are installed; execsnoop's was made for the first
/// kernel and the second's came as a file; and folders with files that must be refused.
fn files(first: &Kernel, second: &Kernel, objects: &Objects) -> Result<Vec<(String, Vec<u8>)>> {
    let open = [built("opensnoop", objects, first)?, built("opensnoop", objects, second)?];
    let exec = [built("execsnoop", objects, first)?, built("execsnoop", objects, second)?];
    let without: Vec<Section> = open[0].iter().filter(|s| !section::of_target(s.id)).cloned().collect();
    let mut files = vec![
        ("corelet/opensnoop.pack".to_owned(), container(&without)?),
        ("corelet/execsnoop.pack".to_owned(), container(&exec[0])?),
        ("corelet/first.id".to_owned(), build_id(first)?.into_bytes()),
        ("corelet/second.id".to_owned(), build_id(second)?.into_bytes()),
    ];
    let mut install = |folder: &str, name: &std::path::Path, bytes: Vec<u8>| {
        files.push((format!("{folder}/{}", name.display()), bytes));
    };
    let only = |sections: &[Section]| -> Result<(std::path::PathBuf, Vec<u8>)> {
        target_files(sections)?.pop().context("no target")
    };
    let (first_name, first_bytes) = only(&open[0])?;
    let (name, bytes) = only(&open[1])?;
    ensure!(first_bytes != bytes && first_name != name, "both kernels have one target");
    let mut damaged = bytes.clone();
    let subset = Table::parse(&bytes, bytes.len() as u64)?.entries().find(|e| e.id == section::SUBSET);
    damaged[subset.context("no subset")?.offset as usize] ^= 1;
    install("corelet/damaged", &name, damaged);
    install("corelet/cut", &name, bytes[..bytes.len() - 8].to_vec());
    install("corelet/foreign", &name, first_bytes.clone());
    install("lib/corelet", &first_name, first_bytes);
    install("lib/corelet", &name, bytes);
    let (name, bytes) = only(&exec[1])?;
    install("lib/corelet", &name, bytes);
    Ok(files)
}

fn built(tool: &'static str, objects: &Objects, kernel: &Kernel) -> Result<Vec<Section>> {
    let bytes = objects.get(tool).with_context(|| format!("no object of {tool}"))?.clone();
    let text = Manifest::builtin(tool).with_context(|| format!("{tool} has no manifest"))?;
    let input = Input { name: tool.to_owned(), bytes, manifest: Manifest::parse(tool, text)? };
    let opened = [Opened::open(&TargetArg::new(&kernel.image, kernel.config.as_deref()))?];
    with_kernels(&opened, |kernels| Ok(build(&[input], kernels, &Options::default())?.sections))
}

fn build_id(kernel: &Kernel) -> Result<String> {
    let opened = kernel::Kernel::open(&kernel.image, &mut |_, _| {})?;
    let id = opened.identity().build_id.as_ref();
    Ok(id.with_context(|| format!("{}: no build id", kernel.image.display()))?.to_string())
}
