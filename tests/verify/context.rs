//! What a step has at hand while it runs: the workspace, its log, and commands that write there.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use corelet_host_tools::setup::{ThisMachine, Workspace};

/// A step at work.
pub(crate) struct Context<'w> {
    /// The checkout and its target folder.
    pub(crate) workspace: &'w Workspace,
    /// This machine, for what set-up builds.
    pub(crate) machine: ThisMachine,
    log: File,
}

impl<'w> Context<'w> {
    /// A step whose log is this file, begun anew.
    pub(crate) fn new(workspace: &'w Workspace, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("{}: cannot write this log", log.display()))?;
        Ok(Self { workspace, machine: ThisMachine, log: file })
    }

    /// Runs `cargo WORDS`, its output to the log.
    ///
    /// # Errors
    /// A cargo that fails.
    pub(crate) fn cargo(&mut self, words: &[&str]) -> Result<()> {
        self.run(Command::new("cargo").args(words))
    }

    /// Runs a command in the workspace's root, its output to the log.
    ///
    /// # Errors
    /// A command that cannot be started, or fails.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<()> {
        let line = shown(command);
        writeln!(self.log, "$ {line}").context("cannot write the log")?;
        let log = || self.log.try_clone().map(Stdio::from).context("cannot write the log");
        let status = self.prepared(command).stdout(log()?).stderr(log()?).status();
        let status = status.with_context(|| format!("cannot start {line}"))?;
        if !status.success() {
            bail!("{line}: {status}");
        }
        Ok(())
    }

    /// Runs a command in the workspace's root and gives its standard output, which the log has too.
    ///
    /// # Errors
    /// A command that cannot be started, or fails.
    pub(crate) fn output(&mut self, command: &mut Command) -> Result<String> {
        let line = shown(command);
        let output = self.prepared(command).output().with_context(|| format!("cannot start {line}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        self.note(&format!("$ {line}\n{text}{}", String::from_utf8_lossy(&output.stderr)))?;
        if !output.status.success() {
            bail!("{line}: {}", output.status);
        }
        Ok(text)
    }

    /// Adds a line to the log.
    pub(crate) fn note(&mut self, line: &str) -> Result<()> {
        writeln!(self.log, "{line}").context("cannot write the log")
    }

    fn prepared<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        // Test runs must not take the present cargo's package for theirs.
        command.current_dir(&self.workspace.root).stdin(Stdio::null()).env_remove("CARGO_MANIFEST_DIR")
    }
}

fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
