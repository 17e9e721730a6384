//! The one error that means "this machine lacks something": exit code 4 of every command of ours.

use std::fmt;

/// Something that the machine lacks, and the command that installs it.
///
/// Found anywhere in an `anyhow` chain it gives exit code 4; every other error gives 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What was looked for, as a person would name it: `qemu-system-aarch64`.
    pub what: String,
    /// The command, or the sentence, that says how to get it.
    pub install: String,
}

impl Missing {
    /// Names a thing and how to install it.
    pub fn new(what: impl Into<String>, install: impl Into<String>) -> Self {
        Self { what: what.into(), install: install.into() }
    }

    /// A program that one of Debian's packages holds.
    pub fn program(program: &str, debian_package: &str) -> Self {
        Self::new(format!("the program {program}"), format!("apt-get install {debian_package}"))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this machine lacks {}; to get it: {}", self.what, self.install)
    }
}

impl std::error::Error for Missing {}
