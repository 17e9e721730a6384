//! A machine made of tables, for the tests of what set-up decides.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::machine::{Call, Ended, Finished, Machine};

type Effect = Box<dyn FnMut(&mut State, &Call) -> Option<Finished>>;

/// What the fake machine has.
#[derive(Default)]
pub(super) struct State {
    pub(super) programs: BTreeSet<String>,
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) variables: BTreeMap<String, OsString>,
}

/// The machine; `effect` says what a command does to it.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) state: State,
    pub(super) root: bool,
    pub(super) person: bool,
    pub(super) answer: Option<String>,
    pub(super) effect: Option<Effect>,
    pub(super) said: Vec<String>,
    pub(super) ran: Vec<String>,
}

impl Fake {
    /// A machine with these programs, where we are root.
    pub(super) fn with(programs: &[&str]) -> Self {
        let programs = programs.iter().map(|name| (*name).to_owned()).collect();
        Self { state: State { programs, ..State::default() }, root: true, ..Self::default() }
    }

    /// Sets a variable of the environment.
    pub(super) fn where_is(mut self, name: &str, value: &str) -> Self {
        self.state.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Sets what commands do; those it gives `None` for succeed and print nothing.
    pub(super) fn doing(
        mut self,
        effect: impl FnMut(&mut State, &Call) -> Option<Finished> + 'static,
    ) -> Self {
        self.effect = Some(Box::new(effect));
        self
    }
}

/// A command that succeeded and printed this.
pub(super) fn printed(stdout: &str) -> Finished {
    Finished { ended: Ended::Well, stdout: stdout.to_owned(), tail: Vec::new() }
}

/// A command that failed with this last line.
pub(super) fn failed(line: &str) -> Finished {
    Finished {
        ended: Ended::Badly("exit status: 100".into()),
        stdout: String::new(),
        tail: vec![line.to_owned()],
    }
}

impl Machine for Fake {
    fn program(&self, name: &str) -> Option<PathBuf> {
        self.state.programs.contains(name).then(|| Path::new("/usr/bin").join(name))
    }

    fn exists(&self, path: &Path) -> bool {
        self.state.files.contains(path)
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.state.variables.get(name).cloned()
    }

    fn is_root(&self) -> bool {
        self.root
    }

    fn has_person(&self) -> bool {
        self.person
    }

    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }

    fn ask(&mut self, _question: &str) -> Result<Option<String>> {
        Ok(self.answer.clone())
    }

    fn run(&mut self, call: &Call) -> Result<Finished> {
        self.ran.push(call.line());
        let done = self.effect.as_mut().and_then(|effect| effect(&mut self.state, call));
        Ok(done.unwrap_or_else(|| printed("")))
    }

    fn fetch_rust_src(&mut self, release: &str, link: &Path) -> Result<()> {
        self.ran.push(format!("fetch rust-src {release}"));
        self.state.files.insert(link.join("Cargo.lock"));
        Ok(())
    }
}
