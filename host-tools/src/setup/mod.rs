//! What a machine needs before `cargo demo` and `cargo verify` can run: found, listed, asked for, installed.
//!
//! A machine that has all is only looked at: some paths, and rustc's two answers. Otherwise all that is lacking is
//! listed with its reason first, and nothing is changed without consent.
//!
//! ```no_run
//! use corelet_host_tools::setup::{self, ThisMachine, Wants, Workspace, needs, targets};
//!
//! # fn main() -> anyhow::Result<()> {
//! let (mut machine, workspace) = (ThisMachine, Workspace::find()?);
//! let wants = Wants { needs: vec![&needs::QEMU_AARCH64], targets: vec![targets::LOADER[0]], ..Wants::default() };
//! setup::prepare(&mut machine, &workspace, &wants, false, "cargo demo --yes")?;
//! let loader = setup::loader::build(&mut machine, &workspace, targets::LOADER[0])?;
//! # Ok(())
//! # }
//! ```

pub mod ask;
#[cfg(test)]
mod fake;
pub mod loader;
pub mod machine;
pub mod needs;
pub mod packages;
pub mod rust_src;
pub mod targets;
pub mod toolchain;
mod workspace;

use anyhow::Result;
use corelet_boards::Missing;

use ask::Consent;
pub use machine::{Machine, ThisMachine};
use needs::Need;
use packages::Lacking;
use targets::Compiler;
pub use workspace::Workspace;

/// What somebody wants of the machine.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// Programs and files, out of Debian's packages.
    pub needs: Vec<&'static Need>,
    /// Targets whose standard library is needed.
    pub targets: Vec<&'static str>,
    /// Toolchains that are used where rustup can install them.
    pub toolchains: Vec<&'static str>,
}

impl Wants {
    /// Adds what somebody else wants, each thing once.
    pub fn and(&mut self, other: &Wants) {
        fn union<T: PartialEq + Copy>(mine: &mut Vec<T>, theirs: &[T]) {
            for thing in theirs {
                if !mine.contains(thing) {
                    mine.push(*thing);
                }
            }
        }
        union(&mut self.needs, &other.needs);
        union(&mut self.targets, &other.targets);
        union(&mut self.toolchains, &other.toolchains);
    }
}

/// All of what is wanted that this machine lacks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    packages: Vec<Lacking>,
    targets: Vec<&'static str>,
    toolchains: Vec<&'static str>,
}

/// Installs what is wanted and lacking, after listing it and with consent: `yes`, CI, or a person's.
///
/// # Errors
/// [`Missing`] where something is lacking that cannot be installed here, or nobody agreed; `again` is the command that
/// then does it without a question.
pub fn prepare(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    wants: &Wants,
    yes: bool,
    again: &str,
) -> Result<()> {
    let compiler = Compiler::find(machine, workspace)?;
    let plan = Plan::make(machine, workspace, &compiler, wants)?;
    let consent = Consent::find(yes, machine);
    plan.carry_out(machine, workspace, &compiler, consent, again)
}

impl Plan {
    fn make(
        machine: &mut dyn Machine,
        workspace: &Workspace,
        compiler: &Compiler,
        wants: &Wants,
    ) -> Result<Self> {
        let packages = packages::lacking(machine, &wants.needs)?;
        let targets =
            wants.targets.iter().copied().filter(|target| compiler.std(machine, target).is_none()).collect();
        let mut toolchains = Vec::new();
        for &release in &wants.toolchains {
            if !toolchain::has(machine, release)? && toolchain::may_be_had(machine, workspace, release) {
                toolchains.push(release);
            }
        }
        Ok(Self { packages, targets, toolchains })
    }

    fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.targets.is_empty() && self.toolchains.is_empty()
    }

    /// The list that a person decides on.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.packages.is_empty() {
            lines.push("Debian packages, by apt-get install:".to_owned());
            lines.extend(self.packages.iter().map(|lack| format!("  {}: {}", lack.name(), lack.need.why)));
        }
        if !self.targets.is_empty() {
            lines.push(
                "Rust's standard library, by rustup target add, else as source out of Debian's rust-src:"
                    .to_owned(),
            );
            lines.extend(
                self.targets.iter().map(|target| format!("  {target}: what runs there is built here")),
            );
        }
        if !self.toolchains.is_empty() {
            lines.push("Rust toolchains, by rustup toolchain install:".to_owned());
            lines.extend(
                self.toolchains
                    .iter()
                    .map(|release| format!("  {release}: shows that the stated rust-version is true")),
            );
        }
        lines
    }

    fn carry_out(
        self,
        machine: &mut dyn Machine,
        workspace: &Workspace,
        compiler: &Compiler,
        consent: Consent,
        again: &str,
    ) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        machine.say("This machine lacks some of what is needed; to be installed:");
        for line in self.lines() {
            machine.say(&format!("  {line}"));
        }
        if !consent.settle("Install these now?", machine)? {
            return Err(Missing::new(
                "what is listed above, and nobody agreed to its installation",
                format!("run `{again}`, which installs without asking"),
            )
            .into());
        }
        packages::install(machine, self.packages)?;
        if !self.targets.is_empty() {
            compiler.install(machine, &self.targets)?;
        }
        for release in self.toolchains {
            toolchain::install(machine, workspace, release)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::fake::{Fake, printed};
    use super::*;

    fn answers(words: &[String]) -> Option<machine::Finished> {
        Some(printed(match words.first().map(String::as_str) {
            Some("-vV") => "host: h\nrelease: 1.95.0\n",
            Some("--print") => "/sys\n",
            Some("policy") => "opensbi:\n  Candidate: 1.1-2\n",
            _ => return None,
        }))
    }

    fn plan(machine: &mut Fake, wants: &Wants) -> (Plan, Compiler, Workspace) {
        let workspace = Workspace { root: "/w".into(), target: "/w/target".into() };
        let compiler = Compiler::find(machine, &workspace).unwrap();
        (Plan::make(machine, &workspace, &compiler, wants).unwrap(), compiler, workspace)
    }

    fn wants() -> Wants {
        Wants { needs: vec![&needs::OPENSBI], targets: vec!["t-t"], toolchains: vec![] }
    }

    #[test]
    fn all_is_listed_with_its_reason_and_nothing_done_without_consent() {
        let mut machine = Fake::with(&["apt-get", "apt-cache"]).doing(|_, call| answers(&call.args));
        let (plan, compiler, workspace) = plan(&mut machine, &wants());
        let looked = machine.ran.len();
        let error = plan
            .carry_out(&mut machine, &workspace, &compiler, Consent::Refused, "cargo demo --yes")
            .unwrap_err();
        assert!(
            error
                .downcast_ref::<Missing>()
                .is_some_and(|missing| missing.install.contains("cargo demo --yes"))
        );
        let said = machine.said.join("\n");
        assert!(said.contains("opensbi: the firmware") && said.contains("t-t: "), "{said}");
        assert_eq!(machine.ran.len(), looked, "{:?}", machine.ran);
    }

    #[test]
    fn a_machine_that_has_all_is_told_nothing() {
        let mut machine = Fake::with(&[]).doing(|_, call| answers(&call.args));
        machine.state.files.extend(["/sys/lib/rustlib/t-t/lib", needs::OPENSBI.what()].map(Into::into));
        let (plan, compiler, workspace) = plan(&mut machine, &wants());
        plan.carry_out(&mut machine, &workspace, &compiler, Consent::Refused, "").unwrap();
        assert_eq!(machine.said, [""; 0]);
    }

    #[test]
    fn wants_of_two_are_joined_without_repeating() {
        let mut both = wants();
        both.and(&wants());
        both.and(&Wants { targets: vec!["u-u"], ..Wants::default() });
        assert_eq!((both.needs.len(), both.targets.as_slice()), (1, ["t-t", "u-u"].as_slice()));
    }
}
