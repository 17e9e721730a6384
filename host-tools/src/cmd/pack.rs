//! `corelet pack` and `corelet target`: the device's files.

use super::inputs::{read_manifest, read_object};
use super::pack_report::{Report, say};
use super::target_arg::{Opened, TargetArg, refuse_twins, with_modules};
use crate::exit::{Exit, Failure};
use crate::manifest::Manifest;
use crate::output::{print, write_file};
use crate::pack::{Input, Options, build, container, target_files};
use anyhow::{Context, Result};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_core::pack::section;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make the device's file: objects, and what they need of each kernel they may meet.
///
/// A manifest (NAME.toml beside NAME.bpf.o, or one that comes with corelet for a known tool) says what the object does not:
/// event types, alternatives, what is optional.
///
/// Several objects are tools of their own that travel together. What shares maps, variables or functions is one program in
/// several sources: `corelet link` makes one object of it first.
///
/// Example: corelet pack opensnoop.bpf.o --target vmlinuz-6.12,config=config-6.12 -o opensnoop.pack
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Where to write the file.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Keep source lines, which the verifier then shows; they take as much room as the instructions.
    #[arg(long)]
    lines: bool,
}

/// Make target files: what packed objects need of a kernel that came later. The loader takes one with --target, and finds
/// those of a folder by itself.
///
/// Example: corelet target opensnoop.bpf.o --target vmlinuz-6.13 --targets-out pkg/lib/corelet
#[derive(clap::Args, Debug)]
pub struct TargetArgs {
    #[command(flatten)]
    what: What,
    /// Where to write all targets as one file.
    #[arg(short, long, value_name = "FILE", required_unless_present = "targets_out")]
    output: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
struct What {
    /// BPF objects.
    #[arg(required = true, value_name = "OBJ")]
    objects: Vec<PathBuf>,
    /// A kernel: image, vmlinux or BTF, and what the file does not say (btf=FILE, config=FILE, modules=DIR, release=, version=, arch=, build-id=).
    #[arg(long = "target", required_unless_present = "boards", value_name = "FILE[,KEY=VALUE]…")]
    targets: Vec<TargetArg>,
    /// The kernel of a board, fetched where it is not here yet; as often as wished.
    #[arg(long = "board", value_name = "BOARD")]
    boards: Vec<String>,
    /// The manifest of the one object.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// A folder for one file a target, DIR/DIGEST/BUILDID.target, where the loader looks for it once the folder is installed
    /// as /lib/corelet. A pack then holds the objects only.
    #[arg(long, value_name = "DIR")]
    targets_out: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Exit with 1, and write nothing, for poisoned instructions of a program that is loaded too.
    #[arg(long)]
    strict: bool,
}

/// Runs `corelet pack`.
pub fn run(args: Args) -> Result<ExitCode> {
    args.what.run(&Options { lines: args.lines }, Makes::Pack, Some(&args.output))
}

/// Runs `corelet target`.
pub fn run_target(args: TargetArgs) -> Result<ExitCode> {
    args.what.run(&Options::default(), Makes::Target, args.output.as_deref())
}

/// Which file is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Makes {
    Pack,
    Target,
}

impl What {
    fn run(&self, options: &Options, makes: Makes, output: Option<&Path>) -> Result<ExitCode> {
        if self.manifest.is_some() && self.objects.len() > 1 {
            let message =
                "--manifest is for one object; put NAME.toml beside each NAME.bpf.o instead".to_owned();
            return Err(Failure::usage(message));
        }
        let inputs =
            self.objects.iter().map(|o| input(o, self.manifest.as_deref())).collect::<Result<Vec<_>>>()?;
        let mut targets = self.targets.clone();
        let mut opened = self.targets.iter().map(Opened::open).collect::<Result<Vec<_>>>()?;
        for name in &self.boards {
            let progress = &mut *on_stderr();
            let kernel = kernel_for(&Board::find(name)?, progress)?;
            targets.push(TargetArg::new(&kernel.image, kernel.config.as_deref()));
            opened.push(Opened::packaged(&kernel, progress)?);
        }
        refuse_twins(&targets, &opened)?;
        let mut built = with_modules(&opened, &inputs, |kernels| build(&inputs, kernels, options))?;
        let apart = match &self.targets_out {
            Some(folder) => (target_files(&built.sections)?.into_iter())
                .map(|(path, bytes)| (folder.join(path), bytes))
                .collect(),
            None => Vec::new(),
        };
        match makes {
            Makes::Target => built.sections.retain(|s| section::of_target(s.id)),
            Makes::Pack if self.targets_out.is_some() => {
                built.sections.retain(|s| !section::of_target(s.id));
            }
            Makes::Pack => {}
        }
        let mut files = apart;
        if let Some(output) = output {
            files.insert(0, (output.to_owned(), container(&built.sections)?));
        }
        let mut targets = built.reports.iter().flat_map(|r| &r.targets);
        let portable = targets.all(|t| t.portable() && (!self.strict || t.unresolved.is_empty()));
        if portable {
            for (path, bytes) in &files {
                let apart = self.targets_out.as_ref().is_some_and(|folder| path.starts_with(folder));
                if let Some(folder) = path.parent().filter(|_| apart) {
                    std::fs::create_dir_all(folder)
                        .with_context(|| format!("{}: cannot make this folder", folder.display()))?;
                }
                write_file(path, bytes)?;
            }
        }
        let report = Report::of(&files, portable, &inputs, &built);
        let text = if self.json { serde_json::to_string(&report)? + "\n" } else { report.text()? };
        match output.is_some_and(|o| o.as_os_str() == "-") {
            true => eprint!("{text}"),
            false => print(&text)?,
        }
        for r in &built.reports {
            say(r, makes == Makes::Pack);
        }
        if !portable {
            let why = match self.strict {
                true => "with --strict, every relocation must be patched",
                false => "a failed relocation cannot be loaded",
            };
            eprintln!("corelet: nothing was written: {why}");
            return Ok(Exit::NotPortable.into());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An object with its manifest.
pub(crate) fn input(path: &Path, manifest: Option<&Path>) -> Result<Input> {
    let (name, manifest) = manifest_of(path, manifest)?;
    let bytes = read_object(path)?;
    Ok(Input { name, bytes, manifest })
}

/// The name of an object, and its manifest: the one given, one beside it, or one that comes with corelet.
pub(super) fn manifest_of(path: &Path, manifest: Option<&Path>) -> Result<(String, Manifest)> {
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let name = file.strip_suffix(".bpf.o").or(file.strip_suffix(".o")).unwrap_or(&file).to_owned();
    let beside = path.with_file_name(format!("{name}.toml"));
    let read = |path: &Path| -> Result<Manifest> {
        Manifest::parse(&path.display().to_string(), &read_manifest(path)?)
    };
    let manifest = match (manifest, Manifest::builtin(&name)) {
        (Some(path), _) => read(path)?,
        (None, _) if beside.exists() => read(&beside)?,
        (None, Some(text)) => Manifest::parse(&format!("{name}.toml (comes with corelet)"), text)?,
        (None, None) => Manifest::default(),
    };
    Ok((name, manifest))
}
