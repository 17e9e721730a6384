//! `corelet kconfig`: which options of a kernel's configuration BPF programs need.

use super::inputs::read_object;
use super::pack::manifest_of;
use crate::exit::Exit;
use crate::kconfig::{Answer, CONDITIONAL, Need, Presence, needs};
use crate::kernel::Config;
use crate::output::print;
use crate::pack::decisions;
use crate::relocate::type_count;
use anyhow::{Context, Result};
use corelet_core::object::Object;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Print the kernel options that BPF programs need, each with the programs and the reason.
///
/// With --against, what a configuration has of them; the exit code is 1 where a needed one is lacking. Programs that the
/// manifest leaves out are not counted, and optional ones need nothing. Nor is it a failure where a helper is lacking that is
/// called behind a condition only, which is said.
///
/// Example: corelet kconfig opensnoop.bpf.o --against /boot/config-6.12
#[derive(clap::Args, Debug)]
pub struct Args {
    /// BPF objects.
    #[arg(required = true, value_name = "OBJ")]
    objects: Vec<PathBuf>,
    /// A .config (plain or compressed), a kernel's image or configs.ko with one embedded, or a kernel's package.
    #[arg(long, value_name = "CONFIG")]
    against: Option<PathBuf>,
    /// The manifest of the one object.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    schema: u32,
    /// The configuration; null without `--against`.
    against: Option<String>,
    objects: Vec<ObjectJson>,
    /// Options of needed programs that the configuration lacks.
    lacking: usize,
}

#[derive(Serialize)]
struct ObjectJson {
    name: String,
    options: Vec<OptionJson>,
}

#[derive(Serialize)]
struct OptionJson {
    /// One of them will do.
    any_of: Vec<String>,
    /// Empty where the object needs it, whatever programs are loaded.
    programs: Vec<String>,
    why: String,
    /// The version of Linux that brought what needs it; empty for an option that a program reads.
    since: &'static str,
    /// The Kconfig file that defines it; empty likewise.
    defined_in: &'static str,
    optional: bool,
    /// Whether helpers need it that are called behind conditions only, and nothing else does.
    conditional: bool,
    /// `y`, `m`, `n` or `absent`; null without `--against`.
    state: Option<&'static str>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.manifest.is_some() && args.objects.len() > 1 {
        let message = "--manifest is for one object; put NAME.toml beside each NAME.bpf.o instead".to_owned();
        return Err(crate::exit::Failure::usage(message));
    }
    let config = args.against.as_deref().map(Config::read).transpose()?;
    let mut report = Report {
        schema: 1,
        against: args.against.as_ref().map(|path| path.display().to_string()),
        objects: Vec::new(),
        lacking: 0,
    };
    for path in &args.objects {
        let (name, needs) = of_file(path, args.manifest.as_deref())?;
        let options: Vec<OptionJson> =
            needs.into_iter().map(|need| OptionJson::of(need, config.as_ref())).collect();
        report.lacking += options.iter().filter(|o| o.is_lacking()).count();
        report.objects.push(ObjectJson { name, options });
    }
    match args.json {
        true => print(&(serde_json::to_string(&report)? + "\n"))?,
        false => print(&report.text()?)?,
    }
    if report.lacking > 0 {
        let against = report.against.as_deref().unwrap_or_default();
        eprintln!("corelet: {against}: lacks {} of the options that the programs need", report.lacking);
        return Ok(Exit::NotPortable.into());
    }
    Ok(ExitCode::SUCCESS)
}

/// The object's name, and what the programs of it need that its manifest does not leave out.
fn of_file(path: &Path, manifest: Option<&Path>) -> Result<(String, Vec<Need>)> {
    let (name, manifest) = manifest_of(path, manifest)?;
    let shown = || path.display().to_string();
    let bytes = read_object(path)?;
    let mut index = vec![0; type_count(&bytes).with_context(shown)?];
    let object = Object::parse(&bytes, &mut index).with_context(shown)?;
    let wanted = decisions(object, &manifest);
    let needs = needs(&object, &|function| wanted.get(&function).copied()).with_context(shown)?;
    Ok((name, needs))
}

impl OptionJson {
    fn of(need: Need, config: Option<&Config>) -> OptionJson {
        let state = config.map(|config| match need.answer(config) {
            Answer::Set => "y",
            Answer::Module => "m",
            Answer::Off => "n",
            Answer::Absent => "absent",
        });
        OptionJson {
            any_of: need.options,
            programs: need.programs,
            why: need.why,
            since: need.since,
            defined_in: need.source,
            optional: need.presence == Presence::Optional,
            conditional: need.conditional,
            state,
        }
    }

    /// Whether the configuration lacks it, and that is a failure.
    fn is_lacking(&self) -> bool {
        matches!(self.state, Some("n" | "absent")) && !self.optional && !self.conditional
    }
}

impl Report {
    /// A line for each option and reason: what the configuration says, the option, who needs it and what for.
    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        for o in &self.objects {
            writeln!(out, "{}:", o.name)?;
            for option in &o.options {
                let state = match option.state {
                    None => "",
                    Some("y") => "ok       ",
                    Some("m") => "module   ",
                    Some(_) if option.is_lacking() => "LACKING  ",
                    Some(_) => "lacking  ",
                };
                let programs = if option.programs.is_empty() {
                    "the object".to_owned()
                } else {
                    option.programs.join(", ")
                };
                write!(out, "  {state}{}: {programs}: for {}", option.any_of.join(" or "), option.why)?;
                out.push_str(if option.conditional { CONDITIONAL } else { "" });
                match option.since {
                    "" => writeln!(out)?,
                    since => writeln!(out, " (Linux {since}; {})", option.defined_in)?,
                }
            }
        }
        Ok(out)
    }
}
