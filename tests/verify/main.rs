//! `cargo verify`: all tests of this repository as named steps, with the set-up that each needs.
//!
//! The steps are in `steps.rs`. Each one's whole output goes to `verify/STEP.log` in the target folder; on the terminal
//! are its name, its time, and on failure the end of its log. The last line counts.

mod attach;
mod authors;
mod boards;
mod capi;
mod context;
mod convert;
mod features;
mod fuzz;
mod gallery;
mod images;
mod kernel_relo;
mod link;
mod mcu;
mod names;
mod net;
mod objects;
mod oracle;
mod panics;
mod peers;
mod run;
mod rust_authors;
mod selfcheck;
mod single;
mod steps;
mod table;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use corelet_boards::Missing;
use corelet_host_tools::setup::{self, ThisMachine, Wants, Workspace};

use run::Tally;
use steps::{STEPS, Step};

/// Runs the tests of this repository, after installing what they need.
#[derive(Parser)]
#[command(name = "cargo verify", bin_name = "cargo verify")]
struct Arguments {
    /// Install what is missing without asking (so does the variable CI)
    #[arg(long, short)]
    yes: bool,
    /// Run the long steps too
    #[arg(long)]
    full: bool,
    /// Run this step alone; may be given several times
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// List the steps and run nothing
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match verify(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(match (error.is::<Usage>(), error.chain().any(|cause| cause.is::<Missing>())) {
                (true, _) => 2,
                (_, true) => 4,
                _ => 3,
            })
        }
    }
}

fn verify(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.list {
        for step in STEPS {
            println!("{:<10} {}{}", step.name, step.what, if step.full { " (--full)" } else { "" });
        }
        return Ok(ExitCode::SUCCESS);
    }
    let steps = chosen(arguments)?;
    let workspace = Workspace::find()?;
    let mut wants = Wants::default();
    for step in &steps {
        wants.and(&(step.wants)());
    }
    setup::prepare(&mut ThisMachine, &workspace, &wants, arguments.yes, &again(arguments))?;
    let tally = Tally::of(&steps, &workspace)?;
    print!("{tally}");
    Ok(if tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A step that there is not: the caller's mistake.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The steps of the table that the arguments ask for, in the table's order.
fn chosen(arguments: &Arguments) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = arguments.only.iter().find(|only| STEPS.iter().all(|step| step.name != **only)) {
        let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        bail!(Usage(format!("no step is called {unknown:?}: there are {}", known.join(", "))));
    }
    let is_chosen = |step: &&Step| match arguments.only.as_slice() {
        [] => arguments.full || !step.full,
        only => only.iter().any(|name| name == step.name),
    };
    Ok(STEPS.iter().filter(is_chosen).collect())
}

/// The command that does the same without a question.
fn again(arguments: &Arguments) -> String {
    let mut line = "cargo verify --yes".to_owned();
    if arguments.full {
        line.push_str(" --full");
    }
    for only in &arguments.only {
        line.push_str(&format!(" --only {only}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::parse_from(["verify"].iter().chain(words))
    }

    #[test]
    fn names_of_steps_are_unique_and_fit_a_file_name() {
        for (i, step) in STEPS.iter().enumerate() {
            assert!(
                step.name.bytes().all(|c| c.is_ascii_lowercase() || c == b'-' || c.is_ascii_digit()),
                "{}",
                step.name
            );
            assert!(STEPS[..i].iter().all(|other| other.name != step.name), "{}", step.name);
        }
    }

    #[test]
    fn only_chooses_by_name_in_the_tables_order() {
        let names = |words: &[&str]| -> Vec<_> {
            chosen(&arguments(words)).unwrap().iter().map(|step| step.name).collect()
        };
        assert_eq!(names(&["--only", "clippy", "--only", "fmt"]), ["fmt", "clippy"]);
        assert!(names(&[]).contains(&"test"));
        assert!(chosen(&arguments(&["--only", "nothing"])).err().is_some_and(|error| error.is::<Usage>()));
    }

    #[test]
    fn the_command_to_run_again_asks_for_the_same() {
        assert_eq!(again(&arguments(&["--full", "--only", "fmt"])), "cargo verify --yes --full --only fmt");
    }
}
